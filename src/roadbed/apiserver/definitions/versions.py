"""The judgement of what a definition says per version: schema, subresources, columns, selectable fields.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import duplicate, invalid_value, required, too_many
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.formats import check_of
from roadbed.apimachinery.goschema import go_members, show_schema

Raw = Mapping[str, Any]
_COLUMN_TYPES: Final = "boolean,date,integer,number,string"
_COLUMN_FORMATS: Final = "byte,date,date-time,double,float,int32,int64,password"
_ONE_OF: Final = "must be one of "
MOST_SELECTABLE: Final = 8
MOST_WARNING: Final = 256
_WITH_STATUS: Final = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
    "XPreserveUnknownFields XValidations"
)
_STEP: Final = re.compile(r"[.\[\]]|'(?:[^'\\]|\\.)*'|[^.\[\]]+")


def version(
    found: Raw, path: str, has_status: bool, schemas: Callable[[Raw, str], list[Cause]] | None
) -> Iterator[Cause]:
    """Yield what is wrong with what one version alone says."""
    warning = found.get("deprecationWarning")
    for detail in _warning(bool(found.get("deprecated")), warning):
        yield invalid_value(f"{path}.deprecationWarning", warning, detail)
    if found.get("schema") is not None:
        yield from schema(found["schema"], f"{path}.schema", has_status, schemas)
    yield from subresources(found.get("subresources"), f"{path}.subresources")
    yield from columns(found.get("additionalPrinterColumns"), f"{path}.additionalPrinterColumns")
    selectable = found.get("selectableFields")
    openapi = (found.get("schema") or {}).get("openAPIV3Schema")
    if selectable and openapi is None:
        detail = "may only be set when `version.schema.openAPIV3Schema` is not included"
        yield invalid_value(f"{path}.selectableFields", "", detail)
    elif selectable and openapi is not None:
        yield from selectable_fields(selectable, openapi, f"{path}.selectableFields")


def _warning(is_deprecated: bool, text: str | None) -> Iterator[str]:
    if text is None:
        return
    if not is_deprecated:
        yield "can only be set for deprecated versions"
        return
    if len(text.encode()) > MOST_WARNING:
        yield f"must be <= {MOST_WARNING} characters long"
    if not text:
        yield "must not be an empty string"
    at = 0
    for each in text:
        if not each.isprintable():
            yield f"must only contain printable UTF-8 characters; non-printable character found at index {at}"
            return
        at += len(each.encode())


def schema(
    found: Raw, path: str, has_status: bool, schemas: Callable[[Raw, str], list[Cause]] | None
) -> Iterator[Cause]:
    """Yield what is wrong with a version's schema."""
    openapi = found.get("openAPIV3Schema")
    if openapi is None or schemas is None:
        return
    at = f"{path}.openAPIV3Schema"
    if has_status:
        for name in go_members(openapi):
            if name == "Type" and openapi["type"] != "object":
                detail = (
                    'only "object" is allowed as the type at the root of the schema if the status '
                    "subresource is enabled"
                )
                yield invalid_value(f"{at}.type", openapi["type"], detail)
                break
            if name not in _WITH_STATUS.split():
                detail = (
                    f"only [{_WITH_STATUS}] fields are allowed at the root of the schema if the status "
                    "subresource is enabled"
                )
                yield Cause("FieldValueInvalid", f"Invalid value: {show_schema(openapi)}: {detail}", at)
                break
    yield from schemas(openapi, at)


_ONE: Final = ("items", "not", "additionalProperties", "additionalItems")
_LISTED: Final = ("items", "allOf", "anyOf", "oneOf")
_NAMED: Final = ("properties", "patternProperties", "definitions", "dependencies")


def unknown_formats(spec: Raw) -> list[str]:
    """Give the formats of text in a definition that mean nothing, in the order they come, each once."""
    found: dict[str, None] = {}
    for each in spec.get("versions") or ():
        _collect_formats((each.get("schema") or {}).get("openAPIV3Schema"), found)
    return list(found)


