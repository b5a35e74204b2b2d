"""The controllers of composites: one per defined kind, started and stopped as definitions come and go.

Owned by the plugin, called by the definition reconciler. A controller is started anew only when the kind
itself is served differently (another version, another scope); everything else in a definition is read
from the cache at every reconcile. Watches on composed kinds are added while it runs and last as long as
it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from roadbed.apimachinery.conditions import find_condition, is_true
from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import name_of
from roadbed.apimachinery.request import Object
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.crossplane import COMPOSITION_REVISIONS, COMPOSITIONS, composite_resource
from roadbed.controller import Controller, Informers, Manager, Request, Watch
from roadbed.plugins import EngineContext

from . import selection
from .builtin import Functions
from .composites import CompositeReconciler, Tools
from .functions.protocol import ResourceSelector
from .mirrors import Mirrors
from .publishing import Publisher
from .sources import Reader
from .telling import Teller
from .tracking import Tracker
from .writing import Writer
from .xrd import scope_of

SYNC_TIMEOUT_S = 5.0  # a kind that can't be listed is read object by object instead
WORKERS = 8  # they wait for commits together, so some share one; more make every turn of the loop longer


@dataclass(slots=True)
class _Running:
    """One kind's controller and what it looks at."""

    resource: Resource
    legacy: bool
    tracker: Tracker
    controller: Controller
    watched: set[Resource] = field(default_factory=set)
    synced: set[Resource] = field(default_factory=set)
    required: set[Resource] = field(default_factory=set)

    async def watch(self, resource: Resource, informers: Informers) -> None:
        """Look at a kind of composed resource; returns once its objects are cached."""
        if resource not in self.watched:
            self.watched.add(resource)
            tracker = self.tracker
            await self.controller.watch(Watch(resource, tracker.composed_requests, tracker.composed_news))
        if resource in self.synced:
            return
        # Whoever reads before the list is in would ask the server for every object, and be woken by it again.
        with suppress(TimeoutError):
            async with asyncio.timeout(SYNC_TIMEOUT_S):
                await informers.of(resource).synced()
                self.synced.add(resource)


class RunningComposites:
    """The controllers by definition; see ``definitions.Composites``."""

    def __init__(self, context: EngineContext, mirrors: Mirrors, functions: Functions) -> None:
        self._context = context
        self._mirrors = mirrors
        self._functions = functions
        self._running: dict[str, _Running] = {}
        self._definitions: Controller | None = None

    def notify(self, definitions: Controller) -> None:
        """Wake this controller when the last composite of a dying definition may have gone."""
        self._definitions = definitions

    async def ensure(self, definition: Object) -> bool:
        """Run the controller of a definition's kind; see ``definitions.Composites``."""
        name = name_of(definition)
        resource = composite_resource(definition)
        legacy = scope_of(definition) == "LegacyCluster"
        running = self._running.get(name)
        if running is not None and self._manager.is_running(running.controller.name):
            same = running.resource == resource and running.resource.namespaced == resource.namespaced
            if same and running.legacy == legacy:
                return False
            await self.stop(name)
        self._running[name] = running = self._build(name, resource, legacy=legacy)
        self._manager.start(running.controller)
        return True

    async def stop(self, name: str) -> None:
        """Stop the controller of a definition; see ``definitions.Composites``."""
        running = self._running.pop(name, None)
        if running is not None:
            await self._manager.stop(running.controller.name)

    @property
    def _manager(self) -> Manager:
        return self._context.manager

    def _build(self, name: str, resource: Resource, *, legacy: bool) -> _Running:
        context = self._context
        tracker = Tracker(resource)
        informers = lambda: self._manager.informers  # noqa: E731 - known only once the manager runs

        async def watch(kind: Resource) -> None:
            await self._running[name].watch(kind, self._manager.informers)

        reader = Reader(context.client, informers, self._functions, watch)
        writer = Writer(context.client, resource, informers, legacy=legacy)
        tools = Tools(
            definition=name,
            composite=resource,
            legacy=legacy,
            mirrors=self._mirrors,
            reader=reader,
            writer=writer,
            publisher=Publisher(
                context.client,
                context.clock,
                lambda: self._mirrors.definitions.get(name) or {},
                legacy=legacy,
            ),
            tracker=tracker,
            teller=Teller(resource, reader, writer, context.recorder, context.clock),
            clock=context.clock,
            require=partial(self._require, name, reader),
            watch=watch,
            gone=partial(self._gone, name),
        )
        controller = Controller(
            f"composite/{name}",
            CompositeReconciler(tools),
            [
                Watch(resource, predicate=tracker.composite_news),
                Watch(COMPOSITION_REVISIONS, _affected(tracker, resource), _revision_news),
                Watch(COMPOSITIONS, _unsettled(tracker), _composition_news),
                Watch(CUSTOMRESOURCEDEFINITIONS, _failing(tracker), _crd_news),
            ],
            workers=WORKERS,
        )
        return _Running(resource, legacy, tracker, controller)

    async def _require(
        self, name: str, reader: Reader, request: Request, required: list[ResourceSelector]
    ) -> None:
        running = self._running[name]
        found: list[tuple[Resource, ResourceSelector]] = []
        for selector in required:
            try:
                kind = await reader.kind(GVK.parse(selector.api_version, selector.kind))
            except NotFoundError:
                continue
            found.append((kind, selector))
        for kind in running.tracker.require(request, tuple(found)):
            if kind not in running.required:
                running.required.add(kind)
                requests = partial(running.tracker.required_requests, kind)
                await running.controller.watch(Watch(kind, requests))

    def _gone(self, name: str) -> None:
        definition = self._mirrors.definitions.get(name) or {}
        if self._definitions is not None and (definition.get("metadata") or {}).get("deletionTimestamp"):
            self._definitions.queue.add(Request("", name))


def _affected(tracker: Tracker, resource: Resource) -> Callable[[Object], Iterable[Request]]:
    def affected(revision: Object) -> Iterable[Request]:
        reference = (revision.get("spec") or {}).get("compositeTypeRef") or {}
        if (reference.get("apiVersion"), reference.get("kind")) != (resource.api_version, resource.kind):
            return ()
        return tracker.users_of(selection.composition_of(revision), name_of(revision))

    return affected


def _unsettled(tracker: Tracker) -> Callable[[Object], Iterable[Request]]:
    return lambda composition: tracker.users_of(name_of(composition), "")


def _failing(tracker: Tracker) -> Callable[[Object], Iterable[Request]]:
    return lambda _crd: tuple(tracker.failing)


def _revision_news(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return True
    return bool(old.get("spec") != new.get("spec") or _validity(old) != _validity(new))


def _validity(revision: Object) -> tuple[object, object]:
    condition = find_condition(revision, "ValidPipeline") or {}
    return condition.get("status"), condition.get("message")


def _composition_news(old: Object | None, new: Object | None) -> bool:
    # A change of its content comes as a revision; here only what appears and disappears counts.
    return old is None or new is None


def _crd_news(old: Object | None, new: Object | None) -> bool:
    if new is None:
        return False
    return is_true(new, "Established") and not (old is not None and is_true(old, "Established"))
