"""Forms from schemas: what is shown, what comes back, and where messages land."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.errors import Cause
from roadbed.interfaces.web import forms


def field_at(root, path):
    found = {field.path: field for field in walk(root)}
    return found[path]


def walk(field):
    yield field
    for child in field.children:
        yield from walk(child)


def schema(**properties):
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "maxLength": 4000}, "textarea"),
        ({"type": "string", "format": "password"}, "secret"),
        ({"type": "string", "enum": ["a"]}, "select"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"x-kubernetes-int-or-string": True}, "text"),
        ({"type": "array", "items": {"type": "string"}}, "array"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, "yaml"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "map"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "yaml"),
        ({"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"a": {}}}, "yaml"),
        ({}, "yaml"),
    ],
)
def test_each_schema_gets_its_input(inner, kind):
    assert forms.build(schema(it=inner), None).children[0].kind == kind


def test_defaults_are_shown_and_sent_where_something_was_chosen():
    inner = schema(size={"type": "string", "default": "small"}, name={"type": "string"})
    whole = schema(spec=inner)
    assert field_at(forms.build(whole, None), "spec.size").value == "small"
    assert forms.read(whole, {"spec.size": "small", "spec.name": "x"}) == {
        "spec": {"size": "small", "name": "x"}
    }


def test_an_optional_group_with_nothing_but_defaults_is_left_out():
    backup = {
        **schema(days={"type": "integer", "default": 7}, bucket={"type": "string"}),
        "required": ["bucket"],
    }
    whole = schema(backup=backup)
    assert forms.read(whole, {"backup.days": "7", "backup.bucket": ""}) == {}
    assert forms.read(whole, {"backup.days": "9", "backup.bucket": ""}) == {"backup": {"days": 9}}


def test_an_untouched_form_sends_the_defaults_of_what_is_required():
    spec = {
        **schema(size={"type": "string", "default": "small"}, on={"type": "boolean"}),
        "required": ["size"],
    }
    assert forms.initial({**schema(spec=spec), "required": ["spec"]}) == {"spec": {"size": "small"}}


def test_a_number_that_is_none_stays_a_text_for_the_server_to_refuse():
    whole = schema(n={"type": "integer"})
    for text in ("12x", "inf", "nan"):
        assert forms.read(whole, {"n": text}) == {"n": text}
    assert forms.read(whole, {"n": "12"}) == {"n": 12}
    assert forms.read(whole, {"n": "1.5"}) == {"n": 1.5}


def test_int_or_string_keeps_what_was_meant():
    whole = schema(port={"x-kubernetes-int-or-string": True})
    assert forms.read(whole, {"port": "8080"}) == {"port": 8080}
    assert forms.read(whole, {"port": "http"}) == {"port": "http"}


def test_a_switch_can_be_switched_off_against_its_default():
    whole = schema(on={"type": "boolean", "default": True}, other={"type": "boolean"})
    assert forms.read(whole, {"on": "false", "other": "false"}) == {"on": False}


def test_rows_taken_out_leave_no_gap():
    whole = schema(names={"type": "array", "items": {"type": "string"}})
    assert forms.read(whole, {"names[0]": "a", "names[2]": "c", "names[10]": "k"}) == {
        "names": ["a", "c", "k"]
    }


def test_a_choice_sends_only_its_own_fields():
    access = {
        **schema(cidr={"type": "string"}, group={"type": "string"}, note={"type": "string"}),
        "oneOf": [{"required": ["cidr"]}, {"required": ["group"]}],
    }
    whole = schema(access=access)
    sent = {"access|choice": "1", "access.cidr": "10.0.0.0/8", "access.group": "sg", "access.note": "n"}
    assert forms.read(whole, sent) == {"access": {"group": "sg", "note": "n"}}
    made = field_at(forms.build(whole, {"access": {"group": "sg"}}), "access")
    assert made.chosen == 1
    assert [child.alternative for child in made.children] == [0, 1, -1]


def test_crossplanes_machinery_is_folded_away():
    made = forms.build(
        schema(spec=schema(crossplane=schema(a={"type": "string"}), size={"type": "string"})), None
    )
    assert [child.advanced for child in made.children[0].children] == [True, False]


def test_property_names_that_are_no_identifiers_are_named_as_the_server_names_them():
    made = forms.build(schema(**{"a.b/c": {"type": "string"}}), None)
    assert made.children[0].path == "[a.b/c]"
    assert forms.read(schema(**{"a.b/c": {"type": "string"}}), {"[a.b/c]": "x"}) == {"a.b/c": "x"}


def test_messages_land_at_their_field_or_the_closest_one_above():
    inner = schema(rows={"type": "array", "items": schema(name={"type": "string"})})
    root = forms.build(schema(spec=inner), {"spec": {"rows": [{"name": "a"}]}})
    homeless = forms.place(
        root,
        [
            Cause(
                "FieldValueInvalid",
                "Invalid value: 1: spec.rows[0].name in body should be longer",
                "spec.rows[0].name",
            ),
            Cause("FieldValueRequired", "Required value", "spec.rows[0].role"),
            Cause("FieldValueInvalid", "too few", "spec.rows"),
            Cause("FieldValueForbidden", "not now", ""),
        ],
    )
    assert field_at(root, "spec.rows[0].name").errors == ["Should be longer"]
    assert field_at(root, "spec.rows[0]").errors == ["role: This is required."]
    assert field_at(root, "spec.rows").errors == ["too few"]
    assert homeless == ["not now"]


def test_a_schema_that_never_ends_becomes_yaml():
    deep = {"type": "string"}
    for _ in range(60):
        deep = schema(down=deep)
    kinds = [field.kind for field in walk(forms.build(deep, None))]
    assert kinds[-1] == "yaml"
    assert len(kinds) < 20


_WORDS = st.text("abcdefgh", min_size=1, max_size=6)


def _schemas(depth):
    scalar = st.sampled_from(
        [{"type": "string"}, {"type": "integer"}, {"type": "string", "enum": ["a", "b"]}, {"type": "boolean"}]
    )
    if depth == 0:
        return scalar
    inner = _schemas(depth - 1)
    objects = st.dictionaries(_WORDS, inner, min_size=1, max_size=3).map(lambda found: schema(**found))
    arrays = inner.filter(lambda found: found["type"] != "array").map(
        lambda found: {"type": "array", "items": found}
    )
    maps = st.just({"type": "object", "additionalProperties": {"type": "string"}})
    return st.one_of(scalar, objects, arrays, maps)


def _values(found):
    if found.get("enum"):
        return st.sampled_from(found["enum"])
    if found["type"] == "string":
        return _WORDS
    if found["type"] == "integer":
        return st.integers(-1000, 1000)
    if found["type"] == "boolean":
        return st.just(True)
    if found["type"] == "array":
        return st.lists(_values(found["items"]), min_size=1, max_size=3)
    if "additionalProperties" in found:
        return st.dictionaries(_WORDS, _WORDS, min_size=1, max_size=3)
    return st.fixed_dictionaries({name: _values(inner) for name, inner in found["properties"].items()})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_a_form_shows_is_what_it_sends(data):
    """Form and YAML are two views of one value: nothing is lost or invented on the way through."""
    whole = schema(spec=data.draw(_schemas(2)))
    value = {"spec": data.draw(_values(whole["properties"]["spec"]))}
    assert forms.read(whole, forms.inputs_of(forms.build(whole, value))) == value