def _collect_formats(schema: Any, found: dict[str, None]) -> None:
    if not isinstance(schema, Mapping):
        return
    shape = schema.get("format")
    if shape and schema.get("type") == "string" and check_of(shape) is None:
        found[shape] = None
    for name in _ONE:
        _collect_formats(schema.get(name), found)
    for name in _LISTED:
        if isinstance(schema.get(name), list):
            for each in schema[name]:
                _collect_formats(each, found)
    for name in _NAMED:
        for each in (schema.get(name) or {}).values():
            _collect_formats(each, found)


def subresources(found: Raw | None, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the paths of a scale."""
    scale = (found or {}).get("scale")
    if scale is None:
        return
    for member, roots in (("specReplicasPath", ("spec",)), ("statusReplicasPath", ("status",))):
        if not scale.get(member):
            yield required(f"{path}.scale.{member}")
        else:
            yield from _below(scale[member], roots, f"{path}.scale.{member}")
    if scale.get("labelSelectorPath"):
        at = f"{path}.scale.labelSelectorPath"
        yield from _below(scale["labelSelectorPath"], ("spec", "status"), at)


def _below(text: str, roots: tuple[str, ...], path: str) -> Iterator[Cause]:
    if not text.startswith("."):
        yield invalid_value(path, text, "must be a simple json path starting with .")
    elif not text.startswith(tuple(f".{root}." for root in roots)):
        names = " or ".join(f".{root}" for root in roots)
        detail = f"should be a json path under {'either ' if len(roots) > 1 else ''}{names}"
        yield invalid_value(path, text, detail)


def columns(found: list[Raw] | None, path: str) -> Iterator[Cause]:
    """Yield what is wrong with printer columns."""
    for index, column in enumerate(found or ()):
        at = f"{path}[{index}]"
        if not column.get("name"):
            yield required(f"{at}.name")
        kind, shape, where = column.get("type"), column.get("format"), column.get("jsonPath")
        if not kind:
            yield required(f"{at}.type", _ONE_OF + _COLUMN_TYPES)
        elif kind not in _COLUMN_TYPES.split(","):
            yield invalid_value(f"{at}.type", kind, _ONE_OF + _COLUMN_TYPES)
        if shape and shape not in _COLUMN_FORMATS.split(","):
            yield invalid_value(f"{at}.format", shape, _ONE_OF + _COLUMN_FORMATS)
        if not where:
            yield required(f"{at}.JSONPath")
        elif not where.startswith("."):
            yield invalid_value(f"{at}.JSONPath", where, "must be a simple json path starting with .")


def selectable_fields(found: list[Raw] | None, openapi: Raw, path: str) -> Iterator[Cause]:
    """Yield what is wrong with selectable fields."""
    known: set[str] = set()
    for index, each in enumerate(found or ()):
        at, text = f"{path}[{index}].jsonPath", each.get("jsonPath") or ""
        if not text:
            yield required(at)
            continue
        steps, leaf, problem = walk(text, openapi)
        if problem:
            yield invalid_value(at, text, f"is an invalid path: {problem}")
            continue
        if steps[:1] == ["metadata"]:
            yield invalid_value(at, text, "must not point to fields in metadata")
        if leaf.get("type") not in ("string", "boolean", "integer"):
            detail = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with "
                "formats are allowed."
            )
            yield invalid_value(at, text, detail)
        if ".".join(steps) in known:
            yield duplicate(at, text)
        known.add(".".join(steps))
    if len(known) > MOST_SELECTABLE:
        yield too_many(path, len(known), MOST_SELECTABLE)


def walk(text: str, openapi: Raw) -> tuple[list[str], Raw, str]:
    """Follow a dotted path through a schema; gives its steps, the schema it leads to, and what is wrong."""
    tokens = _STEP.findall(text)
    steps: list[str] = []
    at, schema = 0, openapi
    while at < len(tokens):
        if tokens[at] == "[":
            return steps, schema, "array notation is not allowed"
        if tokens[at] != ".":
            return steps, schema, f"expected [ or . but got: {tokens[at]}"
        if at + 1 == len(tokens):
            return steps, schema, "unexpected end of JSON path"
        name = tokens[at + 1]
        properties, additional = schema.get("properties"), schema.get("additionalProperties")
        if properties is not None and name in properties:
            schema = properties[name]
        elif properties is None and isinstance(additional, Mapping):
            schema = additional
        else:
            return steps, schema, "does not refer to a valid field"
        steps.append(name)
        at += 2
    return steps, schema, ""
