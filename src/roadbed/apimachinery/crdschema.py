"""The rules for a CRD's schema that are not about structure: lists, maps, defaults, the unsupported.

Called by ``structural.check_structural``; CEL rules are compiled and judged elsewhere.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation and …/schema/defaulting/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from . import marks
from .causes import aggregate, forbidden, invalid_value, not_supported, required, text_of
from .defaulting import copy_json
from .errors import BadRequestError, Cause
from .nodes import MAX_DEPTH, compile_node
from .pruning import prune_value
from .validation import validate_value

Raw = Mapping[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED: Final = (
    "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
)  # fmt: skip
_META: Final = ("apiVersion", "kind", "metadata")
_SCHEMAS: Final = ("items", "not")
_LISTS: Final = ("anyOf", "allOf", "oneOf")
_TEXTS: Final = ("required", "x-kubernetes-list-map-keys")
_NUMBERS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), (int, float)),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), int
    ),
}
MAX_RULE_CHARACTERS: Final = 16 * 1024
_REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")


@dataclass(frozen=True, slots=True)
class _Where:
    """What the place of a schema forbids."""

    no_defaults: str = ""
    inside_meta: bool = False


def misshapen(schema: Any, path: str, depth: int = 0) -> Iterator[Cause]:
    """Yield where a schema has another JSON shape than a schema: all other checks rely on this one."""
    if depth > MAX_DEPTH:
        yield forbidden(path, f"must not be nested deeper than {MAX_DEPTH} levels")
        return
    if not isinstance(schema, Mapping):
        yield invalid_value(path, schema, "must be a schema object")
        return
    if isinstance(schema.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
        return
    for name in _SCHEMAS:
        if schema.get(name) is not None:
            yield from misshapen(schema[name], f"{path}.{name}", depth + 1)
    if schema.get("additionalProperties") is not None and not isinstance(
        schema["additionalProperties"], bool
    ):
        yield from misshapen(schema["additionalProperties"], f"{path}.additionalProperties", depth + 1)
    properties = schema.get("properties") or {}
    if isinstance(properties, Mapping):
        for key, child in properties.items():
            yield from misshapen(child, f"{path}.properties[{key}]", depth + 1)
    else:
        yield invalid_value(f"{path}.properties", properties, "must be an object")
    for name in (*_LISTS, "required", "enum", "x-kubernetes-list-map-keys", "x-kubernetes-validations"):
        found = schema.get(name)
        if found is None:
            continue
        if not isinstance(found, list):
            yield invalid_value(f"{path}.{name}", found, "must be an array")
        elif name in _LISTS:
            for index, child in enumerate(found):
                yield from misshapen(child, f"{path}.{name}[{index}]", depth + 1)
        elif name in _TEXTS and not all(isinstance(each, str) for each in found):
            yield invalid_value(f"{path}.{name}", found, "must hold strings")
        elif name == "x-kubernetes-validations" and not all(isinstance(each, Mapping) for each in found):
            yield invalid_value(f"{path}.{name}", found, "must hold objects")
    for name in ("type", "pattern", "format", "x-kubernetes-list-type", "x-kubernetes-map-type"):
        if not isinstance(schema.get(name) or "", str):
            yield invalid_value(f"{path}.{name}", schema[name], "must be a string")
    for name in sorted(_NUMBERS.keys() & schema.keys()):
        found = schema[name]
        if found is not None and (isinstance(found, bool) or not isinstance(found, _NUMBERS[name])):
            yield invalid_value(f"{path}.{name}", found, "must be a number")


def check(schema: Raw, path: str) -> list[Cause]:
    """Give what is wrong with a schema and those below it, apart from structure and defaults' values."""
    found = list(_check(schema, path, _Where(), is_root=True))
    if schema.get("nullable"):
        found.insert(0, forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    return found


def _check(schema: Raw, path: str, where: _Where, *, is_root: bool = False) -> Iterator[Cause]:
    yield from _standard(schema, path, where)
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", detail)
    additional, properties = schema.get("additionalProperties"), schema.get("properties") or {}
    if additional is not None and properties and additional is not True:
        detail = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", detail)
    if isinstance(additional, Mapping):
        reason = "inside additionalProperties applying to object metadata" if where.inside_meta else ""
        below = replace(where, no_defaults=where.no_defaults or reason)
        yield from _check(additional, f"{path}.additionalProperties", below)
    for name, child in properties.items():
        below = where
        if (is_root or schema.get("x-kubernetes-embedded-resource")) and name in _META:
            below = replace(where, inside_meta=True, no_defaults=f"in top-level {name}" if is_root else "")
        yield from _check(child, f"{path}.properties[{name}]", below)
    for member in _SCHEMAS:
        if isinstance(schema.get(member), Mapping):
            yield from _check(schema[member], f"{path}.{member}", where)
    for member in _LISTS:
        for index, child in enumerate(schema.get(member) or ()):
            yield from _check(child, f"{path}.{member}[{index}]", where)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        yield invalid_value(
            f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"
        )
    yield from _map_type(schema, path)
    yield from _list_type(schema, path)
    yield from _rules(schema, path)


def _standard(schema: Raw, path: str, where: _Where) -> Iterator[Cause]:
    named = schema.get("type") or ""
    if named and named not in _TYPES:
        yield not_supported(f"{path}.type", named, _TYPES)
    if schema.get("default") is not None and where.no_defaults:
        yield forbidden(f"{path}.default", f"must not be set {where.no_defaults}")
    for member in _UNSUPPORTED:
        if schema.get(member):
            yield forbidden(f"{path}.{member}", f"{member} is not supported")
    if named == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if where.inside_meta and schema.get("x-kubernetes-embedded-resource"):
        yield forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta")


def _map_type(schema: Raw, path: str) -> Iterator[Cause]:
    map_type, named = schema.get("x-kubernetes-map-type"), schema.get("type") or ""
    if map_type is None:
        return
    if named != "object":
        detail = "must be object if x-kubernetes-map-type is specified"
        yield invalid_value(f"{path}.type", named, detail) if named else required(f"{path}.type", detail)
    if map_type not in ("atomic", "granular"):
        yield not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))


