"""API descriptions in plain form: operations with their parameters and answers, read from OpenAPI documents.

Pure functions called by the entity page. What is no OpenAPI document is shown as the text it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import yamlview

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MOST_OPERATIONS = 500
MOST_HOPS = 8  # of $ref; a circle ends here


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of an operation."""

    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    summary: str
    description: str
    deprecated: bool
    parameters: tuple[Parameter, ...]
    body: str
    answers: tuple[tuple[str, str, str], ...]
    tag: str


@dataclass(frozen=True, slots=True)
class Document:
    """A readable API description; ``problem`` says why it is shown as text instead."""

    title: str = ""
    version: str = ""
    description: str = ""
    servers: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    schemas: tuple[tuple[str, tuple[Parameter, ...]], ...] = ()
    problem: str = ""


def read(text: str) -> Document:
    """Read an OpenAPI (2 or 3) document."""
    try:
        found = yamlview.load(text)
    except yamlview.YamlError as error:
        return Document(problem=f"This definition is not YAML ({error}), so it is shown as it is.")
    version = str(found.get("openapi") or found.get("swagger") or "")
    if not version:
        return Document(problem="This definition is no OpenAPI document, so it is shown as it is.")
    about = _mapping(found.get("info"))
    schemas = _mapping(_mapping(found.get("components")).get("schemas")) or _mapping(found.get("definitions"))
    return Document(
        title=str(about.get("title") or ""),
        version=str(about.get("version") or ""),
        description=str(about.get("description") or "").strip(),
        servers=tuple(str(_mapping(server).get("url") or "") for server in _list(found.get("servers"))),
        operations=tuple(_operations(found))[:MOST_OPERATIONS],
        schemas=tuple((name, tuple(_properties(found, schema))) for name, schema in schemas.items()),
    )


def _operations(root: dict[str, Any]) -> Iterator[Operation]:
    for path, raw in _mapping(root.get("paths")).items():
        item = _resolve(root, raw)
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield _operation(root, path, method, item)


def _operation(root: dict[str, Any], path: str, method: str, item: dict[str, Any]) -> Operation:
    said = item[method]
    parameters = [
        _resolve(root, raw) for raw in [*_list(item.get("parameters")), *_list(said.get("parameters"))]
    ]
    answers = []
    for code, raw in _mapping(said.get("responses")).items():
        answer = _resolve(root, raw)
        answers.append((str(code), str(answer.get("description") or ""), _content(root, answer)))
    tags = _list(said.get("tags"))
    return Operation(
        method=method.upper(),
        path=path,
        summary=str(said.get("summary") or said.get("operationId") or ""),
        description=str(said.get("description") or "").strip(),
        deprecated=bool(said.get("deprecated")),
        parameters=tuple(_parameter(root, found) for found in parameters if found.get("in") != "body"),
        body=_body(root, said, parameters),
        answers=tuple(answers),
        tag=str(tags[0]) if tags else "",
    )


def _body(root: dict[str, Any], said: dict[str, Any], parameters: list[dict[str, Any]]) -> str:
    for found in parameters:
        if found.get("in") == "body":
            return _type(root, found.get("schema"))
    return _content(root, _resolve(root, said.get("requestBody")))


def _content(root: dict[str, Any], holder: dict[str, Any]) -> str:
    if "schema" in holder:
        return _type(root, holder["schema"])
    for media, found in _mapping(holder.get("content")).items():
        return f"{_type(root, _mapping(found).get('schema'))} ({media})".strip()
    return ""


def _parameter(root: dict[str, Any], found: dict[str, Any]) -> Parameter:
    return Parameter(
        str(found.get("name") or ""),
        str(found.get("in") or ""),
        _type(root, found.get("schema") or found),
        bool(found.get("required")),
        str(found.get("description") or "").strip(),
    )


def _properties(root: dict[str, Any], schema: Any) -> Iterator[Parameter]:
    resolved = _resolve(root, schema)
    required = _list(resolved.get("required"))
    for name, inner in _mapping(resolved.get("properties")).items():
        about = str(_resolve(root, inner).get("description") or "").strip()
        yield Parameter(str(name), "", _type(root, inner), name in required, about)


def _type(root: dict[str, Any], schema: Any) -> str:
    found = _mapping(schema)
    if isinstance(found.get("$ref"), str):
        return str(found["$ref"]).rpartition("/")[2]
    kind = found.get("type")
    if kind == "array":
        return f"{_type(root, found.get('items'))}[]"
    if isinstance(found.get("enum"), list):
        return " | ".join(str(value) for value in found["enum"][:6])
    words = " | ".join(str(one) for one in kind) if isinstance(kind, list) else str(kind or "")
    return f"{words} ({found['format']})" if words and found.get("format") else words


def _resolve(root: dict[str, Any], raw: Any) -> dict[str, Any]:
    found = _mapping(raw)
    for _ in range(MOST_HOPS):
        target = found.get("$ref")
        if not isinstance(target, str) or not target.startswith("#/"):
            return found
        at: Any = root
        for part in target[2:].split("/"):
            at = _mapping(at).get(part.replace("~1", "/").replace("~0", "~"))
        found = _mapping(at)
    return {}


def _mapping(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
