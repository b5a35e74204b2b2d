"""Objects of many kinds in one list, as one person sees them. Called by Resources, Home and search.

What a row says depends on the object's bytes alone, so rows are remembered by them: a page of 500 objects of
which one changed decodes one. The list itself is read anew each time, as the person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from roadbed.apimachinery.errors import ForbiddenError, MethodNotAllowedError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import annotations_of, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation
from roadbed.client import Client

from .health import RANK, Health, health_of
from .tree import Node, grow, references_of

RECONCILED = frozenset({"composite", "claim", "managed", "pkg"})
MOST_DEEPENED = 16  # each costs a read per object below it, and a page has 30 ms
REMEMBERED = 4096  # rows; with their objects' bytes some 12 MB at most, and in process those are shared with the server
_SECRETS = ("", "secrets")  # values that nobody should find in a cache


Namespaces = Callable[[], Awaitable[Sequence[str]]]


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
    encoded: bytes = b""
    """The object itself, kept only where there may be something below it that explains its state."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found, and the kinds that the person may not list."""

    rows: list[Row]
    denied: list[Resource]
    places: list[tuple[Resource, str]]
    """Where the rows come from, for whoever wants to follow them: a resource, and one namespace or all (empty)."""


async def gather(
    client: Client, resources: Iterable[Resource], namespace: str = "", *, elsewhere: Namespaces | None = None
) -> Listing:
    """List every resource (the namespaced ones only, where a namespace is given).

    Who may not list a resource in all namespaces at once gets it from those of ``elsewhere`` in which they may.
    """
    wanted = [resource for resource in resources if resource.namespaced or not namespace]
    answers = await asyncio.gather(*(_list(client, resource, namespace) for resource in wanted))
    listing = Listing([], [], [])
    for resource, found in zip(wanted, answers, strict=True):
        if found is not None:
            listing.rows.extend(found)
            listing.places.append((resource, namespace))
        elif namespace or not resource.namespaced or elsewhere is None:
            listing.denied.append(resource)
        else:
            await _one_by_one(client, resource, await elsewhere(), listing)
    return listing


async def _one_by_one(client: Client, resource: Resource, namespaces: Sequence[str], into: Listing) -> None:
    answers = await asyncio.gather(*(_list(client, resource, namespace) for namespace in namespaces))
    allowed = [(name, found) for name, found in zip(namespaces, answers, strict=True) if found is not None]
    for namespace, found in allowed:
        into.rows.extend(found)
        into.places.append((resource, namespace))
    if not allowed:
        into.denied.append(resource)


async def _list(client: Client, resource: Resource, namespace: str) -> list[Row] | None:
    try:
        found = await client.read_all(resource, namespace)
    except ForbiddenError:
        return None
    except (NotFoundError, MethodNotAllowedError):
        return []  # its definition went between discovery and now, or it has no list
    is_reconciled = bool(RECONCILED & set(resource.categories))
    read = _read if (resource.group, resource.plural) == _SECRETS else _remembered
    return [read(resource, encoded, is_reconciled) for encoded in found.items]


async def deepen(client: Client, rows: Sequence[Row]) -> list[Row]:
    """Give each unwell composite the state of the deepest cause below it, for the first ``MOST_DEEPENED``."""
    unwell = [row for row in rows if row.encoded and row.health.state != "healthy"][:MOST_DEEPENED]
    roots = await asyncio.gather(
        *(grow(client, row.resource, _decoded(row.resource, row.encoded)) for row in unwell)
    )
    deeper = {row.uid: _caused(row, root) for row, root in zip(unwell, roots, strict=True)}
    return [deeper.get(row.uid, row) for row in rows]


def _caused(row: Row, root: Node) -> Row:
    cause = root.cause
    if cause.depth == 0:
        return row
    sentence = f"{cause.gvk.kind} {cause.name}: {cause.health.sentence}"
    return replace(row, health=replace(cause.health, sentence=sentence))


def _read(resource: Resource, encoded: bytes, is_reconciled: bool) -> Row:
    obj = _decoded(resource, encoded)
    has_conditions = bool((obj.get("status") or {}).get("conditions"))
    return Row(
        resource=resource,
        namespace=namespace_of(obj),
        name=name_of(obj),
        health=health_of(obj, is_reconciled=is_reconciled or has_conditions),
        external=annotations_of(obj).get(Annotation.EXTERNAL_NAME, ""),
        created=str(metadata(obj).get("creationTimestamp") or ""),
        uid=str(metadata(obj).get("uid") or ""),
        encoded=encoded if references_of(obj) else b"",
    )


_remembered = lru_cache(maxsize=REMEMBERED)(_read)


def _decoded(resource: Resource, encoded: bytes) -> Object:
    # Items of a typed list may leave out what the list says.
    return {"apiVersion": resource.api_version, "kind": resource.kind, **orjson.loads(encoded)}


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
