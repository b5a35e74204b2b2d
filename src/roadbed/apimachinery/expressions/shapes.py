"""How large the values of a schema can get: what the estimate of costs counts with.

Source: k8s.io/apiserver/pkg/cel/common/schemas.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from roadbed.apimachinery.nodes import Node

MOST_REQUEST_BYTES: Final = 3 * 1024 * 1024
_TIMES: Final = {"duration": (3, 32), "date": (12, 12), "date-time": (21, 32)}  # bytes: least, most
_SCALARS: Final = {"boolean": 4, "number": 1, "integer": 1}


@dataclass(slots=True)
class Shape:
    """A value: at most ``most`` elements (bytes of a text), at least ``least`` bytes of JSON."""

    most: int
    least: int
    fields: dict[str, Shape] = field(default_factory=dict)
    key: Shape | None = None
    element: Shape | None = None

    @property
    def most_repeats(self) -> int:
        """How often such a value can stand in one request."""
        return MOST_REQUEST_BYTES // (self.least + 1)


def shape_of(node: Node, escape: Callable[[str], str], *, is_root: bool = False) -> Shape | None:
    """Give the shape of a schema node; None where rules can't see it. ``escape`` names properties."""
    checks = node.checks
    if node.int_or_string:
        most = MOST_REQUEST_BYTES - 2 if checks.max_length is None else 4 * max(checks.max_length, 0)
        return Shape(most, 1)
    if node.type == "array":
        items = None if node.items is None else shape_of(node.items, escape)
        if items is None:
            return None
        most = (MOST_REQUEST_BYTES - 2) // (items.least + 1)
        return Shape(most if checks.max_items is None else max(checks.max_items, 0), 2, element=items)
    if node.type == "object" or is_root or node.embedded_resource:
        if node.additional is not None and not node.properties and not (is_root or node.embedded_resource):
            return _map(node, escape)
        return _object(node, escape, is_root=is_root or node.embedded_resource)
    if node.type == "string":
        return _text(node)
    least = _SCALARS.get(node.type)
    return None if least is None else Shape(0, least)


def _map(node: Node, escape: Callable[[str], str]) -> Shape | None:
    values = None if node.additional is None else shape_of(node.additional, escape)
    if values is None:
        return None
    most = (MOST_REQUEST_BYTES - 2) // (values.least + 6)
    limit = node.checks.max_properties
    return Shape(most if limit is None else max(limit, 0), 2, key=Shape(0, 2), element=values)


def _object(node: Node, escape: Callable[[str], str], *, is_root: bool) -> Shape:
    found = Shape(0, 2)
    properties = dict(node.properties)
    if is_root:
        text = Node(type="string")
        meta = Node(type="object", properties={"name": text, "generateName": text})
        properties |= {"apiVersion": text, "kind": text, "metadata": meta}
    for name, each in properties.items():
        below = shape_of(each, escape)
        if below is None:
            continue
        if escape(name):
            found.fields[escape(name)] = below
        if name in node.required and each.default is None:
            found.least += len(name) + below.least + 4
    return found


def _text(node: Node) -> Shape:
    checks = node.checks
    if checks.format in _TIMES:
        least, most = _TIMES[checks.format]
        return Shape(most, least)
    if checks.max_length is not None:
        return Shape(max(checks.max_length, 0) * (1 if checks.format == "byte" else 4), 2)
    if checks.enum and checks.format != "byte":
        return Shape(max((len(each.encode()) for each in checks.enum if isinstance(each, str)), default=0), 2)
    return Shape(MOST_REQUEST_BYTES - 2, 2)
