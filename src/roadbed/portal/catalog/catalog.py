"""The catalog that people ask: lists with facets and text, entities by reference, their relations.

Interfaces call it from any task; every question carries an ``Access`` and sees nothing beyond it. It is
fed by the Source reconciler alone. It keeps nothing but rows in the index, which it can lose at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from roadbed.portal.index import Database, Entities, EntityRow, Filter, RelationRow

from . import entity as entities
from .access import Access
from .entity import Entity, Ref
from .folder import Found

FACETS = ("kind", "type", "owner", "lifecycle", "system", "namespace")
SORTABLE = frozenset({"name", "kind", "type", "owner", "lifecycle", "system", "namespace"})
MOST_ON_PAGE = 500


@dataclass(frozen=True, slots=True)
class Query:
    """What to list. ``where`` maps a facet to the wanted values; ``order`` is a facet or ``name``, ``-`` downwards."""

    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    text: str = ""
    order: str = "name"
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """An entity with what lists show of it; owner and system are references in full."""

    ref: Ref
    uid: str
    title: str
    type: str
    owner: str
    lifecycle: str
    system: str
    source: str
    entity: Entity


@dataclass(frozen=True, slots=True)
class EntityPage:
    """One page, how many match in all, and the values by which they can be narrowed."""

    entries: list[Entry]
    total: int
    facets: dict[str, list[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Link:
    """One relation as a reader meets it; ``entry`` is None where the target is unknown or not to be seen."""

    type: str
    target: Ref
    entry: Entry | None


class Catalog:
    """Answers questions about entities."""

    def __init__(self, database: Database) -> None:
        self._rows = Entities(database)

    async def list(self, query: Query, access: Access) -> EntityPage:
        """Give one page of what matches and may be seen; unknown facets and orders raise ValueError."""
        wanted = _filter(query)
        if query.order.removeprefix("-") not in SORTABLE:
            raise ValueError(f"cannot order by {query.order!r}: choose one of {', '.join(sorted(SORTABLE))}")
        limit = max(0, min(query.limit, MOST_ON_PAGE))
        rows, total = await self._rows.page(
            wanted, access.predicate, order=(query.order, "name"), limit=limit, offset=max(0, query.offset)
        )
        facets = await self._rows.facets(cast("Any", FACETS), wanted, access.predicate)
        return EntityPage([_entry(row) for row in rows], total, dict(facets))  # type: ignore[arg-type]

    async def find(self, ref: Ref, access: Access) -> Entry | None:
        """Give one entity, or None where there is none or it may not be seen."""
        found = await self._rows.find([str(ref)], access.predicate)
        return _entry(found[str(ref)]) if found else None

    async def relations(self, ref: Ref, access: Access) -> Sequence[Link]:
        """Give the relations of one entity, ordered by type and target; targets need not exist.

        What only a hidden entity declares (that it is owned by this one, say) stays as hidden as that entity.
        """
        edges = await self._rows.relations([str(ref)])
        known = await self._rows.find([edge.target for edge in edges], access.predicate)
        seen = [edge for edge in edges if edge.declared_by == str(ref) or edge.target in known]
        once = dict.fromkeys((edge.type, edge.target) for edge in seen)
        return [
            Link(kind, Ref.parse(target), _entry(known[target]) if target in known else None)
            for kind, target in once
        ]

    async def namespaces(self) -> Sequence[str]:
        """Give the namespaces that hold entities; permissions are compiled from these."""
        return await self._rows.namespaces()

    async def replace(self, source: str, found: Sequence[Found]) -> dict[Ref, str]:
        """Make ``found`` all that ``source`` gives; called by the Source reconciler.

        Returns the references that another source holds already, with that source: it keeps them.
        """
        rows: dict[str, EntityRow] = {}
        edges: list[RelationRow] = []
        for item in found:
            row = _row(source, item)
            rows.setdefault(row.ref, row)  # the first file keeps the name; the reconciler reports the second
            for relation in entities.relations_of(item.entity):
                edges += [
                    RelationRow(str(way.source), way.type, str(way.target), row.ref)
                    for way in (relation, relation.reverse())
                ]
        taken = await self._rows.replace(source, list(rows.values()), edges)
        return {Ref.parse(ref): holder for ref, holder in taken.items()}

    async def keep_sources(self, sources: Sequence[str]) -> int:
        """Drop the entities of every other source; returns how many went."""
        return await self._rows.forget(sources)


def _filter(query: Query) -> Filter:
    unknown = [name for name in query.where if name not in FACETS]
    if unknown:
        raise ValueError(f"cannot filter by {unknown[0]!r}: choose one of {', '.join(FACETS)}")
    return Filter(cast("Any", {name: list(values) for name, values in query.where.items()}), query.text)


def _row(source: str, item: Found) -> EntityRow:
    entity = item.entity
    ref = entities.ref_of(entity)
    meta, spec = entity["metadata"], entity.get("spec") or {}
    stored = _complete(entity, ref, source, item)
    document = orjson.dumps(stored)
    title = str(meta.get("title") or meta["name"])
    tags = " ".join(meta.get("tags") or [])
    search = f"{title} {ref.name} {ref.kind} {spec.get('type', '')} {tags} {meta.get('description', '')}"
    return EntityRow(
        ref=str(ref),
        uid=ref.uid,
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        plural=entities.plural_of(ref.kind),
        title=title,
        type=str(spec.get("type") or ""),
        owner=_reference(spec.get("owner"), "group", ref),
        lifecycle=str(spec.get("lifecycle") or ""),
        system=_reference(spec.get("system"), "system", ref),
        source=source,
        search=search.lower()[:2000],
        digest=hashlib.blake2b(document, digest_size=16).hexdigest(),
        document=document.decode(),
    )


def _complete(entity: Entity, ref: Ref, source: str, item: Found) -> Entity:
    meta = entity["metadata"]
    annotations = {
        "backstage.io/managed-by-location": f"file:{item.file}",
        "backstage.io/managed-by-origin-location": f"source:{source}",
        **(meta.get("annotations") or {}),
    }
    filled = {
        **meta,
        "namespace": meta.get("namespace") or ref.namespace,
        "uid": ref.uid,
        "annotations": annotations,
    }
    return {**entity, "metadata": filled}


def _reference(text: Any, kind: str, beside: Ref) -> str:
    return (
        str(Ref.parse(text, kind=kind, namespace=beside.namespace)) if isinstance(text, str) and text else ""
    )


def _entry(row: EntityRow) -> Entry:
    return Entry(
        Ref(row.kind, row.namespace, row.name),
        row.uid,
        row.title,
        row.type,
        row.owner,
        row.lifecycle,
        row.system,
        row.source,
        orjson.loads(row.document),
    )
