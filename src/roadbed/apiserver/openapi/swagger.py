"""OpenAPI v2 fragments, as the protobuf that kubectl and Argo CD take it in (gnostic's messages).

``openapi`` joins fragments to the document: protobuf messages that stand behind each other are one message, so a
changed CRD costs its own fragment only. Pure: v3 definitions and paths in, bytes out. kubectl needs v2 to check
kinds that can't be patched (reviews) and for ``explain --output=plaintext-openapiv2``.

What v2 cannot say is left out, as Kubernetes leaves it out, always so that a client checks less, never more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from roadbed.apis.kubernetes import published
from roadbed.apiserver.messages import message_class

MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_TYPE: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # how clients name it
_REF: Final = "#/components/schemas/"
_ACTIONS: Final = ("get", "put", "post", "delete", "patch")
_BOUNDS: Final = {
    "maximum": "maximum",
    "minimum": "minimum",
    "multipleOf": "multiple_of",
    "maxLength": "max_length",
    "minLength": "min_length",
    "maxItems": "max_items",
    "minItems": "min_items",
    "maxProperties": "max_properties",
    "minProperties": "min_properties",
    "exclusiveMaximum": "exclusive_maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "uniqueItems": "unique_items",
}
_TEXTS: Final = ("format", "title", "description", "pattern")


def head(version: str) -> bytes:
    """Give what stands before all fragments."""
    document: Any = message_class("openapi.v2.Document")()
    document.swagger = "2.0"
    document.info.title, document.info.version = "Kubernetes", version
    return bytes(document.SerializeToString())


def definition(name: str, schema: Mapping[str, Any]) -> bytes:
    """Give the fragment of one definition."""
    document: Any = message_class("openapi.v2.Document")()
    entry = document.definitions.additional_properties.add()
    entry.name = name
    _fill(entry.value, schema)
    return bytes(document.SerializeToString())


@lru_cache(maxsize=1_024)
def known_definition(name: str) -> bytes:
    """Give the fragment of a built-in definition; they never change."""
    return definition(name, published(name) or {})


def paths(found: Mapping[str, Any]) -> bytes:
    """Give the fragment of some paths, as ``operations`` made them for v3."""
    document: Any = message_class("openapi.v2.Document")()
    for path, operations in found.items():
        entry = document.paths.path.add()
        entry.name = path
        for action in _ACTIONS:
            if action in operations:
                _operation(getattr(entry.value, action), operations[action])
        for parameter in operations.get("parameters", ()):
            made = entry.value.parameters.add().parameter.non_body_parameter.path_parameter_sub_schema
            made.name, made.required, made.type = parameter["name"], True, "string"
            setattr(made, "in", "path")
    return bytes(document.SerializeToString())


def _operation(message: Any, operation: Mapping[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {})
    message.consumes.extend(content)
    if content:
        reference = next(iter(content.values()))["schema"]["$ref"]
        body = message.parameters.add().parameter.body_parameter
        body.name, body.required = "body", True
        setattr(body, "in", "body")
        _refer(body.schema, reference)
    for parameter in operation.get("parameters", ()):
        query = message.parameters.add().parameter.non_body_parameter.query_parameter_sub_schema
        query.name, query.type = parameter["name"], parameter["schema"]["type"]
        setattr(query, "in", "query")
    for code, answer in operation["responses"].items():
        response = message.responses.response_code.add()
        response.name, response.value.response.description = code, answer["description"]
        content = answer.get("content", {})
        message.produces.extend(content)
        for shape in content.values():
            _fill(response.value.response.schema.schema, shape["schema"])
            break
    _extend(message, operation)


def _fill(message: Any, schema: Mapping[str, Any]) -> None:
    """Write one schema; where v2 has no words for it, it says nothing of the value."""
    parts: list[Mapping[str, Any]] = schema.get("allOf") or []
    reference = schema.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else None)
    if reference:
        _refer(message, reference)
        if "description" in schema:
            message.description = schema["description"]
        return
    for word in _TEXTS:
        if word in schema:
            setattr(message, word, schema[word])
    _extend(message, schema)
    if schema.get("nullable") or schema.get("x-kubernetes-preserve-unknown-fields"):
        return  # clients would refuse null, and members that are not listed
    if schema.get("x-kubernetes-int-or-string"):
        return
    kind = schema.get("type") or ("string" if "oneOf" in schema else "")
    if kind:
        message.type.value.append(kind)
    _bound(message, schema)
    for name, inner in (schema.get("properties") or {}).items():
        entry = message.properties.additional_properties.add()
        entry.name = name
        _fill(entry.value, inner)
    message.required.extend(schema.get("required") or ())
    if isinstance(schema.get("items"), Mapping):
        _fill(message.items.schema.add(), schema["items"])
    others = schema.get("additionalProperties")
    if isinstance(others, Mapping):
        message.additional_properties.schema.SetInParent()
        _fill(message.additional_properties.schema, others)
    elif others is not None:
        message.additional_properties.boolean = others


def _bound(message: Any, schema: Mapping[str, Any]) -> None:
    for word, name in _BOUNDS.items():
        if word in schema:
            setattr(message, name, schema[word])
    for value in schema.get("enum") or ():
        message.enum.add().yaml = orjson.dumps(value).decode()


def _refer(message: Any, reference: str) -> None:
    message._ref = f"#/definitions/{reference.removeprefix(_REF)}"  # noqa: SLF001 - the field's name


def _extend(message: Any, schema: Mapping[str, Any]) -> None:
    for word, value in schema.items():
        if word.startswith("x-kubernetes-"):
            entry = message.vendor_extension.add()
            entry.name, entry.value.yaml = word, orjson.dumps(value).decode()
