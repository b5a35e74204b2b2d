"""Whether a CRD's schema is accepted, and what is said of one that is not."""

import pytest

from roadbed.apimachinery import goschema
from roadbed.apimachinery.causes import text_of
from roadbed.apimachinery.structural import check_structural


def problems(spec):
    schema = {"type": "object", "properties": {"spec": spec}}
    return [text_of(cause).replace("s.properties[spec]", "@") for cause in check_structural(schema, "s")]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "@.type: Required value: must not be empty for specified object fields"),
        ({"type": "array"}, "@.items: Required value: must be specified"),
        (
            {"type": "array", "items": {}},
            "@.items.type: Required value: must not be empty for specified array items",
        ),
        (
            {"type": "string", "oneOf": [{"type": "string"}]},
            "@.oneOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "string", "allOf": [{"default": "x"}]},
            "@.allOf[0].default: Forbidden: must be undefined to be structural",
        ),
        (
            {"type": "string", "pattern": "a("},
            (
                '@.pattern: Invalid value: "a(": must be a valid regular expression, but isn\'t: '
                "error parsing regexp: missing closing ): `a(`"
            ),
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": {"type": "string"},
            },
            "@.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            {"type": "file"},
            (
                '@.type: Unsupported value: "file": supported values: "array", "boolean", "integer", "number", '
                '"object", "string"'
            ),
        ),
        ({"type": "string", "$ref": "#/x"}, "@.$ref: Forbidden: $ref is not supported"),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            (
                "@.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes "
                "quadratic"
            ),
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
            "@.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            (
                "@.items.properties[name].default: Required value: this property is in "
                "x-kubernetes-list-map-keys, so it must have a default or be a required property"
            ),
        ),
        (
            {"type": "string", "x-kubernetes-list-type": "set"},
            '@.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
        ),
        (
            {"type": "object", "x-kubernetes-map-type": "loose"},
            '@.x-kubernetes-map-type: Unsupported value: "loose": supported values: "atomic", "granular"',
        ),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
            "@.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
        ),
        (
            {"type": "integer", "default": "x"},
            '@.default: Invalid value: "string":  in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
            '@.default: Invalid value: {"b":1}: must not have unknown fields',
        ),
        (
            {"type": "object", "x-kubernetes-validations": [{"rule": " "}]},
            "@.x-kubernetes-validations[0].rule: Required value: rule is not specified",
        ),
        (
            {"type": "array", "items": [{"type": "string"}]},
            "@.items: Forbidden: items must be a schema object and not an array",
        ),
        (
            {"type": "integer", "minimum": {}, "default": 3},
            "@.minimum: Invalid value: {}: must be a number",
        ),
        ({"type": "array", "items": "x"}, '@.items: Invalid value: "x": must be a schema object'),
        (
            {"type": "string", "x-kubernetes-validations": [["true"]]},
            '@.x-kubernetes-validations: Invalid value: [["true"]]: must hold objects',
        ),
        ({"type": "object", "properties": ["a"]}, '@.properties: Invalid value: ["a"]: must be an object'),
    ],
)
def test_a_schema_that_is_refused_says_where_and_why(spec, expected):
    assert expected in problems(spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}},
        {"x-kubernetes-preserve-unknown-fields": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "oneOf": [{"required": ["a"], "properties": {"a": {"minLength": 1}}}],
        },
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    ],
)
def test_structural_schemas_are_accepted(spec):
    assert problems(spec) == []


def test_the_root_must_be_an_object_without_nulls_and_leave_metadata_alone():
    assert [
        text_of(cause) for cause in check_structural({"type": "array", "items": {"type": "string"}}, "s")
    ] == ['s.type: Invalid value: "array": must be object at the root']
    metadata = {"type": "object", "properties": {"metadata": {"type": "object", "required": ["name"]}}}
    assert [text_of(cause) for cause in check_structural(metadata, "s")] == [
        (
            "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but "
            "metadata is implicitly specified"
        )
    ]
    nullable = check_structural({"type": "object", "nullable": True}, "s")
    assert [text_of(cause) for cause in nullable] == [
        "s.nullable: Forbidden: nullable cannot be true at the root"
    ]


def test_alternatives_speak_only_of_what_is_defined_beside_them():
    schema = {"type": "object", "anyOf": [{"properties": {"x": {"minLength": 1}}}]}
    assert [text_of(cause) for cause in check_structural(schema, "s")] == [
        "s.properties[x]: Required value: because it is defined in s.anyOf[0].properties[x]"
    ]


def test_a_schema_nested_without_end_is_refused_not_walked():
    schema = {"type": "object"}
    for _ in range(300):
        schema = {"type": "object", "properties": {"x": schema}}
    assert "must not be nested deeper" in check_structural(schema)[0].message


def test_a_schema_is_shown_even_where_a_part_of_it_is_none() -> None:
    """``items`` may be a schema or a list of them in Go, so whatever else it is gets past the decoding of types."""
    shown = goschema.show_schema({"type": "array", "items": "x", "additionalProperties": {"not": {}}})
    assert '"Items":{"Schema":{' in shown
