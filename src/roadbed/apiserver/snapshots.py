"""What is configured by objects, kept compiled: read anew only after such an object changed.

Used by ``webhooks``, ``policies`` and ``quota`` for their configurations. A change counts from the moment its writer
has the answer: the hub tells of it before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import orjson

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.storage import Event

from .registry import Registry
from .watchcache import Hub

T = TypeVar("T")


class Snapshot(Generic[T]):
    """All objects of some resources, compiled together by ``read`` whenever one of them changed."""

    def __init__(
        self,
        registry: Registry,
        hub: Hub,
        resources: Sequence[tuple[str, str, str]],
        read: Callable[[list[list[Object]]], T],
    ) -> None:
        self._registry = registry
        self._resources = resources
        self._read = read
        self._value: T | None = None
        self.generation = 0
        for group, version, plural in resources:
            served = registry.find(group, version, plural)
            if served is not None:
                hub.observe(served.home, self._forget)

    @property
    def value(self) -> T:
        """The compiled whole."""
        if self._value is None:
            self._value = self._read([self._objects(each) for each in self._resources])
        return self._value

    def _objects(self, key: tuple[str, str, str]) -> list[Object]:
        served = self._registry.find(*key)
        return [] if served is None else [orjson.loads(entry.value) for entry in served.cache.entries()]

    def _forget(self, event: Event) -> None:
        del event
        self._value = None
        self.generation += 1


class Seen:
    """Remembers for which resources something says yes, until a generation passes."""

    def __init__(self) -> None:
        self._generations: tuple[int, ...] = ()
        self._known: dict[Resource, bool] = {}

    def ask(self, resource: Resource, generations: tuple[int, ...], judge: Callable[[], bool]) -> bool:
        """Give what ``judge`` says, from memory where it was asked before."""
        if generations != self._generations:
            self._generations = generations
            self._known.clear()
        found = self._known.get(resource)
        if found is None:
            found = self._known[resource] = judge()
        return found
