"""A controller: watches that make requests, a workqueue, and workers that reconcile.

Made by an engine, run by the ``Manager`` in a task group of its own: ``workers`` tasks take requests in
parallel, never two for one request. A reconcile that fails is retried with backoff, for ever; a
``TerminalError`` is not, until a watched object changes. The broad ``except`` of the whole platform is here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from roadbed.apimachinery.errors import ApiError, ConflictError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import key_of
from roadbed.apimachinery.request import Object
from roadbed.client import Change

from .informers import Informers
from .reconciler import Reconciler, Request, TerminalError
from .workqueue import WorkQueue

logger = logging.getLogger(__name__)

RECONCILE_TIMEOUT_S = 120.0  # a hung cloud call must not hold a worker for ever

ToRequests = Callable[[Object], Iterable[Request]]
Predicate = Callable[[Object | None, Object | None], bool]


def own_key(obj: Object) -> Iterable[Request]:
    """Map an object to the request for itself."""
    key = key_of(obj)
    return (Request(key.namespace, key.name),)


@dataclass(frozen=True, slots=True)
class Watch:
    """One resource a controller looks at, and whose turn a change makes it.

    ``to_requests`` is asked for the old and the new object, so that a moved reference wakes both ends.
    ``predicate`` gets (old, new) and says whether the change matters; None lets every change through.
    Both are called on the loop inside the informer and must not change the objects they are given.
    """

    resource: Resource
    to_requests: ToRequests = own_key
    predicate: Predicate | None = None


class Controller:
    """Reconciles one kind of thing. ``name`` is its identity in logs and in the manager."""

    def __init__(
        self, name: str, reconciler: Reconciler, watches: Sequence[Watch], *, workers: int = 4
    ) -> None:
        self.name = name
        self.queue: WorkQueue[Request] = WorkQueue()
        self._reconciler = reconciler
        self._watches = list(watches)
        self._workers = workers
        self._informers: Informers | None = None
        self._attached: dict[Watch, ExitStack] = {}

    async def watch(self, watch: Watch) -> None:
        """Look at one more resource; while running it takes effect at once. Repeats change nothing."""
        if watch in self._watches:
            return
        self._watches.append(watch)
        if self._informers is not None:
            self._attach(watch, self._informers)

    def unwatch(self, resource: Resource) -> None:
        """Stop looking at a resource, for one whose definition is gone."""
        for watch in [watch for watch in self._watches if watch.resource == resource]:
            self._watches.remove(watch)
            attached = self._attached.pop(watch, None)
            if attached is not None:
                attached.close()

    async def run(self, informers: Informers) -> None:
        """Work until cancelled."""
        self._informers = informers
        try:
            async with asyncio.TaskGroup() as tasks:
                for watch in tuple(self._watches):
                    self._attach(watch, informers)
                # Wait for the lists before the first reconcile, or it acts on what it has not yet seen.
                for watch in tuple(self._watches):
                    await informers.of(watch.resource).synced()
                for number in range(self._workers):
                    tasks.create_task(self._work(), name=f"{self.name}/{number}")
        finally:
            for attached in self._attached.values():
                attached.close()
            self._attached.clear()
            self.queue.close()
            self._informers = None

    def _attach(self, watch: Watch, informers: Informers) -> None:
        exits = self._attached[watch] = ExitStack()
        informer = informers.acquire(watch.resource)
        exits.callback(informers.release, watch.resource)

        def handle(change: Change) -> None:
            old, new = change.objects()
            if watch.predicate is not None and not watch.predicate(old, new):
                return
            for obj in (old, new):
                if obj is not None:
                    for request in watch.to_requests(obj):
                        self.queue.add(request)

        exits.callback(informer.add_handler(handle))

    async def _work(self) -> None:
        while True:
            request = await self.queue.get()
            try:
                await self._reconcile(request)
            finally:
                self.queue.done(request)

    async def _reconcile(self, request: Request) -> None:
        facts = {"controller": self.name, "request": str(request)}
        try:
            async with asyncio.timeout(RECONCILE_TIMEOUT_S):
                result = await self._reconciler.reconcile(request)
        except TerminalError as error:
            self.queue.forget(request)
            logger.warning("reconcile ended for good", extra={**facts, "error": str(error)})
        except ConflictError as error:
            # Someone wrote in between; the watch brings the news, so this is not worth a line.
            self.queue.add_failed(request)
            logger.debug("reconcile met a conflict", extra={**facts, "error": str(error)})
        except (ApiError, OSError, TimeoutError) as error:
            delay_s = self.queue.add_failed(request)
            logger.warning("reconcile failed", extra={**facts, "error": str(error), "retry_in_s": delay_s})
        except Exception:
            delay_s = self.queue.add_failed(request)
            logger.exception("reconcile broke", extra={**facts, "retry_in_s": delay_s})
        else:
            self.queue.forget(request)
            if result.requeue_after_s is not None:
                self.queue.add_after(request, result.requeue_after_s)
