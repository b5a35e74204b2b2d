"""Judging what a schema's extensions promise: lists that are sets or maps, and embedded resources.

Called through ``Schema.validate``, after the schema itself was satisfied or not; skipped whole for the
many schemas that have no such mark (``Node.holds_marks``).

Sources: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype and …/objectmeta/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import names
from .causes import duplicate, invalid_value, required
from .errors import BadRequestError, Cause
from .nodes import Node
from .objectmeta import coerce


def judge(node: Node, value: Any, *, lists: bool = True) -> list[Cause]:
    """Give what is wrong with embedded resources and, unless ``lists`` is off, items that repeat.

    A value that stands several times in a set, or a key in a map list, is reported once.
    """
    found: list[Cause] = []
    _judge(node, value, "", found, lists)
    return found


def has_repeats(node: Node, value: Any) -> bool:
    """Say whether any set or map list below has repeated items, or items that can have no key."""
    return len(judge(node, value)) > len(judge(node, value, lists=False))


def _judge(node: Node, value: Any, path: str, found: list[Cause], lists: bool) -> None:
    """Visit only what lies on the way to a mark."""
    kind = type(value)
    if kind is dict:
        if node.embedded_resource:
            found += _embedded(value, path)
        properties: Mapping[str, Node | None] = node.properties
        for name, each in value.items():
            child = properties.get(name)
            if child is not None and child.holds_marks:
                _judge(child, each, f"{path}.{name}" if path else name, found, lists)
            elif child is None and node.additional is not None and node.additional.holds_marks:
                _judge(node.additional, each, f"{path}[{name}]", found, lists)
    elif kind is list:
        if lists and node.list_type == "map":
            found += _map_repeats(node.list_keys, value, path)
        elif lists and node.list_type == "set" and len(value) > 1:
            found += _repeats(value, path)
        if node.items is not None and node.items.holds_marks:
            for index, each in enumerate(value):
                _judge(node.items, each, f"{path}[{index}]", found, lists)


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


def _map_repeats(keys: tuple[str, ...], value: list[Any], path: str) -> list[Cause]:
    for index, item in enumerate(value):
        if type(item) is not dict and item is not None:
            detail = "must be an object for an array of list-type map"
            return [invalid_value(f"{path}[{index}]", item, detail)]
    if len(value) < 2 or _all_differ(keys, value):
        return []
    found = [{key: item[key] for key in keys if key in item} if item else {} for item in value]
    return _repeats(found, path)


def _all_differ(keys: tuple[str, ...], value: list[Any]) -> bool:
    """Say quickly that nothing repeats, for the common list: objects with one key, a text."""
    if len(keys) != 1:
        return False
    key = keys[0]
    found = {item[key] for item in value if item and type(item.get(key)) is str}
    return len(found) == len(value)


def _repeats(items: list[Any], path: str) -> list[Cause]:
    seen: dict[Any, int] = {}
    found: list[Cause] = []
    for index, item in enumerate(items):
        key = _identity(item)
        seen[key] = times = seen.get(key, 0) + 1
        if times == 2:  # a third copy is not reported again
            found.append(duplicate(f"{path}[{index}]", item))
    return found


def _identity(item: Any) -> Any:
    """Give something hashable that is equal for equal JSON; the type keeps true and 1 apart."""
    if type(item) is dict:
        return tuple(sorted((name, _identity(each)) for name, each in item.items()))
    if type(item) is list:
        return (list, *map(_identity, item))
    return (type(item).__name__, item)


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
    if named.get("generateName") in (".", ".."):  # a path may begin so
        del named["generateName"]
    found = names.validate_metadata(
        named, namespaced=bool(named.get("namespace")), rule=names.path_segment_errors
    )
    for cause in found:
        yield Cause(cause.reason, cause.message, path + cause.field.removeprefix("metadata"))