def _list_type(schema: Raw, path: str) -> Iterator[Cause]:
    list_type, named = schema.get("x-kubernetes-list-type"), schema.get("type") or ""
    keys = schema.get("x-kubernetes-list-map-keys") or []
    items = schema.get("items") or {}
    at = f"{path}.x-kubernetes-list-type"
    if list_type is not None:
        if named != "array":
            detail = "must be array if x-kubernetes-list-type is specified"
            yield invalid_value(f"{path}.type", named, detail) if named else required(f"{path}.type", detail)
        if list_type not in ("atomic", "set", "map"):
            yield not_supported(at, list_type, ("atomic", "set", "map"))
        if list_type in ("set", "map") and items.get("nullable"):
            detail = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
            yield forbidden(f"{path}.items.nullable", detail)
    if keys and list_type is None:
        yield required(at, "must be map if x-kubernetes-list-map-keys is non-empty")
    elif keys and list_type != "map":
        yield invalid_value(at, list_type, "must be map if x-kubernetes-list-map-keys is non-empty")
    if list_type == "set":
        yield from _set_items(items, f"{path}.items")
    elif list_type == "map":
        yield from _map_items(keys, items, path)


def _set_items(items: Raw, path: str) -> Iterator[Cause]:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    inner, map_type = items.get("x-kubernetes-list-type"), items.get("x-kubernetes-map-type")
    if items.get("type") == "array" and inner not in (None, "atomic"):
        yield invalid_value(f"{path}.x-kubernetes-list-type", inner, detail)
    if items.get("type") == "object" and map_type != "atomic":
        yield invalid_value(f"{path}.x-kubernetes-map-type", map_type, detail)


