"""Search from anywhere: pages, kinds, things to create, entities and objects by name."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.responses import Response

from roadbed.interfaces.web import definitions, links
from roadbed.interfaces.web.listing import gather
from roadbed.interfaces.web.portal import NAVIGATION, Visit
from roadbed.portal.catalog import Query

MOST_HITS = 6


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the answer."""

    title: str
    detail: str
    path: str
    icon: str
    group: str


async def search(visit: Visit) -> Response:
    """Answer what was typed so far; nothing typed gives the pages."""
    text = visit.request.query_params.get("q", "").strip()
    if not text:
        return visit.render("search_hits.html", hits=_pages(""), text=text)
    parts = await asyncio.gather(_offers(visit, text), _entities(visit, text), _objects(visit, text))
    hits = [*_pages(text), *(hit for part in parts for hit in part)]
    return visit.render("search_hits.html", hits=hits, text=text)


def _pages(text: str) -> list[Hit]:
    return [
        Hit(entry.name, f"g {entry.key}", entry.path, entry.icon, "Go to")
        for entry in NAVIGATION
        if text.lower() in entry.name.lower()
    ]


async def _offers(visit: Visit, text: str) -> list[Hit]:
    found = await definitions.offers(visit.portal.client)
    return [
        Hit(f"New {offer.title}", offer.resource.group, links.create_path(offer.gvk), offer.icon, "Create")
        for offer in found
        if _matches(text, f"new create {offer.title} {offer.resource.kind}")
    ][:MOST_HITS]


async def _entities(visit: Visit, text: str) -> list[Hit]:
    page = await visit.catalog.list(Query(text=text, limit=MOST_HITS), await visit.access())
    return [
        Hit(
            entry.title,
            f"{entry.ref.kind} {entry.type}".strip(),
            links.entity_path(entry.ref),
            entry.ref.kind,
            "Catalog",
        )
        for entry in page.entries
    ]


async def _objects(visit: Visit, text: str) -> list[Hit]:
    served = await visit.client.resources()
    kinds = definitions.preferred(
        found for found in served if {"composite", "claim", "managed"} & set(found.categories)
    )
    listing = await gather(visit.client, kinds, elsewhere=visit.elsewhere)
    rows = [
        row
        for row in listing.rows
        if _matches(text, f"{row.name} {row.namespace} {row.resource.kind} {row.external}")
    ]
    return [
        Hit(
            row.name,
            f"{row.resource.kind}{f' in {row.namespace}' if row.namespace else ''}",
            links.object_path(visit.cluster, row.resource.gvk, row.namespace, row.name),
            "composite",
            "Resources",
        )
        for row in rows[:MOST_HITS]
    ]


def _matches(text: str, words: str) -> bool:
    lowered = words.lower()
    return all(part in lowered for part in text.lower().split())


PAGES = (("GET", "/search", search),)
