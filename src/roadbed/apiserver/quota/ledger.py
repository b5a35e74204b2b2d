"""What is used in each namespace that has quotas: counted once, then kept by what storage tells.

Asked by ``enforcement`` before every write that a quota names. What was let through and is not stored yet is held
beside what is, so that no number of writes at the same time gets past a quota; all of it happens on the event loop
without awaits between looking and holding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import orjson

from roadbed.apimachinery.quantity import Quantity
from roadbed.apimachinery.request import Object
from roadbed.apiserver.registry import Registry, Served
from roadbed.apiserver.watchcache import Hub
from roadbed.storage import Event

from .usage import ZERO, Scopes, Term, Usage, is_measured, scopes_of, used_by

_NO_SCOPES: Scopes = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """One object as quotas see it."""

    usage: Usage
    scopes: Scopes = _NO_SCOPES


@dataclass(slots=True)
class Tally:
    """The objects of one resource in one namespace, and those on their way."""

    stored: dict[str, Item] = field(default_factory=dict)
    coming: dict[str, Item] = field(default_factory=dict)
    total: dict[str, Quantity] = field(default_factory=dict)

    def put(self, path: str, item: Item | None) -> None:
        """Take what is stored at a path now; nothing is on its way there any more."""
        self.drop(path)
        before = self.stored.pop(path, None)
        if before is not None:
            self._count(before, -1)
        if item is not None:
            self.stored[path] = item
            self._count(item, 1)

    def hold(self, path: str, item: Item) -> None:
        """Count what is on its way, beside what it would replace."""
        self.drop(path)
        self.coming[path] = item
        self._count(item, 1)

    def drop(self, path: str) -> None:
        """Let go of what was on its way."""
        held = self.coming.pop(path, None)
        if held is not None:
            self._count(held, -1)

    def used(self, name: str, terms: frozenset[Term]) -> Quantity:
        """Give how much is used, by the objects in all these scopes."""
        if not terms:
            return self.total.get(name, ZERO)
        found = ZERO
        for item in (*self.stored.values(), *self.coming.values()):
            if all(term.holds(item.scopes) for term in terms):
                found += item.usage.get(name, ZERO)
        return found

    def _count(self, item: Item, sign: int) -> None:
        for name, amount in item.usage.items():
            had = self.total.get(name, ZERO)
            self.total[name] = had + amount if sign > 0 else had - amount


class Ledger:
    """Every tally that was asked for; ``changed`` is told the namespace of each change."""

    def __init__(self, registry: Registry, hub: Hub, changed: Callable[[str], None]) -> None:
        self._registry = registry
        self._hub = hub
        self._changed = changed
        self._followed: set[str] = set()
        self._tallies: dict[tuple[str, str, str], Tally] = {}

    def tally(self, group: str, plural: str, namespace: str) -> Tally | None:
        """Give the tally of one resource in one namespace; None where nothing serves it."""
        found = self._tallies.get((group, plural, namespace))
        if found is not None:
            return found
        served = self.served(group, plural)
        if served is None:
            return None
        found = self._tallies[group, plural, namespace] = Tally()
        for entry in served.cache.entries(namespace):
            found.put(entry.path, item_of(group, plural, partial(orjson.loads, entry.value)))
        self._follow(served)
        return found

    def served(self, group: str, plural: str) -> Served | None:
        """Give what serves a namespaced resource, in any version."""
        candidates: Iterable[Served] = self._registry.all()
        for each in candidates:
            resource = each.resource
            if (resource.group, resource.plural) == (group, plural) and resource.namespaced:
                return each
        return None

    def _follow(self, served: Served) -> None:
        if served.home in self._followed:
            return
        self._followed.add(served.home)
        group, plural = served.resource.group, served.resource.plural

        def observe(event: Event) -> None:
            path = event.key[len(served.home) :]
            namespace = path.partition("/")[0]
            tally = self._tallies.get((group, plural, namespace))
            if tally is None:
                return
            tally.put(path, None if event.is_delete else self._item(group, plural, path))
            self._changed(namespace)

        self._hub.observe(served.home, observe)

    def _item(self, group: str, plural: str, path: str) -> Item:
        def read() -> Object:
            served = self.served(group, plural)
            entry = served.cache.get(path) if served is not None else None
            found: Object = {} if entry is None else orjson.loads(entry.value)
            return found

        return item_of(group, plural, read)


def item_of(group: str, plural: str, read: Callable[[], Object]) -> Item:
    """Give one object as quotas see it; it is read only where its content matters."""
    obj = read() if is_measured(group, plural) else None
    scopes = scopes_of(plural, obj) if obj is not None and not group else _NO_SCOPES
    return Item(used_by(group, plural, obj), scopes)
