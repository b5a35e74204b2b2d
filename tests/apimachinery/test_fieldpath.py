"""Field paths: what they name, how they write, and how a wrong one is refused."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery import fieldpath
from roadbed.apimachinery.fieldpath import FieldNotFoundError, FieldPathError

FIELDS = st.sampled_from(["spec", "a", "b", "crossplane.io/external-name", "x-1", "7up"])
SEGMENTS = st.lists(st.one_of(FIELDS, st.integers(0, 3)), min_size=1, max_size=4).map(lambda s: ("root", *s))
VALUES = st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2))


@given(SEGMENTS)
def test_a_path_reads_back_what_it_writes(segments):
    assert fieldpath.parse(fieldpath.text_of(segments)) == segments


@given(SEGMENTS, VALUES)
def test_what_is_set_can_be_got_and_deleted(segments, value):
    path = fieldpath.text_of(segments)
    obj = {}
    fieldpath.set_value(obj, path, value)
    assert fieldpath.get(obj, path) == value
    fieldpath.delete(obj, path)
    assert fieldpath.find(obj, path, "gone") == "gone"


@given(SEGMENTS, VALUES, VALUES)
def test_setting_twice_keeps_the_last(segments, one, other):
    path = fieldpath.text_of(segments)
    obj, direct = {}, {}
    fieldpath.set_value(obj, path, one)
    fieldpath.set_value(obj, path, other)
    fieldpath.set_value(direct, path, other)
    assert obj == direct


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("spec.a[0].b", ("spec", "a", 0, "b")),
        (
            "metadata.annotations[crossplane.io/external-name]",
            ("metadata", "annotations", "crossplane.io/external-name"),
        ),
        ("a['b.c']", ("a", "b.c")),
        ("a[*].b", ("a", "*", "b")),
        ("spec.containers[0]['name']", ("spec", "containers", 0, "name")),
        ("data.0", ("data", "0")),
        ("[0]", (0,)),
        ("", ()),
    ],
)
def test_paths_are_read_as_crossplane_reads_them(path, segments):
    assert fieldpath.parse(path) == segments


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".a", "unexpected '.' at position 0"),
        ("a.", "unexpected '.' at position 1"),
        ("a..b", "unexpected '.' at position 2"),
        ("a.[b]", "unexpected '[' at position 2"),
        ("a[", "unterminated '[' at position 1"),
        ("a[]", "unexpected ']' at position 2"),
        ("a[b[c]]", "unexpected '[' at position 3"),
        ("a]", "unexpected ']' at position 1"),
    ],
)
def test_a_malformed_path_is_refused_by_position(path, message):
    with pytest.raises(FieldPathError) as caught:
        fieldpath.parse(path)
    assert str(caught.value) == message


OBJ = {"spec": {"list": [{"n": 1}, {"n": 2}, {}], "text": "x", "none": None, "map": {"a": 1, "b.c": 2}}}


@pytest.mark.parametrize(
    ("path", "family", "message"),
    [
        ("spec.nope", FieldNotFoundError, "spec.nope: no such field"),
        ("spec.list[9]", FieldNotFoundError, "spec.list[9]: no such element"),
        ("spec.none.x", FieldNotFoundError, "spec.none: expected map, got nil"),
        ("spec.text.x", FieldPathError, "spec.text: not an object"),
        ("spec.map[0]", FieldPathError, "spec.map: not an array"),
    ],
)
def test_getting_what_is_not_there_names_the_place(path, family, message):
    with pytest.raises(family) as caught:
        fieldpath.get(OBJ, path)
    assert str(caught.value) == message
    assert isinstance(caught.value, FieldNotFoundError) == (family is FieldNotFoundError)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("spec.text.x", "spec.text is not an object"),
        ("spec.map[0]", "spec.map is not an array"),
        ("spec.list[1025]", "index 1025 is greater than max allowed index 1024"),
    ],
)
def test_setting_where_it_does_not_fit_is_refused_and_changes_nothing(path, message):
    obj = copy.deepcopy(OBJ)
    with pytest.raises(FieldPathError) as caught:
        fieldpath.set_value(obj, path, 1)
    assert str(caught.value) == message
    assert obj == OBJ


def test_setting_makes_what_is_missing_and_fills_gaps_with_null():
    obj = {}
    fieldpath.set_value(obj, "a.b[2].c", 1)
    assert obj == {"a": {"b": [None, None, {"c": 1}]}}


@pytest.mark.parametrize(
    ("path", "expanded"),
    [
        ("spec.list[*].n", ["spec.list[0].n", "spec.list[1].n"]),
        ("spec.map[*]", ["spec.map.a", "spec.map[b.c]"]),
        ("spec.map.*", ["spec.map.a", "spec.map[b.c]"]),
        ("spec.nope[*].x", []),
        ("spec.text", ["spec.text"]),
    ],
)
def test_wildcards_expand_to_what_is_there(path, expanded):
    assert fieldpath.expand_wildcards(OBJ, path) == expanded


def test_a_wildcard_on_a_scalar_is_refused():
    with pytest.raises(FieldPathError, match="unexpected wildcard usage"):
        fieldpath.expand_wildcards(OBJ, "spec.text[*]")


@pytest.mark.parametrize(
    ("there", "value", "options", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {}, {"a": 1, "b": 3, "c": 4}),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"keep_map_values": True}, {"a": 1, "b": 2, "c": 4}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {}, {"a": {"x": 1, "y": 2}}),
        ([1, 2], [2, 3], {}, [2, 3]),
        ([1, 2], [2, 3], {"append_slice": True}, [1, 2, 3]),
        ({"l": [1]}, {"l": [2]}, {"append_slice": True}, {"l": [1, 2]}),
        ("x", "y", {}, "y"),
        (None, {"a": 1}, {}, {"a": 1}),
    ],
)
def test_merging_into_a_path(there, value, options, expected):
    obj = {"spec": {"at": there}}
    fieldpath.merge_value(obj, "spec.at", value, **options)
    assert obj == {"spec": {"at": expected}}


def test_merging_an_object_into_text_is_refused():
    with pytest.raises(FieldPathError, match=r"spec\.text: failed to merge values"):
        fieldpath.merge_value(copy.deepcopy(OBJ), "spec.text", {"a": 1})


def test_paths_for_kubernetes_messages():
    assert fieldpath.child("", "spec") == "spec"
    assert fieldpath.item(fieldpath.child("spec", "map"), "key") == "spec.map[key]"
    assert fieldpath.item("spec.list", 0) == "spec.list[0]"
