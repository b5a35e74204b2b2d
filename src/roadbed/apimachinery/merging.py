"""The walks of server-side apply over two typed values: what changed, merge, remove.

Called by ``apply`` for every write, so the common case is quick: equal subtrees are skipped by one
comparison, a flat map costs one comprehension. Values are never changed, results share their parts.

"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from .fieldset import LEAF, SELF, Trie, is_member
from .structure import Structure, UnkeyedItemError


class Changes(NamedTuple):
    """What a new value did to an old one, as sets of fields."""

    removed: Trie
    modified: Trie
    added: Trie


def equal(one: Any, other: Any) -> bool:
    """Say whether two JSON values are the same: ``1`` is ``1.0``, and is not ``true`` as Python has it."""
    if one != other:
        return False
    if isinstance(one, dict | list):
        return orjson.dumps(one) == orjson.dumps(other) or _same_kinds(one, other)
    return isinstance(one, bool) == isinstance(other, bool)


def _same_kinds(one: Any, other: Any) -> bool:
    """Say whether values that Python finds equal have booleans at the same places."""
    if isinstance(one, dict):
        return all(_same_kinds(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return all(map(_same_kinds, one, other))
    return isinstance(one, bool) == isinstance(other, bool)


def compare(structure: Structure, old: dict[str, Any], new: dict[str, Any]) -> Changes:
    """Give what changed from one object to another."""
    return Changes(*(each or {} for each in _compare_maps(structure, old, new)))


_Three = tuple[Trie | None, Trie | None, Trie | None]


def _compare(structure: Structure, old: Any, new: Any) -> _Three:
    """Compare two values that differ."""
    was, becomes = structure.kind_of(old), structure.kind_of(new)
    if was != becomes:
        return _compare_kinds(structure, old, new)
    if was == "scalar" or not (old or new):
        return None, LEAF, None
    if was == "map":
        if structure.is_map_atomic or not _are(dict, old, new):
            return None, LEAF, None
        return _compare_maps(structure, old or {}, new or {})
    if structure.is_list_atomic or not _are(list, old, new):
        return None, LEAF, None
    try:
        return _compare_lists(structure, old or [], new or [])
    except UnkeyedItemError:
        return None, LEAF, None


def _are(kind: type, *values: Any) -> bool:
    return all(value is None or isinstance(value, kind) for value in values)


def _compare_kinds(structure: Structure, old: Any, new: Any) -> _Three:
    """Compare values of different kinds: the field is modified, what was or is below it removed or added."""
    removed, added = _all_of(structure, old), _all_of(structure, new)
    return (
        {element: each for element, each in removed.items() if element != SELF} or None,
        LEAF,
        {element: each for element, each in added.items() if element != SELF} or None,
    )


def _compare_maps(structure: Structure, old: dict[str, Any], new: dict[str, Any]) -> _Three:
    removed: Trie = {}
    modified: Trie = {}
    added: Trie = {}
    for name, value in new.items():
        if name in old:
            before = old[name]
            if before is value or (before == value and (type(value) is str or equal(before, value))):
                continue
            element, child = structure.child(name)
            gone, changed, came = _compare(child, before, value)
            if gone is not None:
                removed[element] = gone
            if changed is not None:
                modified[element] = changed
            if came is not None:
                added[element] = came
        else:
            element, child = structure.child(name)
            came = _appeared(child, value)
            if came is not None:
                added[element] = came
    for name, value in old.items():
        if name not in new:
            element, child = structure.child(name)
            gone = _appeared(child, value)
            if gone is not None:
                removed[element] = gone
    return removed or None, modified or None, added or None


def _compare_lists(structure: Structure, old: list[Any], new: list[Any]) -> _Three:
    before, after = _by_element(structure, old), _by_element(structure, new)
    removed: Trie = {}
    modified: Trie = {}
    added: Trie = {}
    for element in {**before, **after}:
        was, becomes = before.get(element, []), after.get(element, [])
        if equal(was, becomes):
            continue
        if len(was) > 1 and len(becomes) > 1:
            modified[element] = LEAF
        elif len(was) == len(becomes) == 1:
            gone, changed, came = _compare(structure.items, was[0], becomes[0])
            for found, into in ((gone, removed), (changed, modified), (came, added)):
                if found is not None:
                    into[element] = found
        else:
            if was:
                removed[element] = LEAF if len(was) > 1 else _all_of(structure.items, was[0])
            if becomes:
                added[element] = LEAF if len(becomes) > 1 else _all_of(structure.items, becomes[0])
    return removed or None, modified or None, added or None


def _appeared(structure: Structure, value: Any) -> Trie | None:
    """Give the fields of a value that came to, or went from, a map that is there before and after."""
    if structure.is_present and isinstance(value, dict):
        return _compare_maps(structure, {}, value)[2]
    return _all_of(structure, value)


def _all_of(structure: Structure, value: Any) -> Trie:
    """Give every field of a value that came or went as a whole, containers included."""
    if isinstance(value, dict):
        if structure.is_map and value and not structure.is_map_atomic:
            return {SELF: LEAF, **_all_of_map(structure, value)}
        return LEAF
    if isinstance(value, list) and value and structure.is_list and not structure.is_list_atomic:
        try:
            return _all_of_list(structure, value)
        except UnkeyedItemError:
            return LEAF
    return LEAF


def _all_of_list(structure: Structure, value: list[Any]) -> Trie:
    found: Trie = {SELF: LEAF}
    items = structure.items
    for item in value:
        element = structure.item_element(item)
        found[element] = LEAF if element in found else _all_of(items, item)
    return found


def _all_of_map(structure: Structure, value: dict[str, Any]) -> Trie:
    declared = structure.fields
    if not declared:
        element = structure.element
        if element is not None and not element.is_map and not element.is_list:
            return {"f:" + name: LEAF for name in value}
    found: Trie = {}
    for name, each in value.items():
        known = declared.get(name)
        path, child = known if known is not None else structure.child(name)
        kind = type(each)
        found[path] = _all_of(child, each) if kind is dict or kind is list else LEAF
    return found


def _by_element(structure: Structure, items: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(structure.item_element(item), []).append(item)
    return found


def merge(structure: Structure, live: Any, applied: Any) -> Any:
    """Lay an applied value over a live one; neither is absent."""
    if live == applied:
        return applied  # not the live one: Python takes 1 for true
    kind = structure.kind_of(applied)
    if structure.kind_of(live) != kind and live is not None and applied is not None:
        return applied
    if kind == "scalar" or not (live or applied):
        return applied
    if kind == "map":
        if structure.is_map_atomic or not _are(dict, live, applied):
            return applied
        merged = dict(live or {})
        for name, value in (applied or {}).items():
            merged[name] = merge(structure.child(name)[1], merged[name], value) if name in merged else value
        return merged
    if structure.is_list_atomic or not _are(list, live, applied):
        return applied
    return _merge_lists(structure, live or [], applied or [])


def _merge_lists(structure: Structure, live: list[Any], applied: list[Any]) -> list[Any]:
    """Merge associative lists: applied items come in their order, live ones stay between their neighbours."""
    try:
        ours = [structure.item_element(item) for item in live]
    except UnkeyedItemError:
        return applied  # a list that can't be told apart counts as a whole, as in ``compare``
    theirs = {structure.item_element(item): item for item in applied}
    order = list(theirs)
    count = Counter(ours)
    current = dict(zip(ours, live, strict=True))
    shared = [element for element in order if element in count]

    def taken(element: str) -> Any:
        # Among live duplicates there is none to merge with; the applied item replaces them all.
        if count.get(element) == 1:
            return merge(structure.items, current[element], theirs[element])
        return theirs[element]

    merged: list[Any] = []
    done: set[str] = set()
    at, then, upcoming = 0, 0, 0
    while at < len(ours) or then < len(order):
        if at < len(ours):
            element = ours[at]
            if element not in theirs:
                merged.append(live[at])
                at += 1
                continue
            if element in done:
                at += 1
                continue
            wanted = shared[upcoming] if upcoming < len(shared) else None
            if then < len(order) and element not in (order[then], wanted):
                at += 1  # it moves to its place in the applied order
                continue
        if then < len(order):
            element = order[then]
            merged.append(taken(element))
            done.add(element)
            then += 1
            upcoming += upcoming < len(shared) and shared[upcoming] == element
        else:
            at += 1
    return merged


def remove(structure: Structure, value: Any, fields: Trie, owned: Trie | None = None) -> Any:
    """Give a value without some fields; a container that empties through this becomes null.

    With ``owned`` it goes instead, unless it is itself a member of that set: then it stays, empty.
    """
    if isinstance(value, dict) and structure.is_map and not structure.is_map_atomic:
        kept: dict[str, Any] = {}
        for name, each in value.items():
            element, child = structure.child(name)
            node = fields.get(element)
            if node is None:
                kept[name] = each
            elif not is_member(node):
                holders = None if owned is None else owned.get(element)
                rest = remove(child, each, node, None if owned is None else holders or {})
                if rest is None and holders is not None and is_member(holders):
                    rest = type(each)()
                if rest is not None or owned is None:
                    kept[name] = rest
        return kept or None
    if isinstance(value, list) and structure.is_list and not structure.is_list_atomic:
        left = []
        for item in value:
            element = structure.item_element(item)
            node = fields.get(element)
            if node is None:
                left.append(item)
            elif not is_member(node):
                holders = None if owned is None else owned.get(element) or {}
                rest = remove(structure.items, item, node, holders)
                if rest is not None:
                    left.append(rest)
        return left or None
    return value
