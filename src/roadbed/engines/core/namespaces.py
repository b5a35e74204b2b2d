"""Namespace deletion: when one is terminating, everything in it goes, and then the namespace.

One controller over namespaces and every served namespaced resource (see ``served``): each removal in a
terminating namespace is another look, so nothing polls. The conditions on the namespace say what is
still there and which finalizers hold it.

Source: k8s.io/kubernetes/pkg/controller/namespace/deletion (conditions and their texts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from roadbed.apimachinery.errors import ApiError, ConflictError, MethodNotAllowedError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import ObjectKey, is_terminating, metadata, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.core import NAMESPACES, SECRETS
from roadbed.client import Client
from roadbed.controller import Clock, Controller, Manager, Request, Result, Watch

from .served import one_version_each

FINALIZER = "kubernetes"

# type -> (reason, message) while all is well, (reason) while it is not
_WELL = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


@dataclass(slots=True)
class Found:
    """What one look at a terminating namespace brought."""

    failures: list[ApiError] = field(default_factory=list)
    left: dict[Resource, list[Object]] = field(default_factory=dict)
    undiscovered: ApiError | None = None


class NamespaceDeleter:
    """Empties terminating namespaces and lets them go."""

    def __init__(self, client: Client, manager: Manager, clock: Clock) -> None:
        self._client = client
        self._manager = manager
        self._clock = clock

    def controller(self) -> Controller:
        """Give the controller that runs this; ``served`` hands it the watches on content."""
        terminating = Watch(NAMESPACES, predicate=lambda _, new: new is not None and is_terminating(new))
        return Controller("namespace-deleter", self, [terminating], workers=2)

    def watch_of(self, resource: Resource) -> Watch:
        """Give the watch by which one resource wakes its namespace."""

        def in_terminating_namespace(_: Object | None, new: Object | None) -> bool:
            return new is None or is_terminating(new)

        def namespace(obj: Object) -> Iterable[Request]:
            name = namespace_of(obj)
            found = self._manager.informers.of(NAMESPACES).get(ObjectKey("", name)) if name else None
            if found is not None and is_terminating(found):
                yield Request("", name)

        return Watch(resource, namespace, in_terminating_namespace)

    async def reconcile(self, request: Request) -> Result:
        """Delete what is in one terminating namespace, then release it, then say what is left."""
        namespace = await self._client.find(NAMESPACES, request.name)
        if namespace is None or not is_terminating(namespace):
            return Result()
        try:
            resources = await self._client.resources()
        except ApiError as error:
            # Without knowing what there is, nothing can be called empty.
            await self._tell(namespace, Found(undiscovered=error))
            raise
        found = await self._empty(request.name, resources)
        told = await self._tell(namespace, found)
        if found.failures:
            raise found.failures[0]
        if not found.left and told is not None:
            await self._finalize(told)
        return Result()

    async def _empty(self, name: str, resources: Sequence[Resource]) -> Found:
        """Delete everything, Secrets last: they go after what still needs the credentials in them."""
        found = Found()
        namespaced = [each for each in one_version_each(resources) if each.namespaced]
        for resource in sorted(namespaced, key=lambda each: each == SECRETS):
            is_kept = resource == SECRETS and any(
                map(_is_custom, found.left)
            )  # each that goes brings us back
            try:
                objects = await self._client.list(resource, name)
                if not is_kept and not all(is_terminating(obj) for obj in objects):
                    await self._client.delete_all(resource, name)
                objects = await self._client.list(resource, name) if objects else []
            except (NotFoundError, MethodNotAllowedError):
                continue  # its definition went away meanwhile
            except ApiError as error:
                found.failures.append(error)
                continue
            if objects:
                found.left[resource] = objects
        return found

    async def _finalize(self, namespace: Object) -> None:
        spec = namespace.get("spec") or {}
        kept = [name for name in spec.get("finalizers") or () if name != FINALIZER]
        if kept == (spec.get("finalizers") or []):
            return
        try:
            await self._client.update(
                NAMESPACES, {**namespace, "spec": {**spec, "finalizers": kept}}, subresource="finalize"
            )
        except (NotFoundError, ConflictError):
            return  # gone, or changed: its event brings us back

    async def _tell(self, namespace: Object, found: Found) -> Object | None:
        """Write the conditions; gives the namespace with them, or None where it is gone or has changed."""
        status = namespace.get("status") or {}
        conditions = conditions_for(found, status.get("conditions") or [], self._clock.now())
        if conditions == status.get("conditions"):
            return namespace
        try:
            return await self._client.update(
                NAMESPACES,
                {**namespace, "status": {**status, "conditions": conditions}},
                subresource="status",
            )
        except (NotFoundError, ConflictError):
            return None


def _is_custom(resource: Resource) -> bool:
    # Kubernetes keeps its own groups below k8s.io, and the oldest ones have no dot at all.
    return "." in resource.group and not resource.group.endswith(".k8s.io")


def conditions_for(found: Found, present: list[Object], now: datetime) -> list[Object]:
    """Give the namespace's conditions: what could not be deleted, what is left, what holds it."""
    trouble: dict[str, tuple[str, str]] = {}
    failures, left = found.failures, found.left
    if found.undiscovered is not None:
        trouble["NamespaceDeletionDiscoveryFailure"] = ("DiscoveryFailed", found.undiscovered.message)
    if failures:
        texts = ", ".join(sorted(error.message for error in failures))
        trouble["NamespaceDeletionContentFailure"] = (
            "ContentDeletionFailed",
            f"Failed to delete all resource types, {len(failures)} remaining: {texts}",
        )
    if left:
        counts = ", ".join(
            sorted(
                f"{each.plural}.{each.group} has {len(held)} resource instances"
                for each, held in left.items()
            )
        )
        trouble["NamespaceContentRemaining"] = (
            "SomeResourcesRemain",
            f"Some resources are remaining: {counts}",
        )
    finalizers = Counter(
        name for held in left.values() for obj in held for name in metadata(obj).get("finalizers") or ()
    )
    if finalizers:
        texts = ", ".join(
            f"{name} in {count} resource instances" for name, count in sorted(finalizers.items())
        )
        trouble["NamespaceFinalizersRemaining"] = (
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {texts}",
        )
    known = {condition.get("type"): condition for condition in present}
    conditions = []
    for kind, well in _WELL.items():
        reason, message = trouble.get(kind, well)
        status = "True" if kind in trouble else "False"
        before = known.get(kind) or {}
        unchanged = before.get("status") == status
        since = before.get("lastTransitionTime") if unchanged else now.strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions.append(
            {
                "type": kind,
                "status": status,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        )
    return conditions
