"""What can be created: the composite kinds that the platform offers, with their schemas.

Read by the portal's own client, because definitions are published to everyone (as discovery and OpenAPI
are); whether the person may create one is asked as that person. Called by Create, Home and search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.crossplane import XRDS
from roadbed.client import Client

OFFERED_CATEGORIES = frozenset({"composite", "claim"})

# Annotations on a CompositeResourceDefinition by which its author tells the portal how to offer it.
TITLE = "roadbed.dev/title"
DESCRIPTION = "roadbed.dev/description"
ICON = "roadbed.dev/icon"
OWNER = "roadbed.dev/owner"
DURATION = "roadbed.dev/duration"

_ICONS = {
    "database": "database",
    "cache": "database",
    "bucket": "bucket",
    "objectstore": "bucket",
    "network": "network",
    "cluster": "cluster",
    "queue": "queue",
    "topic": "queue",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind that can be ordered. ``schema`` is its OpenAPI schema, without what only the system writes."""

    resource: Resource
    title: str
    description: str
    icon: str
    owner: str
    duration: str
    schema: dict[str, Any]

    @property
    def gvk(self) -> GVK:
        """The kind, at the version offered."""
        return self.resource.gvk


async def offers(client: Client) -> list[Offer]:
    """Give all kinds on offer, by title."""
    wanted = preferred(
        found for found in await client.resources() if OFFERED_CATEGORIES & set(found.categories)
    )
    made = await asyncio.gather(*(_offer(client, resource) for resource in wanted))
    return sorted((offer for offer in made if offer is not None), key=lambda offer: offer.title.lower())


async def offer_for(client: Client, gvk: GVK) -> Offer:
    """Give one kind on offer.

    Raises:
        NotFoundError: it is not served, or is nothing that people order.
    """
    resource = await client.resource_for(gvk)
    offer = await _offer(client, resource) if OFFERED_CATEGORIES & set(resource.categories) else None
    if offer is None:
        raise NotFoundError(
            f"{gvk.kind} of {gvk.api_version} is not offered here: choose one of the cards under Create"
        )
    return offer


def preferred(resources: Iterable[Resource]) -> list[Resource]:
    """Keep one version of each kind: the first, which is the one that the server prefers."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        found.setdefault((resource.group, resource.plural), resource)
    return list(found.values())


async def _offer(client: Client, resource: Resource) -> Offer | None:
    definition, crd = await asyncio.gather(
        client.find(XRDS, resource.qualified),
        client.find(CUSTOMRESOURCEDEFINITIONS, resource.qualified),
    )
    schema = schema_of(crd, resource.version) if crd is not None else None
    if schema is None:
        return None
    said = annotations_of(definition) if definition is not None else {}
    words = said.get(DESCRIPTION) or str(schema.get("description") or _spec(schema).get("description") or "")
    return Offer(
        resource=resource,
        title=said.get(TITLE) or resource.kind,
        description=words.strip(),
        icon=said.get(ICON) or _ICONS.get(resource.kind.lower().removeprefix("x"), "composite"),
        owner=said.get(OWNER, ""),
        duration=said.get(DURATION, ""),
        schema=form_schema(schema),
    )


def schema_of(crd: Object, version: str) -> dict[str, Any] | None:
    """Give the schema of one served version."""
    for found in (crd.get("spec") or {}).get("versions") or ():
        if found.get("name") == version and found.get("served"):
            schema = (found.get("schema") or {}).get("openAPIV3Schema")
            return schema if isinstance(schema, dict) else None
    return None


def form_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a person does not write: the envelope and the status."""
    hidden = {"apiVersion", "kind", "metadata", "status"}
    kept = {name: inner for name, inner in (schema.get("properties") or {}).items() if name not in hidden}
    # The spec is what a person fills in, so it is there even where a schema does not insist on it.
    required = list(
        dict.fromkeys(
            [*(name for name in schema.get("required") or () if name in kept), *kept.keys() & {"spec"}]
        )
    )
    return {**schema, "properties": kept, "required": required}


def _spec(schema: dict[str, Any]) -> dict[str, Any]:
    found = (schema.get("properties") or {}).get("spec")
    return found if isinstance(found, dict) else {}
