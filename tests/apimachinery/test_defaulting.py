"""Defaults: where they appear, what null means, and that no two objects share one."""

import pytest

from roadbed.apimachinery.schema import Schema


def defaulted(spec, value):
    obj = {"spec": value}
    Schema.compile({"type": "object", "properties": {"spec": spec}}).default(obj)
    return obj["spec"]


SIZE = {"type": "string", "default": "small"}


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ({"type": "object", "properties": {"size": SIZE}}, {}, {"size": "small"}),
        ({"type": "object", "properties": {"size": SIZE}}, {"size": "big"}, {"size": "big"}),
        ({"type": "object", "properties": {"size": SIZE}}, {"size": None}, {"size": "small"}),
        (
            {"type": "object", "properties": {"size": {**SIZE, "nullable": True}}},
            {"size": None},
            {"size": None},
        ),
        ({"type": "object", "properties": {"x": {"type": "string"}}}, {"x": None}, {}),
        (
            {"type": "object", "properties": {"x": {"type": "object", "properties": {"size": SIZE}}}},
            {},
            {},
        ),
        (
            {
                "type": "object",
                "properties": {"x": {"type": "object", "default": {}, "properties": {"size": SIZE}}},
            },
            {},
            {"x": {"size": "small"}},
        ),
        (
            {"type": "array", "items": {"type": "object", "properties": {"size": SIZE}}},
            [{}, {"size": "big"}],
            [{"size": "small"}, {"size": "big"}],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "object", "properties": {"size": SIZE}}},
            {"k": {}},
            {"k": {"size": "small"}},
        ),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"k": None}, {}),
        ({"type": "array", "items": {"type": "string", "default": "x"}}, [None], ["x"]),
        ({"type": "array", "items": {"type": "string"}}, [None], [None]),
        ({"type": "object", "properties": {"on": {"type": "boolean", "default": False}}}, {}, {"on": False}),
    ],
)
def test_defaulting(spec, value, expected):
    assert defaulted(spec, value) == expected
    assert defaulted(spec, expected) == expected, "defaulting twice is defaulting once"


def test_objects_do_not_share_their_defaults():
    schema = Schema.compile(
        {"type": "object", "properties": {"list": {"type": "array", "default": [], "items": {}}}}
    )
    one, other = {}, {}
    schema.default(one)
    schema.default(other)
    one["list"].append("mine")
    assert other == {"list": []}


def test_defaults_come_through_references_even_recursive_ones():
    tree = {
        "type": "object",
        "properties": {"size": SIZE, "children": {"type": "array", "items": {"$ref": "#/tree"}}},
    }
    schema = Schema.compile(
        {"type": "object", "properties": {"spec": {"$ref": "#/tree"}}}, resolve=lambda _: tree
    )
    obj = {"spec": {"children": [{"children": [{}]}]}}
    schema.default(obj)
    assert obj["spec"]["children"][0]["children"] == [{"size": "small"}]
    assert schema.prune({"spec": {"children": [{"x": 1}]}}) == ["spec.children[0].x"]
    obj["spec"]["children"][0]["children"][0]["size"] = 7
    assert len(schema.validate(obj)) == 1
