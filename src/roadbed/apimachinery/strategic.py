"""Strategic merge patch, for built-in kinds: a merge patch that knows which lists merge, and by which key.

Called by the API server's patch handler for every kind whose schema was published with Kubernetes
(kubectl edits and applies those this way); custom resources refuse the format, as Kubernetes does. Pure:
the results share unchanged parts with the arguments, and change neither.

Directives: ``$patch: replace|delete|merge``, ``$retainKeys``, ``$deleteFromPrimitiveList/<field>``,
``$setElementOrder/<field>``. A field that the schema does not declare merges as a map, or is replaced.

Source: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from .errors import BadRequestError, InvalidError
from .request import Object

PATCH: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_FROM: Final = "$deleteFromPrimitiveList"
SET_ORDER: Final = "$setElementOrder"

_REMOVED: Final = object()  # in place of a value that a directive takes away


class MergeNode(Protocol):
    """What is read of a schema node; ``nodes.Node`` is one."""

    @property
    def properties(self) -> Mapping[str, Any]: ...
    @property
    def additional(self) -> Any: ...
    @property
    def items(self) -> Any: ...
    @property
    def merge_key(self) -> str: ...
    @property
    def merge_strategy(self) -> str: ...


def strategic_merge(original: Object, patch: Object, node: MergeNode | None) -> Object:
    """Give ``original`` with a strategic merge patch applied; neither argument is changed.

    ``node`` is the kind's schema node, with ``merge_strategy`` and ``merge_key`` where lists merge.

    Raises:
        BadRequestError: the patch's directives or types make no sense.
        InvalidError: a list of lists, which this format can't merge.
    """
    return _merge_maps(original, patch, node)


def _merge_maps(original: Object, patch: Object, node: MergeNode | None) -> Object:
    directive = patch.get(PATCH)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != PATCH}
    if directive == "delete":
        return {}
    if PATCH in patch:
        raise BadRequestError(f"unknown patch type: {directive} in map: {_shown(patch)}")
    patch = dict(patch)
    merged = _retain_keys(dict(original), patch)
    for key in [each for each in patch if each.startswith(SET_ORDER)]:
        _merge_ordered(merged, patch, key, node)
    # Deletions first: what the same patch adds, stays.
    for key in sorted(patch, key=lambda each: not each.startswith(DELETE_FROM)):
        _merge_member(merged, key, patch[key], node)
    return merged


def _retain_keys(original: Object, patch: Object) -> Object:
    """Take ``$retainKeys`` out of the patch and drop from the original what it does not name."""
    if RETAIN_KEYS not in patch:
        return original
    names = patch.pop(RETAIN_KEYS)
    if not isinstance(names, list):
        raise BadRequestError("invalid patch format of retainKeys")
    for key, value in patch.items():
        if value is not None and not key.startswith((DELETE_FROM, SET_ORDER)) and key not in names:
            raise BadRequestError("invalid patch format of retainKeys")
    return {name: value for name, value in original.items() if name in names}


def _merge_member(merged: Object, key: str, value: Any, node: MergeNode | None) -> None:
    """Merge one member of a patch into the copy of the original that becomes the result."""
    is_deletion = key.startswith(DELETE_FROM)
    name = _field_of(key, "primitive list") if is_deletion else key
    if value is None:
        merged.pop(name, None)
        return
    current = merged.get(name, _REMOVED)
    if isinstance(current, list) and isinstance(value, list):
        merged[name] = _merge_lists(current, value, _child(node, name), is_deletion=is_deletion)
    elif is_deletion:
        return
    elif isinstance(current, dict) and isinstance(value, dict):
        child = _child(node, name)
        merged[name] = value if _strategy(child) == "replace" else _merge_maps(current, value, child)
    else:
        fresh = _without_directives(_without_nulls(value) if type(current) is not type(value) else value)
        if fresh is _REMOVED:
            merged.pop(name, None)
        else:
            merged[name] = fresh


def _merge_ordered(merged: Object, patch: Object, key: str, node: MergeNode | None) -> None:
    """Merge one list whose order the patch dictates, and take both keys out of the patch."""
    order = patch.pop(key)
    name = _field_of(key, "setElementOrder list")
    current, change = merged.get(name), patch.get(name)
    for each in (order, *(found[name] for found in (merged, patch) if name in found)):
        if not isinstance(each, list):
            raise BadRequestError(f"expected a list at {name}, but received {_shown(each)}")
    child = _child(node, name)
    merge_key = child.merge_key if child is not None else ""
    _check_order(change or [], order, merge_key)
    if current is None and change is None:
        return
    if current is None:
        result = _without_directives(change)
    elif change is None:
        result = current
    else:
        result = _merge_lists(current, change, child)
    _element_type(current or (), change or ())
    merged[name] = _in_order(result, order, current or [], merge_key)
    patch.pop(name, None)


def _merge_lists(
    current: list[Any], change: list[Any], node: MergeNode | None, *, is_deletion: bool = False
) -> list[Any]:
    if _strategy(node) != "merge" and not is_deletion:
        return change
    if not current and not change:
        return current
    if _element_type(current, change) is not dict:
        if is_deletion:
            return [item for item in current if item not in change]
        distinct = _distinct([*current, *change])
        return _in_order(distinct, change, current, "")
    merge_key = node.merge_key if node is not None else ""
    if not merge_key:
        raise BadRequestError("cannot merge lists without merge key")
    current, change = _apply_directives(current, change, merge_key)
    items = None if node is None else node.items
    merged = list(current)
    for item in change:
        wanted = _key_of(item, merge_key)
        at = _find(merged, merge_key, wanted)
        if at is None:
            merged.append(item)
        else:
            merged[at] = _merge_maps(merged[at], item, items)
    return _in_order(merged, change, current, merge_key)


def _apply_directives(current: list[Any], change: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Carry out the ``$patch`` items of a list of maps; give what is left of both lists."""
    plain = []
    is_replaced = False
    for item in change:
        directive = item.get(PATCH)
        if PATCH not in item:
            plain.append(item)
        elif directive == "delete":
            gone = _key_of(item, merge_key)
            current = [each for each in current if merge_key not in each or each[merge_key] != gone]
        elif directive == "replace":
            is_replaced = True
        elif directive == "merge":
            raise BadRequestError("merging lists cannot yet be specified in the patch")
        else:
            raise BadRequestError(f"unknown patch type: {directive} in map: {_shown(item)}")
    return (plain, []) if is_replaced else (current, plain)


