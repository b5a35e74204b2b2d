"""The quick yes may be missing, but is never wrong: whatever it accepts, the careful walk accepts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.fastpath import quick_check
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.validation import validate_value

NAMES = st.sampled_from("abc")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from([0.5, 1.0, 2.0, 2**70, -0.1]),
    st.sampled_from(["", "a", "abc", "é1", "10.0.0.1", "٣"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
CHECKS = st.fixed_dictionaries(
    {},
    optional={
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(
            ["^a", r"^\d+$", r"\w$", "(", "^$", "[a-c.]", r"^(a|\.)+$", "[a[b]", "[a&&b]", "(?i)A", "[^1]"]
        ),
        "format": st.sampled_from(["ipv4", "date", "nope"]),
        "minimum": st.sampled_from([0, 1.5]),
        "exclusiveMinimum": st.booleans(),
        "maximum": st.sampled_from([2, 2.5]),
        "multipleOf": st.sampled_from([0, 2, 0.1]),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "maxProperties": st.integers(0, 2),
        "required": st.lists(NAMES, max_size=1),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
    },
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", None])


def _join(parts):
    kind, checks, extra = parts
    return {**({"type": kind} if kind else {}), **checks, **extra}


def _with_members(inner):
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "items": inner,
            "nullable": st.booleans(),
            "x-kubernetes-int-or-string": st.booleans(),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    )


SCHEMAS = st.recursive(
    st.tuples(TYPES, CHECKS, st.just({})).map(_join),
    lambda inner: st.tuples(TYPES, CHECKS, _with_members(inner)).map(_join),
    max_leaves=5,
)


def agree(schema, value):
    node = compile_node(schema)
    if quick_check(node)(value):
        assert validate_value(node, value) == []


@settings(max_examples=40, deadline=None)
@given(SCHEMAS, VALUES)
def test_what_is_quickly_accepted_is_valid(schema, value):
    agree(schema, value)


@pytest.mark.slow
@pytest.mark.timeout(120)
@settings(max_examples=2000, deadline=None)
@given(SCHEMAS, VALUES)
def test_what_is_quickly_accepted_is_valid_in_many_more_cases(schema, value):
    agree(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "maxLength": 3}, "abc"),
        ({"type": "integer", "minimum": 0}, 0),
        ({"type": "string", "nullable": True}, None),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "^x"}}}, {"a": "xy"}),
        ({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}),
    ],
)
def test_ordinary_valid_values_take_the_quick_way(schema, value):
    """Else every write pays for the walk, and nothing would fail but the budget."""
    assert quick_check(compile_node(schema))(value)


def test_recursive_schemas_are_checked_quickly_too():
    tree = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "t"}}},
    }
    check = quick_check(compile_node({"$ref": "t"}, lambda _: tree))
    assert check({"n": 1, "kids": [{"n": 2, "kids": []}]})
    assert not check({"n": 1, "kids": [{"n": "x"}]})


def test_a_factor_is_left_to_the_walk_whatever_stands_beside_it():
    agree({"type": "integer", "multipleOf": 0, "not": {"enum": [None]}}, 0)
    assert not quick_check(compile_node({"type": "integer", "multipleOf": 2, "not": {"enum": [None]}}))(4)
