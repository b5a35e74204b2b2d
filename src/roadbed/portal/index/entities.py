"""The catalog's rows: one per entity with a JSON document and the few columns that queries need.

Used by ``portal.catalog`` only. Every method is one transaction on the database's threads. A row per
JSON path, as others do it, would be ninety times as many; filters beyond the columns read the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from .database import Database, tables

Column = Literal["kind", "namespace", "name", "type", "owner", "lifecycle", "system", "source"]

_entities = sa.Table(
    "entities",
    tables,
    sa.Column("ref", sa.Text, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("plural", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lifecycle", sa.Text, nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False, index=True),
    sa.Column("search", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("entities_by_kind", "kind", "namespace", "name"),
    sa.Index("entities_by_owner", "owner"),
)
_relations = sa.Table(
    "relations",
    tables,
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("declared_by", sa.Text, nullable=False, index=True),
    sa.PrimaryKeyConstraint("source", "type", "target", "declared_by"),
)

IN_BATCH = 500  # SQLite takes 32,766 variables; a row of entities is fifteen


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One entity as it is stored. ``document`` is its JSON; ``digest`` says whether it changed."""

    ref: str
    uid: str
    kind: str
    namespace: str
    name: str
    plural: str
    title: str
    type: str
    owner: str
    lifecycle: str
    system: str
    source: str
    search: str
    digest: str
    document: str


@dataclass(frozen=True, slots=True)
class RelationRow:
    """One edge, with the reference of the entity that declared it (its reverse has the same)."""

    source: str
    type: str
    target: str
    declared_by: str


@dataclass(frozen=True, slots=True)
class Predicate:
    """What a caller may see, as alternatives; none means nothing at all. An empty field allows any value."""

    everything: bool = False
    allowed: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(namespace, plural, names): all given parts must match."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list: each column must have one of its values; ``text`` words must all occur."""

    columns: Mapping[Column, Sequence[str]] = field(default_factory=dict)
    text: str = ""


