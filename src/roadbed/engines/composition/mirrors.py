"""Decoded copies of the few, often read kinds: definitions, Compositions, revisions, functions, ClusterRoles.

Owned by the engine and fed by the shared informers' handlers, on one loop. Informers keep bytes because
there may be very many objects; of these kinds there are few, and every composite reads them on every
reconcile. What is given is shared: read only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import labels_of, name_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import COMPOSITION_REVISIONS, COMPOSITIONS, FUNCTIONS, XRDS, Label
from roadbed.apis.rbac import CLUSTERROLES
from roadbed.controller import Change, Informer, Informers

_NOTHING: Mapping[str, Object] = {}


class Mirror:
    """The objects of one cluster-scoped resource by name, and by an optional group."""

    def __init__(self, informer: Informer, group_of: Callable[[Object], str] | None = None) -> None:
        self.informer = informer
        self.objects: dict[str, Object] = {}
        self._groups: dict[str, dict[str, Object]] = {}
        self._group_of = group_of
        informer.add_handler(self._take)

    def group(self, name: str) -> Mapping[str, Object]:
        """Give the objects of a group by name."""
        return self._groups.get(name, _NOTHING)

    def _take(self, change: Change) -> None:
        old = self.objects.pop(change.key.name, None)
        if old is not None and self._group_of is not None:
            self._groups.get(self._group_of(old), {}).pop(name_of(old), None)
        if change.new is None:
            return
        new: Object = orjson.loads(change.new)
        self.objects[change.key.name] = new
        if self._group_of is not None:
            self._groups.setdefault(self._group_of(new), {})[name_of(new)] = new


class Mirrors:
    """The mirrors of one manager; a mirror is made when it is first read.

    The engine's own controllers watch these resources, so their informers run while anything here reads.
    """

    def __init__(self, informers: Callable[[], Informers]) -> None:
        self._informers = informers
        self._mirrors: dict[Resource, Mirror] = {}

    @property
    def definitions(self) -> Mapping[str, Object]:
        """All CompositeResourceDefinitions by name."""
        return self._of(XRDS).objects

    @property
    def compositions(self) -> Mapping[str, Object]:
        """All Compositions by name."""
        return self._of(COMPOSITIONS).objects

    @property
    def functions(self) -> Mapping[str, Object]:
        """All Functions by name."""
        return self._of(FUNCTIONS).objects

    @property
    def cluster_roles(self) -> Mapping[str, Object]:
        """All ClusterRoles by name."""
        return self._of(CLUSTERROLES).objects

    def function(self, name: str) -> Object | None:
        """Give one Function."""
        return self.functions.get(name)

    @property
    def revisions(self) -> Mapping[str, Object]:
        """All CompositionRevisions by name."""
        return self._of(COMPOSITION_REVISIONS, _composition_of).objects

    def revisions_of(self, composition: str) -> Mapping[str, Object]:
        """Give the revisions of one Composition by name."""
        return self._of(COMPOSITION_REVISIONS, _composition_of).group(composition)

    def _of(self, resource: Resource, group_of: Callable[[Object], str] | None = None) -> Mirror:
        informer = self._informers().of(resource)
        mirror = self._mirrors.get(resource)
        if mirror is None or mirror.informer is not informer:  # restarted: the old one hears nothing more
            mirror = self._mirrors[resource] = Mirror(informer, group_of)
        return mirror


def _composition_of(revision: Object) -> str:
    return labels_of(revision).get(Label.COMPOSITION_NAME, "")
