"""Home: what is mine, what needs somebody, what I can order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.responses import Response

from roadbed.interfaces.web import definitions
from roadbed.interfaces.web.health import RANK
from roadbed.interfaces.web.listing import Listing, Row, deepen, gather
from roadbed.interfaces.web.portal import Visit, groups_of
from roadbed.portal.catalog import EntityPage, Query, Ref

MOST_ROWS = 8
MOST_OFFERS = 6
TROUBLED = frozenset({"degraded", "missing", "unknown"})


async def home(visit: Visit) -> Response:
    """Give the start page."""
    offers, listing, mine = await asyncio.gather(
        definitions.offers(visit.portal.client), _composites(visit), _mine(visit)
    )
    rows = await deepen(visit.client, listing.rows)
    return visit.render(
        "home.html",
        offers=offers[:MOST_OFFERS],
        more_offers=max(0, len(offers) - MOST_OFFERS),
        recent=_recent(rows),
        attention=_attention(rows),
        counts=_counts(rows),
        total=len(rows),
        denied=listing.denied,
        mine=mine,
        groups=groups_of(visit.session),
    )


async def _composites(visit: Visit) -> Listing:
    served = await visit.client.resources()
    kinds = definitions.preferred(
        found for found in served if definitions.OFFERED_CATEGORIES & set(found.categories)
    )
    return await gather(visit.client, kinds, elsewhere=visit.elsewhere)


async def _mine(visit: Visit) -> EntityPage:
    owners = [Ref("user", "default", visit.session.user.name.lower())]
    owners += [Ref("group", "default", group.lower()) for group in groups_of(visit.session)]
    where = {"owner": [str(owner) for owner in owners], "kind": ["component", "api", "resource", "system"]}
    return await visit.catalog.list(Query(where, limit=MOST_ROWS), await visit.access())


def _attention(rows: Sequence[Row]) -> list[Row]:
    troubled = [row for row in rows if row.health.state in TROUBLED]
    return sorted(troubled, key=lambda row: (RANK[row.health.state], row.health.since))[:MOST_ROWS]


def _recent(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.created, reverse=True)[:MOST_ROWS]


def _counts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.health.state] = found.get(row.health.state, 0) + 1
    return sorted(found.items(), key=lambda item: RANK[item[0]])  # type: ignore[index]


PAGES = (("GET", "/", home),)
