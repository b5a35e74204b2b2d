"""Reading and writing values in objects by path: ``spec.list[0].name``, ``metadata.annotations[a.b/c]``.

The paths are Crossplane's: composition patches, references and connection details are written in them.
Brackets hold an index, or a field that contains dots; ``[*]`` or ``*`` stands for every member.
``child`` and ``item`` build the other form, that of Kubernetes' error messages.

Source: crossplane-runtime pkg/fieldpath, whose errors and limits are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from .defaulting import copy_json
from .validation import same_json

Segment = str | int

MAX_INDEX: Final = 1024  # a patch to ``list[999999999]`` must not fill the memory
MAX_EXPANSION: Final = 10_000
WILDCARD: Final = "*"


class FieldPathError(ValueError):
    """A path is malformed, or does not fit the object; the message names the path."""


class FieldNotFoundError(FieldPathError):
    """Nothing lives at the path: the reader may treat it as optional."""


@lru_cache(8192)
def parse(path: str) -> tuple[Segment, ...]:
    """Split a path into fields (text) and indexes (numbers); the empty path has none.

    Raises:
        FieldPathError: empty or unbalanced parts, with the position.
    """
    segments: list[Segment] = []
    position = 0
    while position < len(path):
        if path[position] == "[":
            position = _bracket(path, position, segments)
        else:
            position = _field(path, position, segments)
        if position < len(path) and path[position] == ".":
            after = path[position + 1 : position + 2]
            if position == 0 or not after:
                raise FieldPathError(f"unexpected '.' at position {position}")
            if after in (".", "["):
                raise FieldPathError(f"unexpected '{after}' at position {position + 1}")
            position += 1
    return tuple(segments)


def _field(path: str, start: int, segments: list[Segment]) -> int:
    end = start
    while end < len(path) and path[end] not in ".[":
        if path[end] == "]":
            raise FieldPathError(f"unexpected ']' at position {end}")
        end += 1
    if end > start:
        segments.append(path[start:end].strip("'\""))
    return end


def _bracket(path: str, start: int, segments: list[Segment]) -> int:
    end = path.find("]", start)
    if end < 0:
        raise FieldPathError(f"unterminated '[' at position {start}")
    inside = path[start + 1 : end]
    if not inside:
        raise FieldPathError(f"unexpected ']' at position {end}")
    if "[" in inside:
        raise FieldPathError(f"unexpected '[' at position {start + 1 + inside.index('[')}")
    is_index = inside.isascii() and inside.isdigit() and int(inside) < 2**32
    segments.append(int(inside) if is_index else inside.strip("'\""))
    return end + 1


def text_of(segments: Sequence[Segment]) -> str:
    """Give the path of segments, in the form that ``parse`` reads."""
    written = []
    for segment in segments:
        if isinstance(segment, int) or segment == WILDCARD or "." in segment:
            written.append(f"[{segment}]")
        else:
            written.append(f".{segment}")
    return "".join(written).removeprefix(".")


def child(path: str, name: str) -> str:
    """Give the path of a field as Kubernetes prints it: ``spec`` and ``name`` is ``spec.name``."""
    return f"{path}.{name}" if path else name


def item(path: str, key: str | int) -> str:
    """Give the path of an item or map entry as Kubernetes prints it: ``spec.list[0]``, ``spec.map[key]``."""
    return f"{path}[{key}]"


def get(obj: Any, path: str) -> Any:
    """Give the value at a path.

    Raises:
        FieldNotFoundError: a field or element on the way is absent.
        FieldPathError: something on the way is not an object, or not an array.
    """
    segments = parse(path)
    if not segments:
        raise FieldNotFoundError("the empty path names no field")
    return _get(obj, segments)


def find(obj: Any, path: str, default: Any = None) -> Any:
    """Give the value at a path, or ``default`` where nothing is; a wrong type on the way still raises."""
    try:
        return get(obj, path)
    except FieldNotFoundError:
        return default


def _get(obj: Any, segments: Sequence[Segment]) -> Any:
    value = obj
    for position, segment in enumerate(segments):
        if isinstance(segment, int):
            if not isinstance(value, list):
                raise FieldPathError(f"{text_of(segments[:position])}: not an array")
            if segment >= len(value):
                raise FieldNotFoundError(f"{text_of(segments[: position + 1])}: no such element")
            value = value[segment]
        elif isinstance(value, dict):
            if segment not in value:
                raise FieldNotFoundError(f"{text_of(segments[: position + 1])}: no such field")
            value = value[segment]
        elif value is None:
            raise FieldNotFoundError(f"{text_of(segments[:position])}: expected map, got nil")
        else:
            raise FieldPathError(f"{text_of(segments[:position])}: not an object")
    return value


def set_value(obj: dict[str, Any], path: str, value: Any) -> None:
    """Write a value at a path, in place, making the objects and arrays on the way; gaps become null.

    Raises:
        FieldPathError: something on the way is not an object or array, an index is above 1024, or the
            path has a wildcard that was not expanded.
    """
    segments = parse(path)
    if not segments:
        raise FieldPathError("cannot set the empty path: name a field")
    for segment in segments:
        if isinstance(segment, int) and segment > MAX_INDEX:
            raise FieldPathError(f"index {segment} is greater than max allowed index {MAX_INDEX}")
    holder: Any = obj
    for position, segment in enumerate(segments[:-1]):
        holder = _step(holder, segments, position, segment)
    _store(holder, segments, copy_json(value))


def _step(holder: Any, segments: Sequence[Segment], position: int, segment: Segment) -> Any:
    """Give what lies one segment deeper, made or lengthened so that the next segment fits."""
    here = text_of(segments[:position])
    after = segments[position + 1]
    below: Any
    if isinstance(segment, int):
        if not isinstance(holder, list):
            raise FieldPathError(f"{here} is not an array")
        if segment >= len(holder):
            holder.extend([None] * (segment + 1 - len(holder)))
        below = holder[segment]
    else:
        if not isinstance(holder, dict):
            raise FieldPathError(f"{here} is not an object")
        below = holder.get(segment)
    if below is None:
        below = [] if isinstance(after, int) else {}
        holder[segment] = below
    return below


def _store(holder: Any, segments: Sequence[Segment], value: Any) -> None:
    here, last = text_of(segments[:-1]), segments[-1]
    if isinstance(last, int):
        if not isinstance(holder, list):
            raise FieldPathError(f"{here} is not an array")
        if last >= len(holder):
            holder.extend([None] * (last + 1 - len(holder)))
        holder[last] = value
        return
    if not isinstance(holder, dict):
        raise FieldPathError(f"{here} is not an object")
    holder[last] = value


def delete(obj: dict[str, Any], path: str) -> None:
    """Remove what lives at a path, in place; later elements move up. Nothing there is fine.

    Raises:
        FieldPathError: something on the way is not an object or array.
    """
    segments = parse(path)
    if not segments:
        raise FieldPathError("cannot delete the empty path: name a field")
    try:
        holder = _get(obj, segments[:-1])
    except FieldNotFoundError:
        return
    last = segments[-1]
    if isinstance(last, int):
        if not isinstance(holder, list):
            raise FieldPathError(f"cannot delete {text_of(segments)}: not an array")
        if last < len(holder):
            del holder[last]
        return
    if not isinstance(holder, dict):
        raise FieldPathError(f"cannot delete {text_of(segments)}: not an object")
    holder.pop(last, None)


def expand_wildcards(obj: Any, path: str) -> list[str]:
    """Give the paths of all that a path with wildcards means in this object; none where nothing matches.

    Raises:
        FieldPathError: a wildcard stands where there is neither object nor array, or it expands to more
            than 10,000 paths.
    """
    expanded: list[tuple[Segment, ...]] = [()]
    segments = parse(path)
    for position, segment in enumerate(segments):
        following: list[tuple[Segment, ...]] = []
        for before in expanded:
            if segment != WILDCARD:
                following.append((*before, segment))
                continue
            following += [(*before, each) for each in _members(obj, before)]
        if len(following) > MAX_EXPANSION:
            raise FieldPathError(f"{path}: wildcards expand to more than {MAX_EXPANSION} paths")
        expanded = [each for each in following if position == len(segments) - 1 or _exists(obj, each)]
    return [text_of(each) for each in expanded if _exists(obj, each)]


def _members(obj: Any, segments: Sequence[Segment]) -> Sequence[Segment]:
    value = _get(obj, segments)
    if isinstance(value, list):
        return range(len(value))
    if isinstance(value, dict):
        return list(value)
    if value is None:
        raise FieldNotFoundError(f'wildcard field "{text_of(segments)}" is not found in the path')
    raise FieldPathError(f'"{text_of(segments)}": unexpected wildcard usage')


def _exists(obj: Any, segments: Sequence[Segment]) -> bool:
    try:
        _get(obj, segments)
    except FieldNotFoundError:
        return False
    return True


def merge_value(
    obj: dict[str, Any], path: str, value: Any, *, keep_map_values: bool = False, append_slice: bool = False
) -> None:
    """Merge a value into what lives at a path, in place: objects merge, the rest is replaced.

    ``keep_map_values`` lets what is there win; ``append_slice`` adds to arrays what they don't hold yet.

    Raises:
        FieldPathError: the two can't be merged, or the path does not fit the object.
    """
    found = find(obj, path)
    if append_slice and isinstance(found, list) and isinstance(value, list):
        value = [each for each in value if not any(same_json(each, other) for other in found)]
    if found is None or value is None:
        set_value(obj, path, value)
        return
    merged = {"": copy_json(found)}
    _merge(merged, {"": value}, path, keep=keep_map_values, append=append_slice)
    set_value(obj, path, merged[""])


def _merge(target: dict[str, Any], source: dict[str, Any], path: str, *, keep: bool, append: bool) -> None:
    for name, value in source.items():
        found = target.get(name)
        is_empty = found in (None, "", [], {}) or found is False or found == 0
        if isinstance(value, dict) and isinstance(found, dict):
            _merge(found, value, path, keep=keep, append=append)
        elif append and isinstance(value, list) and isinstance(found, list):
            target[name] = [*found, *copy_json(value)]
        elif is_empty and (value is not None or not keep):
            target[name] = copy_json(value)
        elif isinstance(value, dict) != isinstance(found, dict) and value is not None:
            raise FieldPathError(
                f"{path}: failed to merge values: cannot merge {_kind(value)} into {_kind(found)}"
            )
        elif not keep:
            target[name] = copy_json(value)


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else "a scalar"
