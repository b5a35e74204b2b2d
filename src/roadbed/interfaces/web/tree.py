"""The tree under an object: composite → composed → external resource, with the health of each.

``grow`` reads it through the caller's client, so a node that the person may not see stays a node without
content. Called by the resource page and its live stream, which reads the whole tree again on a change.
It follows references down, never owner references up, and stops at a depth and a number of nodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from roadbed.apimachinery.errors import ApiError, ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import annotations_of, gvk_of, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation
from roadbed.client import Client

from .health import RANK, Health, health_of

MOST_DEPTH = 8
MOST_NODES = 500
AT_ONCE = 32  # reads in flight for one page


@dataclass(frozen=True, slots=True)
class Node:
    """One object of the tree; ``obj`` is None where it is missing or may not be seen."""

    gvk: GVK
    namespace: str
    name: str
    health: Health
    depth: int
    slot: str = ""
    external: str = ""
    created: str = ""
    obj: Object | None = None
    resource: Resource | None = None
    children: tuple[Node, ...] = ()

    @property
    def id(self) -> str:
        """A name for this place in the page, the same as long as the object is."""
        return "-".join(
            part.replace(".", "_")
            for part in (self.gvk.kind, self.namespace, self.name, str(self.depth))
            if part
        )

    def walk(self) -> Iterator[Node]:
        """Give this node, then everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def cause(self) -> Node:
        """The deepest of the worst nodes: what a reader should be told first."""
        return min(self.walk(), key=lambda node: (RANK[node.health.state], -node.depth))


@dataclass(frozen=True, slots=True)
class Target:
    """Something to watch so that the tree stays true."""

    resource: Resource
    namespace: str
    name: str = ""


@dataclass(slots=True)
class _Growth:
    client: Client
    left: int = MOST_NODES
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    seen: set[tuple[GVK, str, str]] = field(default_factory=set)


async def grow(client: Client, resource: Resource, obj: Object) -> Node:
    """Read everything below ``obj``."""
    return await _node(_Growth(client), resource, obj, 0)


def targets_of(root: Node) -> frozenset[Target]:
    """Give what to watch: the root by name, every other kind in its namespace."""
    found = {
        Target(node.resource, node.namespace)
        for child in root.children
        for node in child.walk()
        if node.resource is not None
    }
    if root.resource is not None:
        found.add(Target(root.resource, root.namespace, root.name))
    return frozenset(found)


def references_of(obj: Object) -> list[dict[str, Any]]:
    """Give the references to composed objects, where Crossplane v2, v1 and claims keep them."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return []
    machinery = spec.get("crossplane")
    places = [
        machinery.get("resourceRefs") if isinstance(machinery, dict) else None,
        spec.get("resourceRefs"),
    ]
    found = [reference for place in places if isinstance(place, list) for reference in place]
    if isinstance(spec.get("resourceRef"), dict):
        found.append(spec["resourceRef"])
    return [reference for reference in found if isinstance(reference, dict) and reference.get("kind")]


async def _node(growth: _Growth, resource: Resource, obj: Object, depth: int) -> Node:
    namespace = namespace_of(obj)
    growth.seen.add((gvk_of(obj), namespace, name_of(obj)))
    below: list[Node] = []
    if depth < MOST_DEPTH:
        wanted = [(reference, namespace) for reference in references_of(obj)]
        wanted = [item for item in wanted if _is_new(growth, *item)][: max(0, growth.left)]
        growth.left -= len(wanted)
        below = list(
            await asyncio.gather(
                *(_child(growth, reference, beside, depth + 1) for reference, beside in wanted)
            )
        )
    expects = bool({"composite", "claim", "managed"}.intersection(resource.categories)) or bool(below)
    annotations = annotations_of(obj)
    return Node(
        gvk=gvk_of(obj),
        namespace=namespace,
        name=name_of(obj),
        health=health_of(obj, is_reconciled=expects or "status" in obj),
        depth=depth,
        slot=annotations.get(Annotation.RESOURCE_NAME, ""),
        external=annotations.get(Annotation.EXTERNAL_NAME, "") if not below else "",
        created=str(metadata(obj).get("creationTimestamp") or ""),
        obj=obj,
        resource=resource,
        children=tuple(sorted(below, key=lambda child: (child.slot, child.gvk.kind, child.name))),
    )


def _is_new(growth: _Growth, reference: dict[str, Any], beside: str) -> bool:
    # A reference back to something above would go round for ever.
    gvk = _gvk(reference)
    namespace, name = str(reference.get("namespace") or beside), str(reference.get("name") or "")
    if (gvk, namespace, name) in growth.seen or (gvk, "", name) in growth.seen:
        return False
    growth.seen.add((gvk, namespace, name))
    return True


async def _child(growth: _Growth, reference: dict[str, Any], beside: str, depth: int) -> Node:
    gvk = _gvk(reference)
    namespace, name = str(reference.get("namespace") or beside), str(reference.get("name") or "")
    blank = Node(gvk, namespace, name, Health("missing", "Not created yet."), depth)
    if not name:
        return blank
    try:
        resource = await growth.client.resource_for(gvk)
    except NotFoundError:
        sentence = f"No kind {gvk.kind} is served in {gvk.api_version}: install the provider or definition that serves it."
        return replace(blank, health=Health("missing", sentence, "NoKind"))
    namespace = namespace if resource.namespaced else ""
    blank = replace(blank, namespace=namespace, resource=resource)
    try:
        async with growth.gate:
            obj = await growth.client.get(resource, name, namespace)
    except NotFoundError:
        return replace(
            blank, health=Health("missing", f"{gvk.kind} {name} does not exist (any more).", "NotFound")
        )
    except ForbiddenError:
        sentence = f"You may not see it: ask for the right to get {resource.qualified}" + (
            f" in namespace {namespace}." if namespace else "."
        )
        return replace(blank, health=Health("unknown", sentence, "Forbidden"))
    except ApiError as error:
        return replace(blank, health=Health("unknown", error.message, error.reason))
    return await _node(growth, resource, obj, depth)


def _gvk(reference: dict[str, Any]) -> GVK:
    group, _, version = str(reference.get("apiVersion") or "v1").rpartition("/")
    return GVK(group, version, str(reference["kind"]))
