"""Judging what a schema's extensions promise: lists that are sets or maps, and embedded resources.

Called through ``Schema.validate``, after the schema itself was satisfied or not; skipped whole for the
many schemas that have no such mark (``Node.holds_marks``).

Sources: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype and …/objectmeta/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from . import names
from .causes import duplicate, go_json, invalid_value, required
from .errors import BadRequestError, Cause
from .nodes import Node
from .objectmeta import coerce


def duplicates(node: Node, value: Any, path: str = "") -> Iterator[Cause]:
    """Yield a cause for every item that repeats another in a set or map list, once per value."""
    if not node.holds_marks:
        return
    if isinstance(value, list):
        if len(value) > 1 and node.list_type == "set":
            yield from _repeats(value, value, path)
        elif node.list_type == "map":
            yield from _map_repeats(node.list_keys, value, path)
    for child, each, below in children(node, value, path):
        yield from duplicates(child, each, below)


def embedded(node: Node, value: Any, path: str = "") -> Iterator[Cause]:
    """Yield what is wrong with type and metadata of every embedded resource."""
    if not node.holds_marks:
        return
    if node.embedded_resource and isinstance(value, dict):
        yield from _embedded(value, path)
    for child, each, below in children(node, value, path):
        yield from embedded(child, each, below)


def children(node: Node, value: Any, path: str) -> Iterator[tuple[Node, Any, str]]:
    """Yield the node, value and path of every member that has a schema: ``a.b``, ``a[key]``, ``a[0]``."""
    if isinstance(value, dict):
        for name, each in value.items():
            child = node.properties.get(name)
            if child is not None:
                yield child, each, f"{path}.{name}" if path else name
            elif node.additional is not None:
                yield node.additional, each, f"{path}[{name}]"
    elif isinstance(value, list) and node.items is not None:
        for index, each in enumerate(value):
            yield node.items, each, f"{path}[{index}]"


_UNSPECIFIED: Final[dict[str, Any]] = {}


def _map_repeats(keys: tuple[str, ...], value: list[Any], path: str) -> Iterator[Cause]:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            detail = "must be an object for an array of list-type map"
            yield invalid_value(f"{path}[{index}]", item, detail)
            return
    found = [{key: item[key] for key in keys if key in item} if item else _UNSPECIFIED for item in value]
    yield from _repeats(found, found, path)


def _repeats(items: list[Any], shown: list[Any], path: str) -> Iterator[Cause]:
    seen: dict[Any, int] = {}
    for index, item in enumerate(items):
        key = go_json(item) if isinstance(item, dict | list) else (type(item), item)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:  # a third copy is not reported again
            yield duplicate(f"{path}[{index}]", shown[index])


def _embedded(value: dict[str, Any], path: str) -> Iterator[Cause]:
    def at(member: str) -> str:
        return f"{path}.{member}" if path else member

    for member in ("apiVersion", "kind"):
        if member not in value:
            yield required(at(member))
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if "apiVersion" in value:
        if not isinstance(api_version, str):
            yield invalid_value(at("apiVersion"), api_version, "must be a string")
        elif not api_version:
            yield invalid_value(at("apiVersion"), "", "must not be empty")
        elif api_version.count("/") > 1:
            yield invalid_value(
                at("apiVersion"), api_version, f"unexpected GroupVersion string: {api_version}"
            )
    if "kind" in value:
        if not isinstance(kind, str):
            yield invalid_value(at("kind"), kind, "must be a string")
        elif not kind:
            yield invalid_value(at("kind"), "", "must not be empty")
        elif wrong := names.dns1035_label_errors(kind.lower()):
            detail = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
            yield invalid_value(at("kind"), kind, detail)
    if "metadata" in value:
        yield from _embedded_metadata(value["metadata"], at("metadata"))


def _embedded_metadata(metadata: Any, path: str) -> Iterator[Cause]:
    try:
        coerced, _ = coerce(metadata, path, drop_invalid=False)
    except BadRequestError as error:
        yield from error.causes
        return
    named = {"name": "fakename", **coerced}  # a template needs no name
    found = names.validate_metadata(
        named, namespaced=bool(named.get("namespace")), rule=names.path_segment_errors
    )
    for cause in found:
        yield Cause(cause.reason, cause.message, path + cause.field.removeprefix("metadata"))
