"""The built-in kinds as definitions: resource, schema from the generated data, strategy, columns.

Asked once, when the server starts. Schemas are compiled on the way; that is most of a server's start.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.structure import Structure
from roadbed.apis import apiextensions, coordination, core, events, kubernetes

from . import eventshapes, kinds
from .crdstrategy import CrdStrategy
from .definitions.schemas import definition_part
from .registry import Compiled, Convert, Definition
from .strategy import (
    ConfigMapStrategy,
    EventStrategy,
    LeaseStrategy,
    NamespaceStrategy,
    NewEventStrategy,
    SecretStrategy,
    Strategy,
)

_STRATEGIES: dict[Resource, Strategy] = {
    core.NAMESPACES: NamespaceStrategy(),
    core.CONFIGMAPS: ConfigMapStrategy(),
    core.SECRETS: SecretStrategy(),
    core.EVENTS: EventStrategy(),
    events.EVENTS: NewEventStrategy(),
    coordination.LEASES: LeaseStrategy(),
}


# Kinds of which one stored object has several shapes.
_CONVERTED: dict[Resource, tuple[Convert, Convert]] = {
    events.EVENTS: (eventshapes.to_core, eventshapes.from_core),
    Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler"): (
        kinds.autoscaling.to_storage,
        kinds.autoscaling.from_storage,
    ),
}
_STORED_IN = {("autoscaling", "horizontalpodautoscalers"): "autoscaling/v2"}


# What users of a kind are warned of, by group and plural.
_DEPRECATED = {
    ("", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ("", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
}
_DEFINITIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."


def _resolve(reference: str) -> dict[str, Any]:
    if _DEFINITIONS in reference:
        return definition_part(reference.rpartition(".")[2])
    return kubernetes.load().resolve(reference)


@cache  # built-in schemas never change, and tests start many servers
def compiled_of(gvk: GVK) -> Compiled:
    """Give the schema of a built-in kind in all its forms; an empty one where nothing is known of the kind."""
    openapi = kubernetes.load().schema(gvk)
    if openapi is None:
        return Compiled(None, None, Structure.of(None))
    schema = Schema.compile(openapi, resolve=_resolve)
    return Compiled(schema, None, Structure.of(schema.root, builtin=True))


def definitions(crds: CrdStrategy, services: kinds.Services) -> Iterable[Definition]:
    """Give one definition for each stored built-in kind; ``crds`` holds the rules of definitions.

    ``services`` gives every stored service, for those that allocate.
    """
    strategies = {**_STRATEGIES, apiextensions.CUSTOMRESOURCEDEFINITIONS: crds}
    for resource in kubernetes.SERVED:
        if "list" not in resource.verbs:
            continue  # a review kind: a reviewer answers it
        to_storage, from_storage = _CONVERTED.get(resource, (None, None))
        yield Definition(
            resource=resource,
            strategy=strategies.get(resource) or kinds.strategy_of(resource, services),
            compile=partial(compiled_of, resource.gvk),
            settle=partial(kinds.settle_of, resource),
            empty=partial(kinds.empty_of, resource),
            columns=kinds.columns_of(resource),
            has_status="status" in resource.subresources,
            is_sealed=resource == core.SECRETS,
            scale=kinds.SCALES.get((resource.group, resource.plural)),
            home="/core/events/" if resource == events.EVENTS else "",
            storage_version=_STORED_IN.get((resource.group, resource.plural), ""),
            to_storage=to_storage,
            deprecation=_DEPRECATED.get((resource.group, resource.plural), ""),
            from_storage=from_storage,
        )
