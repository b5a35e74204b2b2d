"""A kind's schema, compiled: what the API server asks of it, in the order Kubernetes asks.

Compiled once when a CRD version (or a built-in kind) is installed, then shared by all requests:
``prune`` → ``default`` → ``validate`` on the way in, ``default`` again on the way out of storage.
``prune`` and ``default`` change the object they are given; callers own it (``copy.deepcopy`` or a
fresh decode). CEL rules are found here (``rules``) and evaluated elsewhere.

Sources: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Cause
from .nodes import Node, Resolver, compile_node
from .request import Object


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """The schema of whole objects of one kind and version."""

    root: Node

    @classmethod
    def compile(cls, openapi: Mapping[str, Any], *, resolve: Resolver | None = None) -> Schema:
        """Compile an OpenAPI v3 schema; ``resolve`` gives the schema behind a ``$ref``.

        Raises:
            ValueError: a ``$ref`` that nothing resolves, or a schema nested too deep.
        """
        return cls(compile_node(openapi, resolve))

    def prune(self, obj: Object) -> list[str]:
        """Drop the fields that the schema doesn't know, in place; give their paths, sorted.

        ``apiVersion``, ``kind`` and ``metadata`` stay; metadata (the object's and every embedded
        resource's) is coerced to ObjectMeta, unknown and mistyped members of it dropped.
        """
        raise NotImplementedError

    def default(self, obj: Object) -> None:
        """Fill in defaults, in place; a null where null is not allowed and a default exists counts as absent."""
        raise NotImplementedError

    def validate(self, obj: Object, *, old: Object | None = None) -> list[Cause]:
        """Give every violation, in Kubernetes' words, in schema order; empty means valid.

        With ``old``, violations inside values that did not change are left out (ratcheting).
        """
        raise NotImplementedError

    def unknown_fields(self, obj: Object) -> list[str]:
        """Give the paths that ``prune`` would drop, sorted, without changing anything."""
        raise NotImplementedError

    def rules(self, obj: Object) -> Iterator[tuple[str, Node, Any]]:
        """Yield (path, node, value) for every value whose node has CEL rules, outermost first."""
        raise NotImplementedError
