"""The list of objects: by category or kind, by namespace, by state, live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from roadbed.apimachinery.gvk import Resource
from roadbed.interfaces.web import definitions, links, listing
from roadbed.interfaces.web.live import LiveStream, Sight
from roadbed.interfaces.web.portal import Visit
from roadbed.interfaces.web.tree import Target

PAGE_ROWS = 50
CATEGORIES = (
    ("composite", "Ordered", "Everything that was ordered: composites and claims"),
    ("managed", "Managed", "What providers keep in the outside world"),
    ("all", "All kinds", "Every kind that this server keeps"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list shows, from the address."""

    category: str
    kind: str
    namespace: str
    state: str
    text: str
    order: str
    page: int

    @property
    def query(self) -> dict[str, str]:
        """The same as an address has it, without what goes without saying."""
        category = "" if self.category == "composite" and not self.kind else self.category
        found = {
            "category": "" if self.kind else category,
            "kind": self.kind,
            "namespace": self.namespace,
            "state": self.state,
            "q": self.text,
            "sort": self.order,
        }
        return {name: value for name, value in found.items() if value}


async def table(visit: Visit) -> Response:
    """Give the list, or only its rows where htmx asks for that."""
    wanted = _wanted(visit)
    served = definitions.preferred(await visit.client.resources())
    context = await _rows(visit, wanted, served)
    if visit.is_partial:
        return visit.render("resources_results.html", **context)
    kinds = sorted(
        (found for found in served if _is_listed(found)), key=lambda found: (found.kind, found.group)
    )
    return visit.render(
        "resources.html",
        kinds=kinds,
        categories=CATEGORIES,
        namespaces=await visit.namespaces() or context["reached"],
        live=links.with_query(
            "/resources/live", {**wanted.query, "page": wanted.page if wanted.page > 1 else None}
        ),
        **context,
    )


async def live(visit: Visit) -> LiveStream:
    """Stream the list's rows as they change."""
    wanted = _wanted(visit)

    async def look() -> Sight:
        served = definitions.preferred(await visit.client.resources())
        context = await _rows(visit, wanted, served)
        places = context["places"]
        reached = {namespace for _, namespace in places}
        # What is composed explains what was ordered, so it is followed too.
        managed = [found for found in served if "managed" in found.categories]
        targets = {Target(resource, namespace) for resource, namespace in places}
        targets |= {Target(resource, namespace) for resource in managed for namespace in reached}
        return Sight({"rows": visit.markup("resources_results.html", **context)}, frozenset(targets))

    return LiveStream(visit.portal, visit.client, look)


async def _rows(visit: Visit, wanted: Wanted, served: Sequence[Resource]) -> dict[str, Any]:
    shown = _shown(wanted, served)
    found = await listing.gather(visit.client, shown, wanted.namespace, elsewhere=visit.elsewhere)
    everything = await listing.deepen(visit.client, found.rows)
    states: dict[str, int] = {}
    for row in everything:
        states[row.health.state] = states.get(row.health.state, 0) + 1
    kept = [row for row in everything if _is_kept(row, wanted)]
    ordered = listing.sort(kept, wanted.order or "name")
    start = (wanted.page - 1) * PAGE_ROWS
    return {
        "wanted": wanted,
        "query": wanted.query,
        "rows": ordered[start : start + PAGE_ROWS],
        "has_external": any(row.external for row in kept),
        "first_row": start,
        "total": len(ordered),
        "all_total": len(found.rows),
        "last": max(1, -(-len(ordered) // PAGE_ROWS)),
        "state_counts": states,
        "reached": sorted({namespace for _, namespace in found.places if namespace}),
        "places": found.places,
        "denied": found.denied,
        "shown": shown,
    }


def _is_kept(row: listing.Row, wanted: Wanted) -> bool:
    if wanted.state and row.health.state != wanted.state:
        return False
    text = f"{row.name} {row.namespace} {row.resource.kind} {row.external}".lower()
    return all(word in text for word in wanted.text.lower().split())


def _shown(wanted: Wanted, served: Sequence[Resource]) -> list[Resource]:
    if wanted.kind:
        return [found for found in served if found.qualified == wanted.kind and _is_listed(found)]
    if wanted.category == "all":
        return [found for found in served if _is_listed(found) and found.plural != "events"]
    categories = {wanted.category} | ({"claim"} if wanted.category == "composite" else set())
    return [found for found in served if categories & set(found.categories) and _is_listed(found)]


def _is_listed(resource: Resource) -> bool:
    return not resource.verbs or "list" in resource.verbs


def _wanted(visit: Visit) -> Wanted:
    params = visit.request.query_params
    page = params.get("page", "1")
    return Wanted(
        category=params.get("category", "composite"),
        kind=params.get("kind", ""),
        namespace=params.get("namespace", ""),
        state=params.get("state", ""),
        text=params.get("q", ""),
        order=params.get("sort", ""),
        page=max(1, int(page)) if page.isdigit() and len(page) < 7 else 1,
    )


PAGES = (("GET", "/resources", table), ("GET", "/resources/live", live))
