"""Field paths of Compositions: ``spec.a[0].b``, ``metadata.annotations[example.org/x]``, ``spec.list[*].y``.

Called by patches, readiness checks and connection details. A path is parsed once and kept; getting and
setting walk plain JSON. Setting makes the objects and arrays that are missing on the way and changes its
target in place, so callers own the target; a value that is set is shared, not copied, and must not be
changed afterwards.

Source: crossplane-runtime v2, package fieldpath (its documented behaviour and messages).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

Path = tuple[str | int, ...]

WILDCARD = "*"
INDEX_LIMIT = 1024  # as Crossplane: one patch must not make an array of a billion nulls
_UINT32 = 2**32


class PathError(ValueError):
    """A path is malformed, or meets a value of another type."""


class MissingError(PathError):
    """A path leads to nothing (yet)."""


@lru_cache(maxsize=8192)
def parse(path: str) -> Path:
    """Split a path into field names and array indexes.

    Raises:
        PathError: it is malformed; the message gives the position.
    """
    try:
        return tuple(_segments(path))
    except PathError as error:
        raise PathError(f'cannot parse path "{path}": {error}') from error


def render(path: Path) -> str:
    """Give the text form of a path."""
    parts: list[str] = []
    for segment in path:
        if isinstance(segment, int) or segment == WILDCARD or "." in segment:
            parts.append(f"[{segment}]")
        else:
            parts.append(f".{segment}")
    return "".join(parts).removeprefix(".")


def get(obj: Any, path: Path) -> Any:
    """Give the value at a path.

    Raises:
        MissingError: there is none.
        PathError: something on the way is not an object or array.
    """
    value = obj
    for position, segment in enumerate(path):
        if isinstance(segment, int):
            if not isinstance(value, list):
                raise PathError(f"{render(path[:position])}: not an array")
            if segment >= len(value):
                raise MissingError(f"{render(path[: position + 1])}: no such element")
            value = value[segment]
        elif isinstance(value, dict):
            if segment not in value:
                raise MissingError(f"{render(path[: position + 1])}: no such field")
            value = value[segment]
        elif value is None:
            raise MissingError(f"{render(path[:position])}: expected map, got nil")
        else:
            raise PathError(f"{render(path[:position])}: not an object")
    return value


def put(obj: Any, path: Path, value: Any) -> None:
    """Set the value at a path, making what is missing on the way.

    Raises:
        PathError: something on the way is not an object or array, or an index is over the limit.
    """
    for segment in path:
        if isinstance(segment, int) and segment > INDEX_LIMIT:
            raise PathError(f"index {segment} is greater than max allowed index {INDEX_LIMIT}")
    parent = obj
    last = len(path) - 1
    for position, segment in enumerate(path):
        if isinstance(segment, int):
            if not isinstance(parent, list):
                raise PathError(f"{render(path[:position])} is not an array")
        elif not isinstance(parent, dict):
            raise PathError(f"{render(path[:position])} is not an object")
        if position == last:
            parent[segment] = value
            return
        parent = _step(parent, segment, path[position + 1])


def expand(obj: Any, path: Path) -> list[Path]:
    """Give the paths that a path with wildcards stands for in ``obj``; an array or object gives one each.

    Raises:
        MissingError: a wildcard stands where nothing is.
        PathError: a wildcard stands on something that has no members.
    """
    if WILDCARD not in path:
        try:
            get(obj, path)
        except MissingError:
            return []
        return [path]
    position = path.index(WILDCARD)
    head, tail = path[:position], path[position + 1 :]
    try:
        value = get(obj, head)
    except MissingError:
        return []
    if isinstance(value, list):
        members: list[str | int] = list(range(len(value)))
    elif isinstance(value, dict):
        members = sorted(value)
    elif value is None:
        raise MissingError(f'wildcard field "{render(head)}" is not found in the path')
    else:
        raise PathError(f'"{render(head)}": unexpected wildcard usage')
    return [found for member in members for found in expand(obj, (*head, member, *tail))]


def merge(target: Any, value: Any, *, keep: bool, append: bool) -> Any:
    """Give the two values merged; neither is changed.

    ``keep`` lets what the target has win (unless it is empty), else the value wins (unless it is empty).
    ``append`` adds the value's array elements after the target's, without those the target has.
    """
    if target is None or value is None:
        return value
    if append and isinstance(target, list) and isinstance(value, list):
        return [*target, *(item for item in value if item not in target)]
    return _merge(target, value, keep=keep, append=append)


def _merge(target: Any, value: Any, *, keep: bool, append: bool) -> Any:
    if isinstance(target, dict) and isinstance(value, dict):
        merged = dict(target)
        for name, item in value.items():
            merged[name] = _merge(merged[name], item, keep=keep, append=append) if name in merged else item
        return merged
    if append and isinstance(target, list) and isinstance(value, list):
        return [*target, *value]
    winner, other = (target, value) if keep else (value, target)
    return other if winner in (None, "", False, 0, [], {}) else winner


def _step(parent: Any, segment: str | int, following: str | int) -> Any:
    present = parent[segment] is not None if isinstance(segment, int) else segment in parent
    if not present:
        parent[segment] = [None] * (following + 1) if isinstance(following, int) else {}
    found = parent[segment]
    if isinstance(following, int) and isinstance(found, list) and following >= len(found):
        found.extend([None] * (following - len(found) + 1))
    return found


def _segments(path: str) -> Iterator[str | int]:
    position = 0
    while position < len(path):
        character = path[position]
        if character == "[":
            end = path.find("]", position)
            if end < 0:
                raise PathError(f"unterminated '[' at position {position}")
            inner = path[position + 1 : end]
            if not inner:
                raise PathError(f"unexpected ']' at position {position + 1}")
            if "[" in inner:
                raise PathError(f"unexpected '[' at position {position + 1 + inner.index('[')}")
            yield _field_or_index(inner)
            position = end + 1
        elif character == "]":
            raise PathError(f"unexpected ']' at position {position}")
        elif character == ".":
            if position in (0, len(path) - 1):
                raise PathError(f"unexpected '.' at position {position}")
            position += 1
            if path[position] in ".[":
                raise PathError(f"unexpected '{path[position]}' at position {position}")
        else:
            end = min(
                (at for at in (path.find(".", position), path.find("[", position)) if at >= 0), default=-1
            )
            field = path[position:] if end < 0 else path[position:end]
            if "]" in field:
                raise PathError(f"unexpected ']' at position {position + field.index(']')}")
            yield field.strip("'\"")
            position += len(field)


def _field_or_index(text: str) -> str | int:
    if text.isascii() and text.isdigit() and int(text) < _UINT32:
        return int(text)
    return text.strip("'\"")