def _in_order(merged: Sequence[Any], order: Sequence[Any], live: Sequence[Any], merge_key: str) -> list[Any]:
    """Sort: items that ``order`` names as it has them, all others where they stood between those before."""
    wanted, stood = _places(order, merge_key), _places(live, merge_key)
    named = [item for item in merged if _place(item, merge_key) in wanted]
    others = [item for item in merged if _place(item, merge_key) not in wanted]
    named.sort(key=lambda item: wanted[_place(item, merge_key)])
    others.sort(key=lambda item: stood.get(_place(item, merge_key), len(stood)))
    result: list[Any] = []
    for item in named:
        place = stood.get(_place(item, merge_key))
        while others and place is not None:
            other = stood.get(_place(others[0], merge_key))
            if other is None or other > place:
                break
            result.append(others.pop(0))
        result.append(item)
    return result + others


def _places(items: Sequence[Any], merge_key: str) -> dict[bytes, int]:
    places: dict[bytes, int] = {}
    for at, item in enumerate(items):
        places.setdefault(_place(item, merge_key), at)
    return places


def _place(item: Any, merge_key: str) -> bytes:
    """Give what identifies an item, hashable and with types kept apart."""
    return orjson.dumps(_key_of(item, merge_key) if merge_key else item)


def _check_order(change: list[Any], order: list[Any], merge_key: str) -> None:
    """Check that the patch's own items come in the order that it dictates."""
    items = [item for item in change if not (isinstance(item, dict) and PATCH in item)]
    if not order or not items:
        return
    rest = iter([_place(each, merge_key) for each in order])
    if not all(_place(item, merge_key) in rest for item in items):
        raise BadRequestError(
            f"The order in patch list:\n{_shown(change)}\n doesn't match {SET_ORDER} list:\n{_shown(order)}\n"
        )


def _element_type(*lists: Iterable[Any]) -> type:
    """Give the one type of all elements."""
    types = {type(item) for each in lists for item in each}
    if list in types:
        raise InvalidError("lists of lists are not supported")
    if len(types) > 1 and not types <= {int, float}:
        raise BadRequestError(f"list element types are not identical: {_shown([*lists])}")
    return types.pop() if types else str


def _key_of(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict):
        raise BadRequestError(f"expected a map with merge key {merge_key}, but received {_shown(item)}")
    if merge_key not in item:
        raise BadRequestError(f"map: {_shown(item)} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _find(items: list[Any], merge_key: str, wanted: Any) -> int | None:
    for at, item in enumerate(items):
        if item.get(merge_key) == wanted and merge_key in item:
            return at
    return None


def _distinct(items: list[Any]) -> list[Any]:
    found: dict[bytes, Any] = {}
    for item in items:
        found.setdefault(orjson.dumps(item), item)
    return list(found.values())


def _field_of(key: str, what: str) -> str:
    prefix, slash, name = key.partition("/")
    if not slash or prefix not in (DELETE_FROM, SET_ORDER):
        raise BadRequestError(f"invalid patch format of {what}")
    return name


def _child(node: MergeNode | None, name: str) -> MergeNode | None:
    if node is None:
        return None
    found: MergeNode | None = node.properties.get(name)
    if found is None:
        found = node.additional
    return found


def _strategy(node: MergeNode | None) -> str:
    """Give the strategy of a field, ``retainKeys`` (which concerns clients) left out."""
    if node is None:
        return ""
    return next((each for each in node.merge_strategy.split(",") if each != "retainKeys"), "")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        if PATCH in value:
            return _REMOVED
        kept = {name: _without_directives(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each is not _REMOVED}
    if isinstance(value, list):
        items = [_without_directives(each) for each in value]
        return [each for each in items if each is not _REMOVED]
    return value


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()[:200]
