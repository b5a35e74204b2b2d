"""Which fields a value owns, and what of a value does not fit its type.

Called by ``apply``, once for each applied object; the judging and the collecting are one walk, as both touch
every value. Values are never changed.
"""

from __future__ import annotations

from typing import Any

import orjson

from .fieldset import LEAF, Trie, in_order, text_of, with_self
from .structure import DEDUCED, Structure, UnkeyedItemError


class MisfitError(ValueError):
    """An applied value does not fit its type; ``faults`` tells where."""


def fields_of(structure: Structure, value: Any) -> Trie:
    """Give the fields that a manager owns who applies this value: its leaves, list items, empty maps."""
    return _fields_of(structure, value, is_strict=False) or {}


def applied_fields_of(structure: Structure, value: Any) -> Trie:
    """Give the same for a value that comes from outside.

    Raises:
        MisfitError: the value does not fit its type.
    """
    return _fields_of(structure, value, is_strict=True) or {}


def _fields_of(structure: Structure, value: Any, *, is_strict: bool) -> Trie | None:
    kind = type(value)
    if kind is dict and structure.is_map:
        if structure.is_map_atomic:
            return _whole(structure, value, is_strict=is_strict)
        return _fields_of_map(structure, value, is_strict=is_strict) if value else None
    if kind is list and structure.is_list:
        if structure.is_list_atomic:
            return _whole(structure, value, is_strict=is_strict)
        return _fields_of_list(structure, value, is_strict=is_strict) if value else None
    if value is None:
        is_leaf = (
            structure.is_map_atomic if structure.is_map else structure.scalar or structure.is_list_atomic
        )
        return LEAF if is_leaf else None
    if is_strict and kind not in structure.fits:
        raise MisfitError
    return LEAF


def _whole(structure: Structure, value: Any, *, is_strict: bool) -> Trie:
    if is_strict and faults(structure, value):
        raise MisfitError
    return LEAF


def _fields_of_map(structure: Structure, value: dict[str, Any], *, is_strict: bool) -> Trie | None:
    declared = structure.fields
    found: Trie = {}
    for name in sorted(value):  # as Kubernetes writes them; clients compare the text of field sets
        each = value[name]
        known = declared.get(name)
        if known is None:
            if is_strict and structure.element is None:
                raise MisfitError
            below = _fields_of(structure.element or DEDUCED, each, is_strict=is_strict)
            found["f:" + name] = with_self(below)
            continue
        element, child = known
        if type(each) in child.fits:
            found[element] = LEAF
            continue
        below = _fields_of(child, each, is_strict=is_strict)
        if each is None or each == {}:
            found[element] = with_self(below)
        elif below is not None:
            found[element] = below
    return found or None


def _fields_of_list(structure: Structure, value: list[Any], *, is_strict: bool) -> Trie | None:
    found: Trie = {}
    items_type = structure.items
    for item in value:
        try:
            element = structure.item_element(item)
        except UnkeyedItemError:
            if is_strict:
                raise MisfitError from None
            return LEAF
        if element not in found:
            found[element] = with_self(_fields_of(items_type, item, is_strict=is_strict))
        elif is_strict:
            raise MisfitError
        else:
            found[element] = LEAF  # items with the same key can't be told apart, so they are owned as one
    return in_order(found) if found else None


def with_named(structure: Structure | None, fields: Trie) -> Trie:
    """Give a set with the declared fields added that lead to its members (``.spec`` for ``.spec.x``)."""
    found: Trie = {}
    for element, node in fields.items():
        child = None if structure is None else _child_of(structure, element)
        below = with_named(child, node) if node else node
        is_named = structure is not None and element[0] == "f" and element[2:] in structure.fields
        found[element] = with_self(below) if is_named else below
    return found


def follow_schema(structure: Structure, fields: Trie, changed: Trie | None = None) -> Trie:
    """Give a set as the schema has it now: what became atomic is owned as a whole.

    With ``changed`` only the fields that lead to changed ones are looked at.
    """
    found: Trie | None = None
    for element in fields if changed is None else changed:
        node = fields.get(element)
        child = _child_of(structure, element) if node else None
        if not node or child is None:
            continue
        is_atomic = (child.is_map_atomic or not child.is_map) and (child.is_list_atomic or not child.is_list)
        follow = LEAF if is_atomic else follow_schema(child, node, changed and (changed[element] or None))
        if follow is not node:
            found = found or dict(fields)
            found[element] = follow
    return found or fields


def _child_of(structure: Structure, element: str) -> Structure | None:
    if element[0] == "f" and structure.is_map:
        return structure.child(element[2:])[1]
    return structure.items if element[0] == "k" and structure.is_list else None


_SCALARS: dict[str, Any] = {"numeric": (int, float), "string": str, "boolean": bool}


def faults(structure: Structure, value: Any, path: str = "") -> list[str]:
    """Say where an applied value does not fit its type, as ``.path: message``."""
    kind = structure.kind_of(value)
    if value is None:
        return []
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{path}: expected map, got {_shown(value)}"]
        found = []
        for name, each in value.items():
            if name not in structure.fields and structure.element is None:
                found.append(f"{path}.{name}: field not declared in schema")
            else:
                found += faults(structure.child(name)[1], each, f"{path}.{name}")
        return found
    if kind == "list":
        return _list_faults(structure, value, path)
    is_misfit = isinstance(value, bool) and structure.scalar == "numeric"
    if is_misfit or not isinstance(value, _SCALARS.get(structure.scalar, str | int | float)):
        wanted = {"numeric": "numeric (int or float)", "untyped": "any scalar"}
        return [f"{path}: expected {wanted.get(structure.scalar, structure.scalar)}, got {_shown(value)}"]
    return []


def _list_faults(structure: Structure, value: Any, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: expected list, got {_shown(value)}"]
    found: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        label = f"[{index}]"
        if not structure.is_list_atomic:
            try:
                element = structure.item_element(item)
            except UnkeyedItemError as error:
                return [*found, f"{path}: element {index}: {error}"]
            label = text_of((element,))
            if element in seen:
                found.append(f"{path}: duplicate entries for key {label}")
            seen.add(element)
        found += faults(structure.items, item, path + label)
    return found


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()[:100]
