"""Volumes, claims and attribute classes in use stay until nothing uses them.

Admission gives each a finalizer when it is created. Three controllers, one for each kind, take it away from those that
are to be deleted: a claim when no pod that has a node mounts it, a volume when it is not bound, a class when no
volume and no claim names it. What uses an object is read anew before its finalizer goes, because an informer may be a
moment behind. Nothing is provisioned, bound or mounted here.

Source: k8s.io/kubernetes/pkg/controller/volume/{pvcprotection,pvprotection,vacprotection}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import ALL_VERBS, Resource
from roadbed.apimachinery.objects import ObjectKey, is_terminating, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.client import Client
from roadbed.controller import Controller, Manager, Request, Result, Watch

PODS: Final = Resource("", "v1", "pods", "Pod", namespaced=True, verbs=ALL_VERBS)
CLAIMS: Final = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced=True, verbs=ALL_VERBS
)
VOLUMES: Final = Resource(
    "", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, verbs=ALL_VERBS
)
CLASSES: Final = Resource(
    "storage.k8s.io",
    "v1",
    "volumeattributesclasses",
    "VolumeAttributesClass",
    namespaced=False,
    verbs=ALL_VERBS,
)
_ENDED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Protection:
    """The reconciler of one kind."""

    client: Client
    manager: Manager
    resource: Resource
    finalizer: str

    async def reconcile(self, request: Request) -> Result:
        """Let one object go if it is to be deleted and nothing uses it."""
        key = ObjectKey(request.namespace, request.name)
        obj = self.manager.informers.of(self.resource).get(key)
        finalizers = (obj or {}).get("metadata", {}).get("finalizers") or []
        if obj is None or not is_terminating(obj) or self.finalizer not in finalizers:
            return Result()
        if await self._is_used(obj):
            return Result()
        kept = [each for each in finalizers if each != self.finalizer]
        try:
            await self.client.update(
                self.resource, {**obj, "metadata": {**obj["metadata"], "finalizers": kept}}
            )
        except NotFoundError:
            return Result()  # gone meanwhile
        return Result()

    async def _is_used(self, obj: Object) -> bool:
        if self.resource == CLAIMS:
            pods = await self.client.list(PODS, namespace_of(obj))
            return any(_mounts(pod, obj) for pod in pods)
        if self.resource == VOLUMES:
            return bool((obj.get("status") or {}).get("phase") == "Bound")
        users = [*await self.client.list(VOLUMES), *await self.client.list(CLAIMS)]
        return any(name_of(obj) in _classes(user) for user in users)


def controllers(client: Client, manager: Manager) -> Sequence[Controller]:
    """Give the three controllers."""
    kinds: Sequence[tuple[Resource, str, Sequence[Watch]]] = (
        (CLAIMS, "kubernetes.io/pvc-protection", [Watch(PODS, _claims_of)]),
        (VOLUMES, "kubernetes.io/pv-protection", []),
        (CLASSES, "kubernetes.io/vac-protection", [Watch(VOLUMES, _classes_of), Watch(CLAIMS, _classes_of)]),
    )
    return [
        Controller(
            finalizer.partition("/")[2],
            Protection(client, manager, resource, finalizer),
            [Watch(resource), *others],
            workers=1,
        )
        for resource, finalizer, others in kinds
    ]


def _mounts(pod: Object, claim: Object) -> bool:
    """Say whether a pod uses a claim: one without a node will not start with a claim that is to be deleted."""
    if not (pod.get("spec") or {}).get("nodeName"):
        return False
    has_ended = (pod.get("status") or {}).get("phase") in _ENDED
    owners = {each.get("uid") for each in claim["metadata"].get("ownerReferences") or ()}
    is_own = pod["metadata"]["uid"] in owners and not has_ended
    return any(name == name_of(claim) and (is_own or not is_ephemeral) for name, is_ephemeral in _named(pod))


def _named(pod: Object) -> Iterable[tuple[str, bool]]:
    """Give the names of a pod's claims, and which of them are its own."""
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            yield str(volume["persistentVolumeClaim"].get("claimName")), False
        elif volume.get("ephemeral"):
            yield f"{name_of(pod)}-{volume.get('name')}", True


def _claims_of(pod: Object) -> Iterable[Request]:
    for name, _ in _named(pod):
        yield Request(namespace_of(pod), name)


def _classes(user: Object) -> set[Any]:
    """Give the attribute classes that a volume or claim names, now or on its way."""
    status = user.get("status") or {}
    moving = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    wanted = (user.get("spec") or {}).get("volumeAttributesClassName")
    return {wanted, status.get("currentVolumeAttributesClassName"), moving} - {None, ""}


def _classes_of(user: Object) -> Iterable[Request]:
    for name in sorted(_classes(user)):
        yield Request("", name)
