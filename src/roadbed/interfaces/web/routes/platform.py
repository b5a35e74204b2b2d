"""The platform engineer's view: definitions, the compositions behind them, functions, sources."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import name_of
from roadbed.apimachinery.request import Object
from roadbed.apis.catalog import SOURCES
from roadbed.apis.crossplane import COMPOSITIONS, FUNCTIONS, XRDS
from roadbed.interfaces.web.health import Health, health_of
from roadbed.interfaces.web.listing import gather
from roadbed.interfaces.web.portal import Visit


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition with what implements it and how much of it lives."""

    obj: Object
    health: Health
    versions: Sequence[str]
    compositions: Sequence[Object]
    instances: int | None
    resource: Resource | None


async def overview(visit: Visit) -> Response:
    """Give the page."""
    xrds, compositions, functions, sources = await asyncio.gather(
        *(_list(visit, resource) for resource in (XRDS, COMPOSITIONS, FUNCTIONS, SOURCES))
    )
    served = await visit.client.resources()
    found = await asyncio.gather(*(_definition(visit, xrd, compositions or [], served) for xrd in xrds or ()))
    known = {_kind(definition.obj) for definition in found}
    return visit.render(
        "platform.html",
        definitions=found,
        strays=[item for item in compositions or () if _implements(item) not in known],
        functions=[(item, health_of(item)) for item in functions or ()],
        sources=[(item, health_of(item)) for item in sources or ()],
        denied=[
            resource
            for resource, items in (
                (XRDS, xrds),
                (COMPOSITIONS, compositions),
                (FUNCTIONS, functions),
                (SOURCES, sources),
            )
            if items is None
        ],
    )


async def _list(visit: Visit, resource: Resource) -> list[Object] | None:
    try:
        return await visit.client.list(resource)
    except ForbiddenError:
        return None


async def _definition(
    visit: Visit, xrd: Object, compositions: Sequence[Object], served: Sequence[Resource]
) -> Definition:
    spec = xrd.get("spec") or {}
    plural, group = str((spec.get("names") or {}).get("plural", "")), str(spec.get("group", ""))
    resource = next((found for found in served if (found.plural, found.group) == (plural, group)), None)
    instances = None
    if resource is not None:
        listing = await gather(visit.client, [resource], elsewhere=visit.elsewhere)
        instances = None if listing.denied else len(listing.rows)
    return Definition(
        obj=xrd,
        health=health_of(xrd),
        versions=[_version(found) for found in spec.get("versions") or ()],
        compositions=sorted(
            (found for found in compositions if _implements(found) == _kind(xrd)), key=name_of
        ),
        instances=instances,
        resource=resource,
    )


def _version(found: dict[str, Any]) -> str:
    marks = [] if found.get("served") else ["not served"]
    marks += ["deprecated"] if found.get("deprecated") else []
    return f"{found.get('name')} ({', '.join(marks)})" if marks else str(found.get("name"))


def _kind(xrd: Object) -> tuple[str, str]:
    spec = xrd.get("spec") or {}
    return str(spec.get("group", "")), str((spec.get("names") or {}).get("kind", ""))


def _implements(composition: Object) -> tuple[str, str]:
    reference = (composition.get("spec") or {}).get("compositeTypeRef") or {}
    return str(reference.get("apiVersion", "")).partition("/")[0], str(reference.get("kind", ""))


PAGES = (("GET", "/platform", overview),)
