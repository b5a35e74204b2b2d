"""Whether a CRD's schema is structural: every value has one known type, wherever one looks.

Called before a CRD is accepted; gives causes with the path in the CRD, in Kubernetes' words. The walk
here holds the rules of structure; ``crdschema`` the others (lists, maps, defaults, what is not supported).

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from . import crdschema
from .causes import forbidden, invalid_value, required, text_of
from .errors import Cause
from .validation import matcher

Raw = Mapping[str, Any]
Level = Literal["root", "item", "field"]

_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_LEVELS: Final[Mapping[Level, str]] = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
# What a schema under anyOf, allOf, oneOf or not may not say, and how its absence is worded.
_ONLY_OUTSIDE: Final = {
    "type": "empty",
    "additionalProperties": "undefined",
    "default": "undefined",
    "title": "empty",
    "description": "empty",
    "nullable": "false",
    "x-kubernetes-preserve-unknown-fields": "false",
    "x-kubernetes-embedded-resource": "false",
    "x-kubernetes-int-or-string": "false",
    "x-kubernetes-list-map-keys": "empty",
    "x-kubernetes-list-type": "undefined",
    "x-kubernetes-map-type": "undefined",
    "x-kubernetes-validations": "empty",
}


def check_structural(openapi: Raw, path: str = "spec.validation.openAPIV3Schema") -> list[Cause]:
    """Give everything that keeps a CRD from being accepted with this schema; empty means nothing does."""
    misshapen = list(crdschema.misshapen(openapi, path))
    if misshapen:
        return misshapen
    found = [*_invariants(openapi, "root", path), *_completeness(openapi, openapi, path, path)]
    found.sort(key=text_of)
    if not found:
        found += crdschema.check_defaults(openapi, path)
    found += crdschema.check(openapi, path)
    return found


def _invariants(schema: Raw, level: Level, path: str) -> Iterator[Cause]:
    """Yield what is wrong with one schema and those below it, outside of logical junctors."""
    if schema.get("type") == "array" and schema.get("items") is None:
        yield required(f"{path}.items", "must be specified")
    if isinstance(schema.get("items"), Mapping):
        yield from _invariants(schema["items"], "item", f"{path}.items")
    for name, child in (schema.get("properties") or {}).items():
        yield from _invariants(child, "field", f"{path}.properties[{name}]")
    additional = schema.get("additionalProperties")
    if additional is not None:
        if level == "root":
            yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if isinstance(additional, Mapping):
            yield from _invariants(additional, "field", f"{path}.additionalProperties")
    yield from _extensions(schema, path)
    any_of = schema.get("anyOf")
    first = (schema.get("allOf") or [{}])[0]
    yield from _values(
        schema,
        path,
        skip_any=any_of == _INT_OR_STRING,
        skip_first=first.get("anyOf") == _INT_OR_STRING,
    )
    yield from _type(schema, level, path)
    yield from _meta(schema, level, path)


def _extensions(schema: Raw, path: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-int-or-string"):
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(name):
                yield invalid_value(
                    f"{path}.{name}", True, "must be false if x-kubernetes-int-or-string is true"
                )


def _type(schema: Raw, level: Level, path: str) -> Iterator[Cause]:
    named = schema.get("type") or ""
    embedded = schema.get("x-kubernetes-embedded-resource")
    if embedded and named != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid_value(f"{path}.type", named, detail) if named else required(f"{path}.type", detail)
    elif (
        not named
        and not schema.get("x-kubernetes-int-or-string")
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        yield required(f"{path}.type", _LEVELS[level])
    if embedded and schema.get("additionalProperties") is not None:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        yield forbidden(f"{path}.additionalProperties", detail)
    if level == "root" and named and named != "object":
        yield invalid_value(f"{path}.type", named, "must be object at the root")


def _meta(schema: Raw, level: Level, path: str) -> Iterator[Cause]:
    properties = schema.get("properties") or {}
    embedded = schema.get("x-kubernetes-embedded-resource")
    if level == "root" or embedded:
        for name in ("kind", "apiVersion"):
            if name in properties and properties[name].get("type") != "string":
                yield invalid_value(
                    f"{path}.properties[{name}].type", properties[name].get("type") or "", "must be string"
                )
        if "metadata" in properties and properties["metadata"].get("type") != "object":
            found = properties["metadata"].get("type") or ""
            yield invalid_value(f"{path}.properties[metadata].type", found, "must be object")
    if level == "root" and "metadata" in properties:
        said = {name for name, value in properties["metadata"].items() if value and name != "default"}
        members = set(properties["metadata"].get("properties") or {})
        if not said <= {"type", "properties"} or not members <= {"name", "generateName"}:
            detail = (
                "must not specify anything other than name and generateName, but metadata is implicitly "
                "specified"
            )
            yield forbidden(f"{path}.properties[metadata]", detail)
    if embedded and not schema.get("x-kubernetes-preserve-unknown-fields") and not properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields"
        )
        yield required(f"{path}.properties", detail)


def _values(schema: Raw, path: str, *, skip_any: bool = False, skip_first: bool = False) -> Iterator[Cause]:
    """Yield what is wrong with the logical junctors of a schema, and its pattern."""
    if not skip_any:
        for index, branch in enumerate(schema.get("anyOf") or ()):
            yield from _nested(branch, f"{path}.anyOf[{index}]")
    for index, branch in enumerate(schema.get("allOf") or ()):
        yield from _nested(branch, f"{path}.allOf[{index}]", skip_any=skip_first and index == 0)
    for index, branch in enumerate(schema.get("oneOf") or ()):
        yield from _nested(branch, f"{path}.oneOf[{index}]")
    if isinstance(schema.get("not"), Mapping):
        yield from _nested(schema["not"], f"{path}.not")
    pattern = schema.get("pattern")
    if pattern:
        search, problem = matcher(pattern)
        if search is None:
            detail = f"must be a valid regular expression, but isn't: {problem}"
            yield invalid_value(f"{path}.pattern", pattern, detail)


def _nested(schema: Raw, path: str, *, skip_any: bool = False) -> Iterator[Cause]:
    yield from _values(schema, path, skip_any=skip_any)
    if isinstance(schema.get("items"), Mapping):
        yield from _nested(schema["items"], f"{path}.items")
    for name, child in (schema.get("properties") or {}).items():
        yield from _nested(child, f"{path}.properties[{name}]")
    for name, wanted in _ONLY_OUTSIDE.items():
        found = schema.get(name)
        if found or (name == "default" and found is not None):
            yield forbidden(f"{path}.{name}", f"must be {wanted} to be structural")
    if "metadata" in (schema.get("properties") or {}):
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _completeness(values: Raw, outside: Raw, outside_path: str, path: str) -> Iterator[Cause]:
    """Yield the members that junctors speak of and the schema outside of them doesn't define."""
    branches = [(f"{path}.not", values.get("not"))]
    for junctor in ("allOf", "anyOf", "oneOf"):
        branches += [(f"{path}.{junctor}[{i}]", each) for i, each in enumerate(values.get(junctor) or ())]
    for branch_path, branch in branches:
        if isinstance(branch, Mapping):
            yield from _nested_completeness(branch, outside, outside_path, branch_path)


def _nested_completeness(values: Raw, outside: Raw, outside_path: str, path: str) -> Iterator[Cause]:
    yield from _completeness(values, outside, outside_path, path)
    if isinstance(values.get("items"), Mapping):
        if isinstance(outside.get("items"), Mapping):
            yield from _nested_completeness(
                values["items"], outside["items"], f"{outside_path}.items", f"{path}.items"
            )
        else:
            yield required(f"{outside_path}.items", f"because it is defined in {path}.items")
    known = outside.get("properties") or {}
    for name, child in (values.get("properties") or {}).items():
        here, there = f"{path}.properties[{name}]", f"{outside_path}.properties[{name}]"
        if name in known:
            yield from _nested_completeness(child, known[name], there, here)
        else:
            yield required(there, f"because it is defined in {here}")
