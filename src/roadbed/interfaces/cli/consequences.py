"""What else goes when an object is deleted, by name: what it is made of, what lives in it, what it defines.

Read before the deletion, through the caller's client; what they may not read is not named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.client import Client

from .kinds import shown
from .lineage import lineage

# Every namespace has these without anybody's doing; naming them would hide what matters.
_GIVEN = frozenset(("events", "serviceaccounts", "leases", "endpointslices"))


async def consequences(client: Client, resource: Resource, obj: Object) -> list[str]:
    """Give the names of everything that goes with an object, without the object itself."""
    if resource.kind == "Namespace" and not resource.group:
        return await _inside(client, name_of(obj))
    if resource.kind in ("CustomResourceDefinition", "CompositeResourceDefinition"):
        return await _defined(client, obj)
    root = await lineage(client, resource, obj)
    names = []
    for depth, node in root.walk():
        if depth and node.obj is not None:
            external = f" ({node.external_name})" if node.external_name and not node.children else ""
            names.append(f"{node.kind}/{node.name}{external}")
    return names


async def _inside(client: Client, namespace: str) -> list[str]:
    served: dict[tuple[str, str], Resource] = {}
    for resource in await client.resources():
        if (
            resource.namespaced
            and {"list", "delete"} <= set(resource.verbs)
            and resource.plural not in _GIVEN
        ):
            served.setdefault((resource.group, resource.plural), resource)
    gate = asyncio.Semaphore(16)

    async def listed(resource: Resource) -> Sequence[str]:
        async with gate:
            return await _names(client, resource, namespace)

    found = await asyncio.gather(*(listed(resource) for resource in served.values()))
    return [name for names in found for name in names]


async def _defined(client: Client, definition: Object) -> list[str]:
    spec = definition.get("spec") or {}
    group, plural = spec.get("group"), (spec.get("names") or {}).get("plural")
    served = [each for each in await client.resources() if (each.group, each.plural) == (group, plural)]
    return list(await _names(client, served[0], "")) if served else []


async def _names(client: Client, resource: Resource, namespace: str) -> Sequence[str]:
    try:
        objects = await client.list(resource, namespace)
    except ApiError:
        return []
    places = {id(obj): "" if namespace else namespace_of(obj) for obj in objects}
    return [
        f"{shown(resource)}/{name_of(obj)}" + (f" in {places[id(obj)]}" if places[id(obj)] else "")
        for obj in objects
    ]
