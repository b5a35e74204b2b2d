"""YAML and JSON bodies: the values Kubernetes sees, and the bounds on hostile ones."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.yamlload import (
    MAX_DEPTH,
    load_all,
    load_documents,
    load_json,
    load_object,
    load_value,
)

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


class Quoting(yaml.SafeDumper):
    """Quotes every text: PyYAML leaves ``N`` and ``0o17`` bare, which Kubernetes reads as false and 15."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1, max_size=4), JSON, min_size=1, max_size=3))
def test_what_is_dumped_is_loaded(value):
    assert load_value(yaml.dump(value, Dumper=Quoting, allow_unicode=False)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("n", False),
        ("~", None),
        ("0777", 511),
        ("0o17", 15),
        ("0o", "0o"),
        ("-0O", "-0O"),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("08", 8.0),
        (".5", 0.5),
        ("-7", -7),
        ("2020-01-02", "2020-01-02"),
        ("190:20:30", "190:20:30"),
        ("'yes'", "yes"),
        ('"7"', "7"),
        ("!!str 7", "7"),
        ("1.2.3", "1.2.3"),
        ("18446744073709551615", 2**64 - 1),
        ("+", "+"),
    ],
)
def test_scalars_mean_what_they_mean_to_kubernetes(text, value):
    found = load_value(f"a: {text}")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_keys_become_text():
    assert load_value("1: a\ntrue: b\n1.5: c\n") == {"1": "a", "true": "b", "1.5": "c"}


def test_documents_come_in_order_and_empty_ones_are_left_out():
    assert list(load_all("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]
    with pytest.raises(BadRequestError, match="expected one YAML document, found 2"):
        load_object("a: 1\n---\nb: 2\n")


def test_aliases_and_merge_keys_are_resolved_without_sharing():
    found = load_value("base: &b {x: 1, l: [1]}\none: *b\ntwo: {<<: *b, x: 2}\nthree: {<<: [*b, {z: 3}]}\n")
    assert found["two"] == {"x": 2, "l": [1]}
    assert found["three"] == {"x": 1, "l": [1], "z": 3}
    found["one"]["l"].append(2)
    assert found["base"]["l"] == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3: key "a" already set in map'),
        ("x:\n  a: 1\n  a: 2", 'line 3: key "a" already set in map'),
        ("a: [1", "line 2: did not find expected ',' or ']'"),
        ("\ta: 1", "line 1: found character that cannot start any token"),
        ("a: *x", "line 1: unknown anchor 'x' referenced"),
        ("a: &x [*x]", "line 1: anchor 'x' value contains itself"),
        ("a: !Sub x", "line 1: unknown tag !Sub"),
        ("a: .inf", "line 1: .inf is not a JSON number"),
        ("? [a]\n: b", "line 1: a key must be a scalar"),
        ("a: !!int x", "line 1: cannot decode `x` as a !!int"),
    ],
)
def test_unreadable_yaml_is_refused_by_line(text, message):
    with pytest.raises(BadRequestError) as caught:
        load_value(text)
    assert caught.value.message == f"couldn't read the body as YAML: {message}"


def test_a_bomb_of_aliases_is_refused():
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(BadRequestError, match="line 6: aliases stand for more than 100000 values"):
        load_value("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, '{"a":' * 900 + "1" + "}" * 900])
def test_deep_nesting_is_refused(text):
    with pytest.raises(BadRequestError):
        load_value(text)


def test_nesting_up_to_the_bound_is_read():
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert load_value(text) == load_json(text.encode())


@pytest.mark.parametrize("body", [b"\xff\xfe\xff", b"a: \x01", "just text", "- a", "", b'{"a": 1'])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(BadRequestError):
        load_object(body)


def test_json_goes_to_the_json_reader_and_flow_yaml_is_still_yaml():
    assert load_object('{"a": 1.0, "b": "yes"}') == {"a": 1.0, "b": "yes"}
    assert load_object("{a: yes}") == {"a": True}


def test_documents_come_with_the_line_that_they_begin_on():
    text = "# a comment\n\na: 1\n---\n---\n\n\nb: 2\n--- c\n"
    assert list(load_documents(text)) == [(3, {"a": 1}), (8, {"b": 2}), (9, "c")]
