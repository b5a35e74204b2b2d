"""Compiled schemas: the tree that others walk, references, and the values that have rules."""

import pytest

from roadbed.apimachinery.nodes import OPAQUE, compile_node
from roadbed.apimachinery.schema import Schema


def test_a_node_tells_what_the_schema_says():
    node = compile_node(
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "properties": {"name": {"type": "string", "default": "x"}},
            },
        }
    )
    assert (node.list_type, node.list_keys) == ("map", ("name",))
    assert node.items.map_type == "atomic"
    assert node.items.child("name").default == "x"
    assert node.items.child("other") is None
    assert node.items.defaulted == (("name", node.items.properties["name"]),)


def test_additional_properties_give_the_schema_of_unnamed_members():
    assert compile_node({"type": "object", "additionalProperties": True}).child("x") is OPAQUE
    assert compile_node({"type": "object", "additionalProperties": False}).closed
    assert (
        compile_node({"type": "object", "additionalProperties": {"type": "string"}}).child("x").type
        == "string"
    )


def test_a_recursive_reference_becomes_a_node_that_holds_itself():
    node = compile_node({"$ref": "t"}, lambda _: {"type": "object", "properties": {"kid": {"$ref": "t"}}})
    assert node.properties["kid"] is node


def test_a_reference_beside_other_members_counts_both():
    """Published built-ins are written so: an allOf of one reference, and a default."""
    node = compile_node(
        {"allOf": [{"$ref": "t"}], "default": {}}, lambda _: {"type": "object", "properties": {"a": {}}}
    )
    assert node.default == {}
    assert "a" in node.properties


def test_recursion_closes_through_references_that_have_a_default_beside_them():
    """The published schema of CRDs is written so, and holds itself."""
    kid = {"allOf": [{"$ref": "t"}], "default": {}}
    tree = {"type": "object", "properties": {"kids": {"type": "array", "items": kid}}}
    node = compile_node({"$ref": "t"}, lambda _: tree)
    below = node.properties["kids"].items
    assert below.default == {}
    assert below.properties["kids"].items is below


def test_a_built_in_definition_without_members_hides_any_value():
    """RawExtension, JSON, JSONSchemaPropsOrArray: pruning what they hold would empty every CRD."""
    schema = Schema.compile(
        {"type": "object", "properties": {"raw": {"$ref": "raw"}}}, resolve=lambda _: {"type": "object"}
    )
    assert schema.prune({"raw": {"any": {"thing": 1}}, "other": 1}) == ["other"]


def test_a_schema_nested_without_end_is_refused():
    with pytest.raises(ValueError, match="nested deeper than 100"):
        compile_node(
            {"$ref": "t"}, lambda _: {"type": "array", "items": {"allOf": [{"$ref": "t"}], "default": []}}
        )


def test_a_reference_that_nothing_resolves_is_refused():
    with pytest.raises(ValueError, match="'#/x'"):
        compile_node({"$ref": "#/x"})


def test_a_zero_bound_is_a_bound():
    checks = compile_node({"type": "array", "maxItems": 0, "items": {}, "uniqueItems": False}).checks
    assert checks.max_items == 0
    assert not checks.unique_items


def test_values_with_rules_are_found_outermost_first():
    rule = [{"rule": "true"}]
    schema = Schema.compile(
        {
            "type": "object",
            "x-kubernetes-validations": rule,
            "properties": {
                "list": {"type": "array", "items": {"type": "integer", "x-kubernetes-validations": rule}},
                "map": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "x-kubernetes-validations": rule},
                },
                "plain": {"type": "string"},
            },
        }
    )
    obj = {"list": [1, 2], "map": {"k": "v"}, "plain": "x"}
    assert [(path, value) for path, _, value in schema.rules(obj)] == [
        ("", obj),
        ("list[0]", 1),
        ("list[1]", 2),
        ("map[k]", "v"),
    ]
