"""Filling in defaults, and dropping nulls where null is not allowed. Changes the object in place.

Called through ``Schema``, on every write and on every read from storage: a default added to a CRD
later shows on objects stored before.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .nodes import Node


def default_object(node: Node, value: dict[str, Any]) -> None:
    """Default one object and all below it.

    A null that may not be null becomes the default; without a default the member is dropped.
    """
    for name, child in node.defaulted:
        if name not in value or (value[name] is None and not child.nullable):
            value[name] = copy_json(child.default)
    properties: Mapping[str, Node | None] = node.properties
    additional = node.additional
    dropped: list[str] = []
    for name, each in value.items():
        kind = type(each)
        if kind is not dict and kind is not list and each is not None:
            continue
        below = properties.get(name, additional)
        if below is None:
            continue
        if kind is dict:
            default_object(below, each)
        elif kind is list:
            if below.items is not None:
                default_array(below.items, each)
        elif not below.nullable:
            dropped.append(name)
    for name in dropped:
        fallback = properties.get(name, additional)
        if fallback is None or fallback.default is None:
            del value[name]
        else:
            value[name] = copy_json(fallback.default)


def default_array(items: Node, value: list[Any]) -> None:
    """Default every item; a null item without default stays, for validation to refuse."""
    for index, each in enumerate(value):
        if each is None and not items.nullable and items.default is not None:
            value[index] = copy_json(items.default)
        found = value[index]
        if type(found) is dict:
            default_object(items, found)
        elif type(found) is list and items.items is not None:
            default_array(items.items, found)


def copy_json(value: Any) -> Any:
    """Copy decoded JSON; several times faster than ``copy.deepcopy``."""
    if type(value) is dict:
        return {name: copy_json(each) for name, each in value.items()}
    if type(value) is list:
        return [copy_json(each) for each in value]
    return value