class Entities:
    """The entities and relations tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self, source: str, rows: Sequence[EntityRow], relations: Sequence[RelationRow]
    ) -> dict[str, str]:
        """Make ``rows`` all that ``source`` holds; unchanged rows are left alone.

        Returns the references that another source already holds, with that source: those are skipped.
        """
        return await self._database.write(lambda connection: _replace(connection, source, rows, relations))

    async def forget(self, keep: Iterable[str]) -> int:
        """Drop what belongs to no source in ``keep``; returns how many entities went."""
        kept = set(keep)

        def drop(connection: Connection) -> int:
            known = connection.execute(sa.select(_entities.c.source).distinct()).scalars().all()
            gone = [source for source in known if source not in kept]
            return sum(_drop_source(connection, source) for source in gone)

        return await self._database.write(drop)

    async def page(
        self,
        wanted: Filter,
        may: Predicate,
        *,
        order: Sequence[str] = ("name",),
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[EntityRow], int]:
        """Give one page and how many rows match in all; ``-column`` sorts downwards."""
        condition = _condition(wanted, may)

        def ask(connection: Connection) -> tuple[list[EntityRow], int]:
            total = connection.execute(
                sa.select(sa.func.count()).select_from(_entities).where(condition)
            ).scalar_one()
            statement = (
                sa.select(_entities).where(condition).order_by(*_order(order)).limit(limit).offset(offset)
            )
            return [EntityRow(**row) for row in connection.execute(statement).mappings()], total

        return await self._database.read(ask)

    async def facets(
        self, columns: Sequence[Column], wanted: Filter, may: Predicate
    ) -> dict[Column, list[tuple[str, int]]]:
        """Count the values of each column, most frequent first.

        A column's own choice does not narrow its own counts, so that a reader can add a second value.
        """
        narrowed = [column for column in columns if wanted.columns.get(column)]
        others = [column for column in columns if column not in narrowed]

        def ask(connection: Connection) -> dict[Column, list[tuple[str, int]]]:
            found = _count_together(connection, others, _condition(wanted, may))
            for column in narrowed:
                rest = {key: value for key, value in wanted.columns.items() if key != column}
                found |= _count_together(connection, [column], _condition(Filter(rest, wanted.text), may))
            return {column: found[column] for column in columns}

        return await self._database.read(ask)

    async def find(self, refs: Sequence[str], may: Predicate) -> dict[str, EntityRow]:
        """Give the entities that exist and may be seen, by reference."""
        condition = _may(may)

        def ask(connection: Connection) -> dict[str, EntityRow]:
            found: dict[str, EntityRow] = {}
            for start in range(0, len(refs), IN_BATCH):
                statement = sa.select(_entities).where(
                    _entities.c.ref.in_(refs[start : start + IN_BATCH]), condition
                )
                found |= {row["ref"]: EntityRow(**row) for row in connection.execute(statement).mappings()}
            return found

        return await self._database.read(ask)

    async def relations(self, refs: Sequence[str]) -> list[RelationRow]:
        """Give the edges that start at ``refs``, ordered by type and target, once for each that declares it."""
        statement = (
            sa.select(_relations.c.source, _relations.c.type, _relations.c.target, _relations.c.declared_by)
            .where(_relations.c.source.in_(refs))
            .order_by(_relations.c.type, _relations.c.target)
        )
        return await self._database.read(
            lambda connection: [RelationRow(*row) for row in connection.execute(statement)]
        )

    async def namespaces(self) -> list[str]:
        """Give the namespaces that hold entities."""
        statement = sa.select(_entities.c.namespace).distinct().order_by(_entities.c.namespace)
        return await self._database.read(lambda connection: list(connection.execute(statement).scalars()))


def _replace(
    connection: Connection, source: str, rows: Sequence[EntityRow], relations: Sequence[RelationRow]
) -> dict[str, str]:
    others = sa.select(_entities.c.ref, _entities.c.source).where(_entities.c.source != source)
    held = {row.ref: row.source for row in connection.execute(others)}
    taken = {row.ref: held[row.ref] for row in rows if row.ref in held}
    mine = [row for row in rows if row.ref not in taken]
    own = sa.select(_entities.c.ref, _entities.c.digest).where(_entities.c.source == source)
    known = {row.ref: row.digest for row in connection.execute(own)}
    changed = [row for row in mine if known.get(row.ref) != row.digest]
    gone = known.keys() - {row.ref for row in mine}
    _drop(connection, [*gone, *(row.ref for row in changed)])
    refs = {row.ref for row in changed}
    _insert(
        connection, _entities, [{name: getattr(row, name) for name in EntityRow.__slots__} for row in changed]
    )
    edges = dict.fromkeys(edge for edge in relations if edge.declared_by in refs)
    _insert(
        connection,
        _relations,
        [{name: getattr(edge, name) for name in RelationRow.__slots__} for edge in edges],
    )
    return taken


def _insert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _drop_source(connection: Connection, source: str) -> int:
    refs = connection.execute(sa.select(_entities.c.ref).where(_entities.c.source == source)).scalars().all()
    _drop(connection, list(refs))
    return len(refs)


def _drop(connection: Connection, refs: list[str]) -> None:
    for start in range(0, len(refs), IN_BATCH):
        batch = refs[start : start + IN_BATCH]
        connection.execute(sa.delete(_entities).where(_entities.c.ref.in_(batch)))
        connection.execute(sa.delete(_relations).where(_relations.c.declared_by.in_(batch)))


def _count_together(
    connection: Connection, columns: Sequence[Column], condition: ColumnElement[bool]
) -> dict[Column, list[tuple[str, int]]]:
    """Count several columns' values over one scan of what matches."""
    if not columns:
        return {}
    matching = sa.select(*(_entities.c[column] for column in columns)).where(condition).cte("matching")
    counts = sa.union_all(
        *(
            sa.select(sa.literal(column), matching.c[column], sa.func.count())
            .where(matching.c[column] != "")
            .group_by(matching.c[column])
            for column in columns
        )
    )
    found: dict[Column, list[tuple[str, int]]] = {column: [] for column in columns}
    for column, value, count in connection.execute(counts):
        found[column].append((value, count))
    for values in found.values():
        values.sort(key=lambda item: (-item[1], item[0]))
    return found


def _condition(wanted: Filter, may: Predicate) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [_may(may)]
    parts += [_entities.c[column].in_(list(values)) for column, values in wanted.columns.items() if values]
    parts += [_entities.c.search.contains(word, autoescape=True) for word in wanted.text.lower().split()]
    return sa.and_(*parts)


def _may(may: Predicate) -> ColumnElement[bool]:
    if may.everything:
        return sa.true()
    return sa.or_(sa.false(), *(_alternative(*allowed) for allowed in may.allowed))


def _alternative(namespace: str, plural: str, names: tuple[str, ...]) -> ColumnElement[bool]:
    columns: list[tuple[sa.Column[Any], Callable[[sa.Column[Any]], ColumnElement[bool]]]] = []
    if namespace:
        columns.append((_entities.c.namespace, lambda column: column == namespace))
    if plural:
        columns.append((_entities.c.plural, lambda column: column == plural))
    if names:
        columns.append((_entities.c.name, lambda column: column.in_(names)))
    return sa.and_(sa.true(), *(compare(column) for column, compare in columns))


def _order(order: Sequence[str]) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = []
    for name in [*order, "ref"]:
        column = _entities.c[name.removeprefix("-")]
        found.append(column.desc() if name.startswith("-") else column.asc())
    return found
