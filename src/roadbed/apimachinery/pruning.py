"""Dropping what a schema doesn't know, and bringing metadata into ObjectMeta's shape.

Called through ``Schema``, on every write and on every read from storage. Changes the object in place.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning and …/objectmeta.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import objectmeta
from .nodes import OPAQUE, Node

META: Final = frozenset(("apiVersion", "kind", "metadata"))


def prune(root: Node, obj: dict[str, Any], *, drop_invalid: bool, is_sorted: bool = True) -> list[str]:
    """Prune a whole object; give the paths dropped: of its metadata, of itself, of embedded metadata, each sorted.

    Without ``is_sorted`` they come in the order in which they stand, as a decoder meets them.

    Raises:
        BadRequestError: metadata of the object or of an embedded resource has a wrong type, and
            ``drop_invalid`` is off.
    """
    walk = _Pruning(drop_invalid=drop_invalid)
    walk.metadata(obj, "")
    ordered = sorted if is_sorted else list
    own = ordered(walk.misnamed)
    walk.misnamed.clear()
    walk.object(root, obj, "", keep=root.preserve_unknown, resource=True)
    return [*own, *ordered(walk.unknown), *ordered(walk.misnamed)]


class _Pruning:
    """One walk; ``unknown`` collects the paths of what has no schema, ``misnamed`` of what metadata has not."""

    __slots__ = ("_drop_invalid", "misnamed", "unknown")

    def __init__(self, *, drop_invalid: bool) -> None:
        self._drop_invalid = drop_invalid
        self.unknown: list[str] = []
        self.misnamed: list[str] = []

    def metadata(self, obj: dict[str, Any], path: str) -> None:
        prefix = f"{path}." if path else ""
        metadata = obj.get("metadata")
        if metadata is not None:
            coerced, unknown = objectmeta.coerce(
                metadata, f"{prefix}metadata", drop_invalid=self._drop_invalid
            )
            self.misnamed += unknown
            obj["metadata"] = coerced

    def object(
        self, node: Node, value: dict[str, Any], path: str, *, keep: bool, resource: bool = False
    ) -> None:
        properties: Mapping[str, Node | None] = node.properties
        additional = node.additional
        unknown: list[str] | None = None
        for name, each in value.items():
            if resource and name in META:
                continue
            child = properties.get(name, additional)
            if child is None:
                if not keep:
                    unknown = [name] if unknown is None else [*unknown, name]
                    self.unknown.append(f"{path}.{name}" if path else name)
                continue
            kind = type(each)
            if kind is dict:
                below = f"{path}.{name}" if path else name
                if child.embedded_resource:
                    self.metadata(each, below)
                self.object(child, each, below, keep=child.preserve_unknown, resource=child.embedded_resource)
            elif kind is list:
                self.array(child, each, f"{path}.{name}" if path else name, keep=child.preserve_unknown)
        for name in unknown or ():
            del value[name]

    def array(self, node: Node, value: list[Any], path: str, *, keep: bool) -> None:
        if node.items is None and keep:
            return
        items = node.items or OPAQUE
        # What an array preserves, its items preserve: the one place where the mark is inherited.
        keep = keep or items.preserve_unknown
        for index, each in enumerate(value):
            kind = type(each)
            if kind is dict:
                below = f"{path}[{index}]"
                if items.embedded_resource:
                    self.metadata(each, below)
                self.object(items, each, below, keep=keep, resource=items.embedded_resource)
            elif kind is list:
                self.array(items, each, f"{path}[{index}]", keep=keep)


def prune_value(node: Node, value: Any) -> list[str]:
    """Prune a value that is no whole object (a default in a schema); give the paths of what has no schema.

    What metadata of embedded resources has not is dropped, too, and not told, as in Kubernetes.

    Raises:
        BadRequestError: metadata of an embedded resource has a wrong type.
    """
    walk = _Pruning(drop_invalid=False)
    if type(value) is dict:
        if node.embedded_resource:
            walk.metadata(value, "")
        walk.object(node, value, "", keep=node.preserve_unknown, resource=node.embedded_resource)
    elif type(value) is list:
        walk.array(node, value, "", keep=node.preserve_unknown)
    return sorted(walk.unknown)
