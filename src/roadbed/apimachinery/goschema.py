"""The shape in which Kubernetes judges a definition, as it shows through in what it says.

The judgement there is over an internal type: what all versions say alike stands once at the top (so that a
schema's faults are told at ``spec.validation`` where there is one version), and values in messages are that
type's members by their Go names. Pure; used by ``judging`` and by the judge of CEL rules.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{types_jsonschema,v1/conversion}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

Raw = Mapping[str, Any]

# Members that move to the top when all versions have the same: in the version, at the top.
_HOISTED: Final = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}

# Go name, JSON name, value when absent; a callable turns what is there.
_TEXTS: Final = ("", False, None)
_SCHEMA: Final[tuple[tuple[str, str, Any], ...]] = (
    ("ID", "id", ""), ("Schema", "$schema", ""), ("Ref", "$ref", None), ("Description", "description", ""),
    ("Type", "type", ""), ("Nullable", "nullable", False), ("Format", "format", ""), ("Title", "title", ""),
    ("Default", "default", None), ("Maximum", "maximum", None), ("ExclusiveMaximum", "exclusiveMaximum", False),
    ("Minimum", "minimum", None), ("ExclusiveMinimum", "exclusiveMinimum", False),
    ("MaxLength", "maxLength", None), ("MinLength", "minLength", None), ("Pattern", "pattern", ""),
    ("MaxItems", "maxItems", None), ("MinItems", "minItems", None), ("UniqueItems", "uniqueItems", False),
    ("MultipleOf", "multipleOf", None), ("Enum", "enum", None), ("MaxProperties", "maxProperties", None),
    ("MinProperties", "minProperties", None), ("Required", "required", None), ("Items", "items", None),
    ("AllOf", "allOf", None), ("OneOf", "oneOf", None), ("AnyOf", "anyOf", None), ("Not", "not", None),
    ("Properties", "properties", None), ("AdditionalProperties", "additionalProperties", None),
    ("PatternProperties", "patternProperties", None), ("Dependencies", "dependencies", None),
    ("AdditionalItems", "additionalItems", None), ("Definitions", "definitions", None),
    ("ExternalDocs", "externalDocs", None), ("Example", "example", None),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", None),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", False),
    ("XIntOrString", "x-kubernetes-int-or-string", False),
    ("XListMapKeys", "x-kubernetes-list-map-keys", None), ("XListType", "x-kubernetes-list-type", None),
    ("XMapType", "x-kubernetes-map-type", None), ("XValidations", "x-kubernetes-validations", None),
)  # fmt: skip
_RULE: Final[tuple[tuple[str, str, Any], ...]] = (
    ("Rule", "rule", ""), ("Message", "message", ""), ("MessageExpression", "messageExpression", ""),
    ("Reason", "reason", None), ("FieldPath", "fieldPath", ""), ("OptionalOldSelf", "optionalOldSelf", None),
)  # fmt: skip
_VERSION: Final[tuple[tuple[str, str, Any], ...]] = (
    ("Name", "name", ""), ("Served", "served", False), ("Storage", "storage", False),
    ("Deprecated", "deprecated", False), ("DeprecationWarning", "deprecationWarning", None),
    ("Schema", "schema", None), ("Subresources", "subresources", None),
    ("AdditionalPrinterColumns", "additionalPrinterColumns", None), ("SelectableFields", "selectableFields", None),
)  # fmt: skip
_COLUMN: Final[tuple[tuple[str, str, Any], ...]] = (
    ("Name", "name", ""), ("Type", "type", ""), ("Format", "format", ""), ("Description", "description", ""),
    ("Priority", "priority", 0), ("JSONPath", "jsonPath", ""),
)  # fmt: skip
_SCALE: Final[tuple[tuple[str, str, Any], ...]] = (
    ("SpecReplicasPath", "specReplicasPath", ""), ("StatusReplicasPath", "statusReplicasPath", ""),
    ("LabelSelectorPath", "labelSelectorPath", None),
)  # fmt: skip


def hoisted(spec: Raw) -> dict[str, Any]:
    """Give a spec with what all its versions say alike moved to the top, under its internal name."""
    versions = [dict(each) for each in spec.get("versions") or ()]
    found = {**spec, "versions": versions}
    if not versions:
        return found
    for below, top in _HOISTED.items():
        first = versions[0].get(below)
        if first is not None and all(each.get(below) == first for each in versions):
            found[top] = first
            for each in versions:
                each.pop(below)
    return found


def go_members(schema: Raw) -> list[str]:
    """Give the Go names of what a schema sets, in Go's order."""
    return [name for name, key, absent in _SCHEMA if schema.get(key) not in (absent, None)]


def show_rule(rule: Raw) -> str:
    """Give a validation rule as messages show it."""
    return _encode(_struct(_RULE, rule))


def show_schema(schema: Raw) -> str:
    """Give a schema as messages show it."""
    return _encode(_schema(schema))


def show_versions(versions: list[Any] | None) -> str:
    """Give a definition's versions as messages show them."""
    return "null" if versions is None else _encode([_version(each) for each in versions])


def _struct(members: tuple[tuple[str, str, Any], ...], value: Raw) -> dict[str, Any]:
    return {name: value.get(key, absent) for name, key, absent in members}


def _version(version: Raw) -> dict[str, Any]:
    found = _struct(_VERSION, version)
    schema, subresources = version.get("schema"), version.get("subresources")
    if schema is not None:
        openapi = schema.get("openAPIV3Schema")
        found["Schema"] = {"OpenAPIV3Schema": None if openapi is None else _schema(openapi)}
    if subresources is not None:
        scale = subresources.get("scale")
        found["Subresources"] = {
            "Status": subresources.get("status"),
            "Scale": None if scale is None else _struct(_SCALE, scale),
        }
    if version.get("additionalPrinterColumns") is not None:
        found["AdditionalPrinterColumns"] = [_struct(_COLUMN, e) for e in version["additionalPrinterColumns"]]
    if version.get("selectableFields") is not None:
        found["SelectableFields"] = [{"JSONPath": e.get("jsonPath", "")} for e in version["selectableFields"]]
    return found


def _schema(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):  # where Go takes a schema or something else, it may be anything
        schema = {}
    found = _struct(_SCHEMA, schema)
    for name, key in (("AllOf", "allOf"), ("OneOf", "oneOf"), ("AnyOf", "anyOf")):
        if schema.get(key) is not None:
            found[name] = [_schema(each) for each in schema[key]]
    for name, key in (("Properties", "properties"), ("PatternProperties", "patternProperties"),
                      ("Definitions", "definitions")):  # fmt: skip
        if schema.get(key) is not None:
            found[name] = {each: _schema(schema[key][each]) for each in sorted(schema[key])}
    if schema.get("not") is not None:
        found["Not"] = _schema(schema["not"])
    items, additional = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, list):
        found["Items"] = {"Schema": None, "JSONSchemas": [_schema(each) for each in items]}
    elif items is not None:
        found["Items"] = {"Schema": _schema(items), "JSONSchemas": None}
    if additional is not None:
        is_bool = isinstance(additional, bool)
        found["AdditionalProperties"] = {
            "Allows": additional if is_bool else True,
            "Schema": None if is_bool else _schema(additional),
        }
    if schema.get("x-kubernetes-validations") is not None:
        found["XValidations"] = [_struct(_RULE, each) for each in schema["x-kubernetes-validations"]]
    return found


def _encode(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
