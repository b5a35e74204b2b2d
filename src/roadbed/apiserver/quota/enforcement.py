"""ResourceQuotas: no write may bring a namespace above what they allow, and their status says what is used.

The last validator of every write that some quota of its namespace names. What a write adds is held from the moment
it is let through until it is stored or fails, so writes at the same time can't overshoot together. ``run`` is the
task that writes ``status``; a create waits until the status tells of it, as in Kubernetes, where the status is written
first.

Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.quantity import Quantity, parse_quantity
from roadbed.apimachinery.request import Object
from roadbed.apiserver.matching import refusal
from roadbed.apiserver.registry import Registry
from roadbed.apiserver.snapshots import Snapshot
from roadbed.apiserver.watchcache import Hub

from .ledger import Item, Ledger, Tally, item_of
from .status import StatusWriter
from .usage import ZERO, Term, counted, is_measured, terms_of

logger = logging.getLogger(__name__)

STATUS_WAIT_S = 1.0  # how long a create waits for the quota's status; late is better than refused


@dataclass(frozen=True, slots=True)
class Quota:
    """One ResourceQuota."""

    namespace: str
    name: str
    hard: Mapping[str, Quantity]
    scopes: frozenset[Term]

    @classmethod
    def read(cls, obj: Object) -> Quota:
        """Read the spec; what is no quantity limits nothing, and validation tells of it."""
        spec = obj.get("spec") or {}
        hard: dict[str, Quantity] = {}
        for name, value in (spec.get("hard") or {}).items():
            with contextlib.suppress(ValueError):
                hard[name] = parse_quantity(str(value))
        return cls(obj["metadata"]["namespace"], obj["metadata"]["name"], hard, terms_of(spec))

    def names_of(self, resource: Resource) -> list[str]:
        """Give the names of this quota that are about a resource, sorted."""
        return sorted(name for name in self.hard if counted(name) == (resource.group, resource.plural))


class Quotas:
    """The validator and the task."""

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._snapshot = Snapshot(registry, hub, [("", "v1", "resourcequotas")], _read)
        self._writer = StatusWriter(self._used)
        self._ledger = Ledger(registry, hub, self._writer.mark)
        served = registry.find("", "v1", "resourcequotas")
        if served is not None:
            home = served.home
            hub.observe(home, lambda event: self._writer.mark(event.key[len(home) :].partition("/")[0]))

    def sees(self, resource: Resource) -> bool:
        """Say whether a quota somewhere is about this resource."""
        quotas = self._snapshot.value
        return bool(quotas) and resource.namespaced and (resource.group, resource.plural) in quotas.about

    async def validate(self, request: AdmissionRequest) -> Held | None:
        """Hold what the write adds.

        Raises:
            ForbiddenError: it would exceed a quota; the first of those that it would, in order of names.
        """
        resource = request.resource
        obj = request.object
        if obj is None or request.operation == "DELETE" or request.subresource:
            return None
        if request.operation != "CREATE" and not is_measured(resource.group, resource.plural):
            return None
        quotas = self._snapshot.value.by_namespace.get(request.namespace, ())
        relevant = [(quota, names) for quota in quotas if (names := quota.names_of(resource))]
        if not relevant:
            return None
        tally = self._ledger.tally(resource.group, resource.plural, request.namespace)
        if tally is None:
            return None
        path = f"{request.namespace}/{request.name}"
        item = item_of(resource.group, resource.plural, lambda: obj)
        added = _added(tally.stored.get(path) if request.operation == "UPDATE" else None, item)
        for quota, names in relevant:
            if all(term.holds(item.scopes) for term in quota.scopes):
                _check(request, quota, {name: added.get(name, ZERO) for name in names}, tally)
        if not request.dry_run and any(amount.nanos for amount in added.values()):
            tally.hold(path, Item(added, item.scopes))
            return Held(tally, path, request.namespace, self._writer)
        return None

    async def run(self, system: Any) -> None:
        """Write statuses until cancelled; ``system`` is a transport with every right."""
        for namespace in self._snapshot.value.by_namespace:
            self._writer.mark(namespace)
        await self._writer.run(system)

    def _used(self, namespace: str) -> list[tuple[str, Object]]:
        """Give the status of every quota of a namespace."""
        found = []
        for quota in self._snapshot.value.by_namespace.get(namespace, ()):
            used: dict[str, str] = {}
            for name in quota.hard:
                tally = self._ledger.tally(*counted(name), namespace)
                used[name] = "0" if tally is None else str(tally.used(name, quota.scopes))
            hard = {name: str(amount) for name, amount in quota.hard.items()}
            found.append((quota.name, {"hard": hard, "used": used}))
        return found


@dataclass(frozen=True, slots=True)
class Held:
    """What one write was let through with."""

    tally: Tally
    path: str
    namespace: str
    writer: StatusWriter

    async def kept(self) -> None:
        """Wait, for a moment, until the status tells of the write."""
        self.tally.drop(self.path)  # storage has told of it already, unless nothing was written
        try:
            async with asyncio.timeout(STATUS_WAIT_S):
                await self.writer.caught_up(self.namespace)
        except TimeoutError:
            logger.debug("quota status is late", extra={"namespace": self.namespace})

    def undone(self) -> None:
        """Let go of what was held."""
        self.tally.drop(self.path)


@dataclass(frozen=True, slots=True)
class _All:
    """All quotas, by namespace in order of names, and what they are about."""

    by_namespace: Mapping[str, list[Quota]]
    about: frozenset[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.about)


def _read(found: list[list[Object]]) -> _All:
    by_namespace: dict[str, list[Quota]] = {}
    for each in found[0]:
        quota = Quota.read(each)
        by_namespace.setdefault(quota.namespace, []).append(quota)
    about = frozenset(
        counted(name) for quotas in by_namespace.values() for quota in quotas for name in quota.hard
    )
    return _All(by_namespace, about)


def _added(before: Item | None, item: Item) -> dict[str, Quantity]:
    """Give what a write adds; what it gives back is free once it is stored."""
    if before is None:
        return dict(item.usage)
    changed = {name: amount - before.usage.get(name, ZERO) for name, amount in item.usage.items()}
    return {name: amount for name, amount in changed.items() if amount > ZERO}


def _check(request: AdmissionRequest, quota: Quota, added: Mapping[str, Quantity], tally: Tally) -> None:
    requested = {name: amount for name, amount in added.items() if amount.nanos}
    used = {name: tally.used(name, quota.scopes) for name in requested}
    exceeded = [name for name, amount in requested.items() if used[name] + amount > quota.hard[name]]
    if exceeded:
        raise refusal(
            request,
            f"exceeded quota: {quota.name}, requested: {_shown(requested, exceeded)}, "
            f"used: {_shown(used, exceeded)}, limited: {_shown(quota.hard, exceeded)}",
        )


def _shown(amounts: Mapping[str, Quantity], names: list[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in sorted(names))
