"""Garbage collection: what nobody owns any more goes; foreground and orphan deletions are carried out.

One controller over every served resource (see ``served``). Its informer handlers keep the ``Ownership``
graph; its reconciler looks at one object and decides. An owner that the graph does not know is looked
up at the server before its dependent goes, because informers of different kinds run at their own pace.

Source: k8s.io/kubernetes/pkg/controller/garbagecollector/garbagecollector.go (attemptToDeleteItem).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from enum import Enum

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import ObjectKey, is_terminating, key_of, metadata, revision_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.client import Client
from roadbed.controller import Controller, Informers, Manager, Recorder, Request, Result, Watch

from .ownership import (
    FOREGROUND,
    ORPHAN,
    REMEMBERED_ABSENT,
    Node,
    Owner,
    Ownership,
    orphans_dependents,
    owners_of,
    waits_for_dependents,
)


class _State(Enum):
    SOLID = "exists and stays"
    WAITING = "is being deleted in the foreground and this dependent blocks it"
    GONE = "does not exist"


class GarbageCollector:
    """Deletes what lost its last owner; carries out foreground and orphan deletions."""

    def __init__(self, client: Client, manager: Manager, recorder: Recorder) -> None:
        self._client = client
        self._manager = manager
        self._recorder = recorder
        self._graph = Ownership()
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._controller = Controller("garbage-collector", self, [], workers=8)

    def controller(self) -> Controller:
        """Give the controller that runs this; ``served`` hands it its watches."""
        return self._controller

    def watch_of(self, resource: Resource) -> Watch:
        """Give the watch by which one resource feeds the graph and the queue."""

        def changed(old: Object | None, new: Object | None) -> bool:
            if new is None:
                return old is not None
            self._graph.put(_node(resource, new), new)
            return old is None or _relevant(old) != _relevant(new)

        def affected(obj: Object) -> Iterable[Request]:
            uid = uid_of(obj)
            informer = self._informers.of(resource)
            present = informer.get(key_of(obj))
            if present is not None and uid_of(present) == uid:
                if any(owners_of(obj)) or waits_for_dependents(obj) or orphans_dependents(obj):
                    yield _node(resource, obj)
                if waits_for_dependents(obj):
                    yield from self._graph.dependents(uid)
                yield from self._waiting_owners(obj)  # it may have stopped to block them
                return
            yield from self._graph.gone(uid)
            yield from self._waiting_owners(obj)  # it may have been what they waited for

        return Watch(resource, affected, changed)

    def leave(self, resource: Resource) -> None:
        """Look at what the objects of a resource owned that is served no more: they went before it did."""
        for node in self._graph.leave(resource):
            self._controller.queue.add(node)

    def _waiting_owners(self, obj: Object) -> Iterable[Node]:
        for owner in owners_of(obj):
            waiting = self._graph.node(owner.uid)
            if waiting is not None and self._graph.is_waiting(owner.uid):
                yield waiting

    async def reconcile(self, request: Request) -> Result:
        """Decide about one object."""
        if not isinstance(request, Node):
            raise TypeError(f"the collector was handed {request!r}, want a Node")
        obj = await self._client.find(request.resource, request.name, request.namespace)
        if obj is None:
            return Result()
        if orphans_dependents(obj):
            await self._orphan(request, obj)
        elif waits_for_dependents(obj):
            await self._finish_foreground(request, obj)
        elif not is_terminating(obj):
            await self._collect(request, obj)
        return Result()

    async def _collect(self, node: Node, obj: Object) -> None:
        owners = list(owners_of(obj))
        if not owners:
            return
        states = {owner: await self._state(node, owner, obj) for owner in owners}
        solid = [owner for owner, state in states.items() if state is _State.SOLID]
        if solid:
            if len(solid) < len(owners):
                await self._disown(node, obj, {owner.uid for owner in owners if owner not in solid})
            return
        uid = uid_of(obj)
        if _State.WAITING in states.values() and self._graph.dependents(uid):
            if self._graph.in_circle(uid):
                await self._unblock(node, obj)  # a circle: nobody may wait for anybody
            await self._delete(node, obj, "Foreground")
            return
        finalizers = metadata(obj).get("finalizers") or ()
        policy = (
            "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
        )
        await self._delete(node, obj, policy)

    async def _state(self, node: Node, owner: Owner, obj: Object) -> _State:
        known, former = self._graph.node(owner.uid), self._graph.former(owner.uid)
        place = known or former
        if place is not None and place.namespace not in {"", node.namespace}:
            await self._tell_namespace(owner, obj)
            return _State.SOLID if not node.namespace else _State.GONE
        if known is None and former is not None and owner.is_at(former):
            return _State.GONE
        # A reference is a place and a uid: one that names the uid at another place names nothing.
        if (known is None or not owner.is_at(known)) and not await self._exists(node, owner, obj):
            return _State.GONE
        if self._graph.is_waiting(owner.uid):
            return _State.WAITING
        return _State.SOLID

    async def _exists(self, node: Node, owner: Owner, obj: Object) -> bool:
        resource = await self._client.resource_for(GVK.parse(owner.api_version, owner.kind))
        if resource.namespaced and not node.namespace:
            # A cluster-scoped object can't name a namespaced owner; Kubernetes never collects it either.
            await self._tell_namespace(owner, obj)
            return True
        namespace = node.namespace if resource.namespaced else ""
        found = await self._client.find(resource, owner.name, namespace)
        return found is not None and uid_of(found) == owner.uid

    async def _tell_namespace(self, owner: Owner, obj: Object) -> None:
        told = (str(uid_of(obj)), str(owner.uid))
        if told in self._told:
            return
        self._told[told] = None
        if len(self._told) > REMEMBERED_ABSENT:
            self._told.popitem(last=False)
        namespace = metadata(obj).get("namespace", "")
        place = f"namespace: {namespace}, name: {owner.name}, uid: {owner.uid}"
        message = (
            f'ownerRef [{owner.api_version}/{owner.kind}, {place}] does not exist in namespace "{namespace}"'
        )
        await self._recorder.event(obj, "Warning", "OwnerRefInvalidNamespace", message)

    async def _finish_foreground(self, node: Node, obj: Object) -> None:
        if not self._graph.blocking(uid_of(obj)):
            await self._drop_finalizer(node, obj, FOREGROUND)

    async def _orphan(self, node: Node, obj: Object) -> None:
        uid = uid_of(obj)
        for dependent in self._graph.dependents(uid):
            found = await self._client.find(dependent.resource, dependent.name, dependent.namespace)
            if found is not None:
                await self._disown(dependent, found, {uid})
        await self._drop_finalizer(node, obj, ORPHAN)

    async def _disown(self, node: Node, obj: Object, uids: set[str]) -> None:
        kept = [ref for ref in metadata(obj).get("ownerReferences") or () if ref.get("uid") not in uids]
        await self._patch(node, obj, {"ownerReferences": kept or None})

    async def _unblock(self, node: Node, obj: Object) -> None:
        references = [
            {**ref, "blockOwnerDeletion": False} for ref in metadata(obj).get("ownerReferences") or ()
        ]
        await self._patch(node, obj, {"ownerReferences": references})

    async def _drop_finalizer(self, node: Node, obj: Object, finalizer: str) -> None:
        kept = [name for name in metadata(obj).get("finalizers") or () if name != finalizer]
        await self._patch(node, obj, {"finalizers": kept or None})

    async def _patch(self, node: Node, obj: Object, members: dict[str, object]) -> None:
        # The uid and revision make a lost race a conflict, which is tried again, and never a resurrection.
        patch = {"metadata": {"uid": uid_of(obj), "resourceVersion": revision_of(obj), **members}}
        try:
            await self._client.patch(node.resource, node.name, patch, namespace=node.namespace)
        except NotFoundError:
            return

    async def _delete(self, node: Node, obj: Object, policy: str) -> None:
        try:
            await self._client.delete(
                node.resource, node.name, node.namespace, propagation=policy, uid=uid_of(obj)
            )
        except NotFoundError:
            return

    @property
    def _informers(self) -> Informers:
        return self._manager.informers


def _node(resource: Resource, obj: Object) -> Node:
    key: ObjectKey = key_of(obj)
    return Node(key.namespace, key.name, resource)


def _relevant(obj: Object) -> tuple[Sequence[object], Sequence[object], bool]:
    meta = metadata(obj)
    return (meta.get("ownerReferences") or (), meta.get("finalizers") or (), is_terminating(obj))
