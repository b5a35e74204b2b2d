"""OpenAPI v2 as JSON: v3 definitions and paths in the words of v2. Pure; used by ``openapi``.

Says what ``swagger`` says in protobuf, field by field, so that a client may take either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_REF: Final = "#/components/schemas/"
_ACTIONS: Final = ("get", "put", "post", "delete", "patch")
_WORDS: Final = (
    *(
        "format",
        "title",
        "description",
        "pattern",
        "maximum",
        "minimum",
        "multipleOf",
        "maxLength",
        "minLength",
    ),
    *("maxItems", "minItems", "maxProperties", "minProperties", "exclusiveMaximum", "exclusiveMinimum"),
    *("uniqueItems", "enum"),
)
_ALWAYS: Final = ("format", "title", "description", "pattern")


def definition(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Give one schema; where v2 has no words for it, it says nothing of the value."""
    parts: list[Mapping[str, Any]] = schema.get("allOf") or []
    reference = schema.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else None)
    if reference:
        described = {"description": schema["description"]} if "description" in schema else {}
        return {**described, "$ref": _local(reference)}
    found = {word: schema[word] for word in _ALWAYS if word in schema} | _extensions(schema)
    if schema.get("nullable") or schema.get("x-kubernetes-preserve-unknown-fields"):
        return found  # clients would refuse null, and members that are not listed
    if schema.get("x-kubernetes-int-or-string"):
        return found
    kind = schema.get("type") or ("string" if "oneOf" in schema else "")
    if kind:
        found["type"] = kind
    found |= {word: schema[word] for word in _WORDS if word in schema}
    if schema.get("properties"):
        found["properties"] = {name: definition(inner) for name, inner in schema["properties"].items()}
    if schema.get("required"):
        found["required"] = list(schema["required"])
    if isinstance(schema.get("items"), Mapping):
        found["items"] = definition(schema["items"])
    others = schema.get("additionalProperties")
    if others is not None:
        found["additionalProperties"] = definition(others) if isinstance(others, Mapping) else others
    return found


def paths(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give some paths, as ``operations`` made them for v3."""
    return {path: _item(operations) for path, operations in found.items()}


def _item(operations: Mapping[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        action: _operation(operations[action]) for action in _ACTIONS if action in operations
    }
    parameters = [
        {"name": parameter["name"], "in": "path", "required": True, "type": "string"}
        for parameter in operations.get("parameters", ())
    ]
    return {**item, "parameters": parameters} if parameters else item


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    parameters: list[dict[str, Any]] = []
    if content:
        reference = next(iter(content.values()))["schema"]["$ref"]
        parameters.append(
            {"name": "body", "in": "body", "required": True, "schema": {"$ref": _local(reference)}}
        )
    parameters += [
        {"name": parameter["name"], "in": "query", "type": parameter["schema"]["type"]}
        for parameter in operation.get("parameters", ())
    ]
    responses = {code: _response(answer) for code, answer in operation["responses"].items()}
    made: dict[str, Any] = {"consumes": list(content)} if content else {}
    made["produces"] = _produced(operation["responses"].values())
    return {**made, "parameters": parameters, "responses": responses, **_extensions(operation)}


def _response(answer: Mapping[str, Any]) -> dict[str, Any]:
    made = {"description": answer["description"]}
    for shape in answer.get("content", {}).values():
        schema = shape["schema"]
        return {**made, "schema": {"$ref": _local(schema["$ref"])} if "$ref" in schema else schema}
    return made


def _produced(answers: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(media_type for answer in answers for media_type in answer.get("content", ())))


def _extensions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in schema.items() if word.startswith("x-kubernetes-")}


def _local(reference: str) -> str:
    return f"#/definitions/{reference.removeprefix(_REF)}"
