"""Objects of many kinds in one list, as one person sees them. Called by Resources and Home."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from roadbed.apimachinery.errors import ForbiddenError, MethodNotAllowedError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import annotations_of, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation
from roadbed.client import Client

from .health import RANK, Health, health_of
from .tree import Node, grow, references_of

RECONCILED = frozenset({"composite", "claim", "managed", "pkg"})
MOST_DEEPENED = 40  # each costs a read per object below it, and a page has 30 ms


@dataclass(frozen=True, slots=True)
class Row:
    """One object in a list."""

    resource: Resource
    namespace: str
    name: str
    health: Health
    external: str
    created: str
    uid: str
    obj: Object | None = None
    """The object itself, kept only where there may be something below it that explains its state."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found, and the kinds that the person may not list."""

    rows: Sequence[Row]
    denied: Sequence[Resource]


async def gather(client: Client, resources: Iterable[Resource], namespace: str = "") -> Listing:
    """List every resource (the namespaced ones only, where a namespace is given)."""
    wanted = [resource for resource in resources if resource.namespaced or not namespace]
    answers = await asyncio.gather(*(_list(client, resource, namespace) for resource in wanted))
    rows = [row for found in answers if found is not None for row in found]
    denied = [resource for resource, found in zip(wanted, answers, strict=True) if found is None]
    return Listing(rows, denied)


async def _list(client: Client, resource: Resource, namespace: str) -> list[Row] | None:
    try:
        found = await client.list(resource, namespace)
    except ForbiddenError:
        return None
    except (NotFoundError, MethodNotAllowedError):
        return []  # its definition went between discovery and now, or it has no list
    is_reconciled = bool(RECONCILED & set(resource.categories))
    return [row_of(resource, obj, is_reconciled=is_reconciled) for obj in found]


async def deepen(client: Client, rows: Sequence[Row]) -> list[Row]:
    """Give each unwell composite the state of the deepest cause below it, for the first ``MOST_DEEPENED``."""
    unwell = [row for row in rows if row.obj is not None and row.health.state != "healthy"][:MOST_DEEPENED]
    roots = await asyncio.gather(*(grow(client, row.resource, row.obj or {}) for row in unwell))
    deeper = {row.uid: _caused(row, root) for row, root in zip(unwell, roots, strict=True)}
    return [deeper.get(row.uid, row) for row in rows]


def _caused(row: Row, root: Node) -> Row:
    cause = root.cause
    if cause.depth == 0:
        return row
    sentence = f"{cause.gvk.kind} {cause.name}: {cause.health.sentence}"
    return replace(row, health=replace(cause.health, sentence=sentence))


def row_of(resource: Resource, obj: Object, *, is_reconciled: bool) -> Row:
    """Give the row of one object."""
    return Row(
        resource=resource,
        namespace=namespace_of(obj),
        name=name_of(obj),
        health=health_of(
            obj, is_reconciled=is_reconciled or bool((obj.get("status") or {}).get("conditions"))
        ),
        external=annotations_of(obj).get(Annotation.EXTERNAL_NAME, ""),
        created=str(metadata(obj).get("creationTimestamp") or ""),
        uid=str(metadata(obj).get("uid") or ""),
        obj=obj if references_of(obj) else None,
    )


def sort(rows: Iterable[Row], order: str) -> list[Row]:
    """Sort by a column; ``-`` first means downwards. Unknown columns sort by name."""
    keys = {
        "status": lambda row: (RANK[row.health.state], row.name),
        "kind": lambda row: (row.resource.kind, row.namespace, row.name),
        "name": lambda row: (row.name, row.namespace),
        "namespace": lambda row: (row.namespace, row.name),
        "external": lambda row: (row.external == "", row.external),
        "age": lambda row: (row.created, row.name),
    }
    column = order.removeprefix("-")
    return sorted(rows, key=keys.get(column, keys["name"]), reverse=order.startswith("-"))