def _map_items(keys: list[Any], items: Raw, path: str) -> Iterator[Cause]:
    at = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield required(at, "must not be empty if x-kubernetes-list-type is map")
    if not items:
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.items.type", items.get("type") or "", detail)
        return
    properties = items.get("properties") or {}
    for position, key in enumerate(keys):
        here = f"{path}.items.properties[{key}]"
        if key in keys[:position]:
            yield invalid_value(at, keys, "must not contain duplicate entries")
        if key not in properties:
            yield invalid_value(at, keys, "entries must all be names of item properties")
            continue
        found = properties[key]
        if found.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid_value(f"{here}.type", found["type"], detail)
        if key not in (items.get("required") or ()) and found.get("default") is None:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required "
                "property"
            )
            yield required(f"{here}.default", detail)
        if found.get("nullable"):
            detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield forbidden(f"{here}.nullable", detail)


def _rules(schema: Raw, path: str) -> Iterator[Cause]:
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        yield from check_rule(rule, f"{path}.x-kubernetes-validations[{index}]")


def check_rule(rule: Mapping[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with a CEL rule before anyone compiles it."""
    text, message = str(rule.get("rule") or ""), str(rule.get("message") or "")
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif len(text) > MAX_RULE_CHARACTERS:
        yield invalid_value(f"{path}.rule", text[:64], f"must have at most {MAX_RULE_CHARACTERS} characters")
    elif message and not message.strip():
        yield invalid_value(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid_value(f"{path}.message", message, "must not contain line breaks")
    elif "\n" in text.strip() and not message:
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    expression = str(rule.get("messageExpression") or "")
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{path}.reason", reason, _REASONS)


_OF_RESOURCES = ("apiVersion", "kind", "metadata")


def check_defaults(schema: Raw, path: str, inside: tuple[str, ...] = ()) -> Iterator[Cause]:
    """Yield the defaults that would not themselves be valid, or hold fields nobody knows.

    ``inside`` is where the schema stands in the embedded resource whose metadata, kind or version it is of.
    """
    if "$ref" in schema:
        return  # refused by itself, and nothing to judge a value by
    default = schema.get("default")
    if default is not None and inside:
        yield from _default_inside(schema, copy_json(default), f"{path}.default", inside)
    elif default is not None:
        yield from _default(schema, copy_json(default), f"{path}.default")
    if isinstance(schema.get("items"), Mapping):
        yield from check_defaults(schema["items"], f"{path}.items", (*inside, "") if inside else ())
    for name, child in (schema.get("properties") or {}).items():
        is_head = bool(schema.get("x-kubernetes-embedded-resource")) and name in _OF_RESOURCES
        below = (*inside, name) if inside else (name,) if is_head else ()
        yield from check_defaults(child, f"{path}.properties[{name}]", below)


def _default_inside(schema: Raw, default: Any, path: str, inside: tuple[str, ...]) -> Iterator[Cause]:
    """Hold a default inside metadata to leave good metadata; what metadata has not will be dropped."""
    around = default
    for name in reversed(inside):
        around = {name: around} if name else [around]
    resource = compile_node({"type": "object", "x-kubernetes-embedded-resource": True})
    whole = {"apiVersion": "v1", "kind": "Any", **around}
    found = marks.judge(resource, whole, lists=False)
    if found:
        text = aggregate(text_of(each) for each in found)
        yield invalid_value(path, schema["default"], f"must result in valid metadata: {text}")
        return
    node = compile_node(schema)
    yield from (_under(path, each) for each in validate_value(node, default))


def _under(path: str, cause: Cause) -> Cause:
    below = cause.field if cause.field.startswith("[") else f".{cause.field}"
    return Cause(cause.reason, cause.message, path if cause.field == "<nil>" else f"{path}{below}")


def _default(schema: Raw, default: Any, path: str) -> Iterator[Cause]:
    try:
        node = compile_node(schema)
    except ValueError:
        return  # a reference somewhere inside, which is refused by itself
    try:
        unknown = prune_value(node, default)
    except BadRequestError as error:
        yield from (Cause(each.reason, each.message, f"{path}.{each.field}") for each in error.causes)
        return
    if unknown:
        yield invalid_value(path, schema["default"], "must not have unknown fields")
    for cause in [*validate_value(node, default), *marks.judge(node, default, lists=False)]:
        yield _under(path, cause)
