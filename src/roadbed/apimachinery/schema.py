"""A kind's schema, compiled: what the API server asks of it, in the order Kubernetes asks.

Compiled once when a CRD version (or a built-in kind) is installed, then shared by all requests:
``prune`` → ``default`` → ``validate`` on the way in, ``prune`` and ``default`` again on the way out of
storage (the schema may have changed since). ``prune`` and ``default`` change the object they are given;
callers own it (a fresh decode, or ``copy_json``). CEL rules are found here (``rules``) and evaluated
elsewhere.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import marks
from .causes import ROOT
from .defaulting import default_object
from .errors import Cause
from .fastpath import quick_check
from .nodes import Node, Resolver, compile_node
from .pruning import prune
from .request import Object
from .validation import UNCORRELATED, validate_value

__all__ = ["Schema"]


class Schema:
    """The schema of whole objects of one kind and version; never changes once compiled."""

    __slots__ = ("_embeds_defaults", "_quick_check", "root")

    def __init__(self, root: Node) -> None:
        self.root = root
        self._quick_check: Callable[[Any], bool] | None = None  # made when first asked: many never are
        self._embeds_defaults: bool | None = None  # as above

    @classmethod
    def compile(cls, openapi: Mapping[str, Any], *, resolve: Resolver | None = None) -> Schema:
        """Compile an OpenAPI v3 schema; ``resolve`` gives the schema behind a ``$ref``.

        Raises:
            ValueError: a ``$ref`` that nothing resolves, or a schema nested too deep.
        """
        return cls(compile_node(openapi, resolve))

    def prune(self, obj: Object, *, drop_invalid: bool = False, is_sorted: bool = True) -> list[str]:
        """Drop the fields that the schema doesn't know, in place; give their paths, sorted or as they stand.

        ``apiVersion``, ``kind`` and ``metadata`` stay. Metadata (the object's and every embedded
        resource's) is coerced to ObjectMeta: unknown and empty members of it are dropped. Mistyped ones
        are too with ``drop_invalid``, which is for what was stored before.

        Raises:
            BadRequestError: metadata has a member of the wrong type.
        """
        return prune(self.root, obj, drop_invalid=drop_invalid, is_sorted=is_sorted)

    def default(self, obj: Object) -> None:
        """Fill in defaults, in place; a null where null isn't allowed becomes the default or is dropped."""
        default_object(self.root, obj)
        if self._embeds_defaults is None:
            self._embeds_defaults = self.root.holds_marks and _embeds_defaults(self.root)
        if self._embeds_defaults:
            # A default may hold what metadata of an embedded resource has not.
            prune(self.root, obj, drop_invalid=True)

    def validate(self, obj: Object, *, old: Object | None = None, part: str = "") -> list[Cause]:
        """Give every violation, in Kubernetes' words, in schema order; empty means valid.

        With ``old``, violations inside values that did not change are left out (ratcheting), as are
        repeated list items where ``old`` had some too. With ``part``, only that member is held to its schema.
        """
        if self._quick_check is None:
            self._quick_check = quick_check(self.root)
        found: list[Cause] = []
        if not self._quick_check(obj):
            if part:
                found = self._validate_part(obj, old, part)
            else:
                found = validate_value(self.root, obj, old=UNCORRELATED if old is None else old)
        if self.root.holds_marks:
            wants_lists = old is None or not marks.has_repeats(self.root, old)
            found += marks.judge(self.root, obj, lists=wants_lists)
        return found

    def _validate_part(self, obj: Object, old: Object | None, part: str) -> list[Cause]:
        """Judge one member by a schema of its own: as Kubernetes, whose words then name places below it."""
        node = self.root.properties.get(part)
        if node is None or part not in obj:
            return []
        before = UNCORRELATED if old is None or part not in old else old[part]
        found = validate_value(node, obj[part], old=before)
        return [
            Cause(each.reason, each.message, part if each.field in ("", ROOT) else f"{part}.{each.field}")
            for each in found
        ]

    def rules(self, obj: Object) -> Iterator[tuple[str, Node, Any]]:
        """Yield (path, node, value) for every value whose node has CEL rules, outermost first."""
        return _rules(self.root, obj, "")


def _embeds_defaults(root: Node) -> bool:
    """Say whether a schema has embedded resources, and defaults anywhere."""
    seen: dict[int, Node] = {}
    left = [root]
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        below = [*node.properties.values(), node.additional, node.items]
        left.extend(each for each in below if each is not None)
    has_defaults = any(node.defaulted or node.default is not None for node in seen.values())
    return has_defaults and any(node.embedded_resource for node in seen.values())


def _rules(node: Node, value: Any, path: str) -> Iterator[tuple[str, Node, Any]]:
    if not node.holds_rules:
        return
    if node.rules:
        yield path, node, value
    for child, each, below in marks.children(node, value, path):
        yield from _rules(child, each, below)
