"""Who owns whom, as a graph by uid: the pure half of garbage collection.

Fed by the collector from informer changes, asked by its reconciler; one loop, no I/O, no time.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and
k8s.io/kubernetes/pkg/controller/garbagecollector.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import Uid, is_terminating, metadata, uid_of
from roadbed.apimachinery.request import Object
from roadbed.controller import Request

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
REMEMBERED_ABSENT = 4_096  # owners that were seen to go while they had dependents


@dataclass(frozen=True, slots=True, order=True)
class Node(Request):
    """The place of one object of any kind."""

    resource: Resource


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner reference, as far as collection cares."""

    api_version: str
    kind: str
    name: str
    uid: Uid
    blocks: bool

    def is_at(self, node: Node) -> bool:
        """Say whether this reference names the object at ``node``; the version does not matter."""
        gvk = GVK.parse(self.api_version, self.kind)
        resource = node.resource
        return (gvk.group, gvk.kind, self.name) == (resource.group, resource.kind, node.name)


@dataclass(frozen=True, slots=True)
class _Known:
    node: Node
    owners: tuple[Owner, ...]
    waits_for_dependents: bool


class Ownership:
    """Every object that owns or is owned, found by uid."""

    def __init__(self) -> None:
        self._known: dict[Uid, _Known] = {}
        self._dependents: dict[Uid, dict[Uid, None]] = {}
        self._absent: OrderedDict[Uid, Node] = OrderedDict()

    def put(self, node: Node, obj: Object) -> None:
        """Take in the present state of an object."""
        uid = uid_of(obj)
        self.remove(uid)
        owners = tuple(owners_of(obj))
        self._known[uid] = _Known(node, owners, waits_for_dependents(obj))
        for owner in owners:
            self._dependents.setdefault(owner.uid, {})[uid] = None

    def remove(self, uid: Uid) -> None:
        """Forget an object; those it owned stay known as its dependents."""
        known = self._known.pop(uid, None)
        for owner in known.owners if known else ():
            dependents = self._dependents.get(owner.uid)
            if dependents is not None:
                dependents.pop(uid, None)
                if not dependents:
                    del self._dependents[owner.uid]

    def gone(self, uid: Uid) -> list[Node]:
        """Forget an object that was seen to go, and remember that; gives those it leaves behind.

        Its kind may go with it, and then nobody can be asked whether it is there.
        """
        left, known = self.dependents(uid), self._known.get(uid)
        self.remove(uid)
        if left and known is not None:
            self._absent[uid] = known.node
            if len(self._absent) > REMEMBERED_ABSENT:
                self._absent.popitem(last=False)
        return left

    def leave(self, resource: Resource) -> list[Node]:
        """Take all objects of a resource as gone; gives those that they leave behind."""
        uids = [uid for uid, known in self._known.items() if known.node.resource == resource]
        return [node for uid in uids for node in self.gone(uid)]

    def former(self, uid: Uid) -> Node | None:
        """Give the place of an object that was seen to go, or None."""
        return self._absent.get(uid)

    def node(self, uid: Uid) -> Node | None:
        """Give the place of an object that exists, or None."""
        known = self._known.get(uid)
        return known.node if known else None

    def dependents(self, uid: Uid) -> list[Node]:
        """Give the places of all objects that name ``uid`` as an owner."""
        return [self._known[dependent].node for dependent in self._dependents.get(uid, ())]

    def blocking(self, uid: Uid) -> list[Node]:
        """Give the dependents that a foreground deletion of ``uid`` has to wait for; itself it is not one."""
        return [
            self._known[dependent].node
            for dependent in self._dependents.get(uid, ())
            if dependent != uid
            and any(owner.uid == uid and owner.blocks for owner in self._known[dependent].owners)
        ]

    def is_waiting(self, uid: Uid) -> bool:
        """Say whether the object is held by a foreground deletion."""
        known = self._known.get(uid)
        return known is not None and known.waits_for_dependents

    def in_circle(self, uid: Uid) -> bool:
        """Say whether a dependent of the object is itself waiting for its dependents (an ownership circle)."""
        return any(self._known[dependent].waits_for_dependents for dependent in self._dependents.get(uid, ()))


def owners_of(obj: Mapping[str, Any]) -> Iterable[Owner]:
    """Give the owner references of an object."""
    for reference in metadata(obj).get("ownerReferences") or ():
        yield Owner(
            str(reference.get("apiVersion", "")),
            str(reference.get("kind", "")),
            str(reference.get("name", "")),
            Uid(str(reference.get("uid", ""))),
            bool(reference.get("blockOwnerDeletion")),
        )


def waits_for_dependents(obj: Mapping[str, Any]) -> bool:
    """Say whether the object is being deleted in the foreground."""
    return is_terminating(obj) and FOREGROUND in (metadata(obj).get("finalizers") or ())


def orphans_dependents(obj: Mapping[str, Any]) -> bool:
    """Say whether the object is being deleted and its dependents are to stay."""
    return is_terminating(obj) and ORPHAN in (metadata(obj).get("finalizers") or ())
