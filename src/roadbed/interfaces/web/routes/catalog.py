"""The catalog: the table with its facets, and the page of one entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apis.catalog import SOURCES
from roadbed.interfaces.web import apidoc
from roadbed.interfaces.web.portal import Visit
from roadbed.portal.catalog import Entry, Link, Query, Ref

PAGE_ROWS = 50
FACETS = ("kind", "type", "owner", "lifecycle", "system")
MOST_VALUES = 12  # of one facet; the text filter finds the rest
TABS = ("overview", "relations", "api", "yaml")

_WORDS = {
    "ownedBy": "Owned by",
    "ownerOf": "Owns",
    "providesApi": "Provides",
    "apiProvidedBy": "Provided by",
    "consumesApi": "Consumes",
    "apiConsumedBy": "Consumed by",
    "dependsOn": "Depends on",
    "dependencyOf": "Needed by",
    "parentOf": "Parent of",
    "childOf": "Part of group",
    "memberOf": "Member of",
    "hasMember": "Members",
    "partOf": "Part of",
    "hasPart": "Consists of",
}


@dataclass(frozen=True, slots=True)
class RelationGroup:
    """All targets of one relation."""

    words: str
    links: Sequence[Link]


async def table(visit: Visit) -> Response:
    """Give the table, or only its body where htmx asks for that."""
    params = visit.request.query_params
    where = {facet: params.getlist(facet) for facet in FACETS if params.getlist(facet)}
    number = max(1, _number(params.get("page", "1")))
    order = params.get("sort", "name")
    query = Query(where, params.get("q", ""), order, PAGE_ROWS, (number - 1) * PAGE_ROWS)
    access = await visit.access()
    try:
        found = await visit.catalog.list(query, access)
    except ValueError:  # a sort order that somebody typed
        order = "name"
        found = await visit.catalog.list(Query(where, query.text, order, PAGE_ROWS, query.offset), access)
    sources = await _sources(visit) if not found.total and not where and not query.text else []
    return visit.render(
        "catalog_results.html" if visit.is_partial else "catalog.html",
        found=found,
        facets=[(facet, found.facets[facet][:MOST_VALUES]) for facet in FACETS if found.facets.get(facet)],
        where=where,
        query={"q": query.text, "sort": "" if order == "name" else order, **where},
        text=query.text,
        order=order,
        number=number,
        last=max(1, -(-found.total // PAGE_ROWS)),
        first_row=query.offset,
        is_denied=access.is_empty,
        sources=sources,
    )


async def entity(visit: Visit) -> Response:
    """Give the page of one entity."""
    params = visit.request.path_params
    ref = Ref(params["kind"].lower(), params["namespace"].lower(), params["name"].lower())
    access = await visit.access()
    entry = await visit.catalog.find(ref, access)
    if entry is None:
        raise NotFoundError(f"There is no entity {ref}, or you may not see it.")
    relations = _grouped(await visit.catalog.relations(ref, access))
    definition = (entry.entity.get("spec") or {}).get("definition") if ref.kind == "api" else None
    tabs = [tab for tab in TABS if tab != "api" or definition]
    tab = visit.request.query_params.get("tab", "overview")
    tab = tab if tab in tabs else "overview"
    return visit.render(
        "entity.html",
        entry=entry,
        relations=relations,
        facts=_facts(entry),
        tabs=tabs,
        tab=tab,
        definition=definition,
        document=apidoc.read(str(definition)) if tab == "api" else None,
    )


async def _sources(visit: Visit) -> list[dict[str, Any]]:
    if not (await visit.may("list", SOURCES)).allowed:
        return []
    return await visit.client.list(SOURCES)


def _grouped(links: Sequence[Link]) -> list[RelationGroup]:
    kinds: dict[str, list[Link]] = {}
    for link in links:
        kinds.setdefault(link.type, []).append(link)
    order = {name: number for number, name in enumerate(_WORDS)}
    return [
        RelationGroup(_WORDS.get(kind, kind), found)
        for kind, found in sorted(kinds.items(), key=lambda item: order.get(item[0], len(order)))
    ]


def _facts(entry: Entry) -> list[tuple[str, str, str]]:
    """Give (label, text, address) of what the header does not already say."""
    meta = entry.entity["metadata"]
    spec = entry.entity.get("spec") or {}
    facts = [("Type", entry.type, ""), ("Lifecycle", entry.lifecycle, "")]
    profile = spec.get("profile") or {}
    facts += [
        ("E-mail", str(profile.get("email") or ""), ""),
        ("Display name", str(profile.get("displayName") or ""), ""),
    ]
    facts += [("Namespace", entry.ref.namespace, ""), ("Source", entry.source, "")]
    annotations = meta.get("annotations") or {}
    facts += [
        ("File", str(annotations.get("backstage.io/managed-by-location", "")).removeprefix("file:"), "")
    ]
    return [fact for fact in facts if fact[1]]


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 7 else 1


PAGES = (("GET", "/catalog", table), ("GET", "/catalog/{kind}/{namespace}/{name}", entity))
