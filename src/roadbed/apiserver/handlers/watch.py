"""Watch: initial state where asked for, then every change in order, with bookmarks.

A watch starts from now, from any revision in the cache's ring, or from the log when the ring does not
reach back: then storage replays until it meets the first live change, which the watcher already holds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing

import orjson

from roadbed.apimachinery.errors import ExpiredError
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.options import whole
from roadbed.apiserver.registry import Served
from roadbed.apiserver.watchcache import Change, Entry, Push, Selection, Signal
from roadbed.storage import CompactedError, OverflowError, Revision  # noqa: A004 - storage's own

from . import list as listing

BOOKMARK_S = 55.0  # Kubernetes promises about one a minute
MIN_TIMEOUT_S = 1800  # a watch without timeoutSeconds lives 30 to 60 minutes, as in Kubernetes
Bookmark = bytes
"""A bookmark's object."""


class Watch:
    """One watch: asking it for batches gives signals, or a bookmark's object; it ends by itself."""

    def __init__(self, core: Core, call: Call) -> None:
        options = call.request.options
        self._core = core
        self._call = call
        self._bookmarks = call.flag("allowWatchBookmarks")
        self._sends_initial = _initial_events(call)
        self._timeout_s = _timeout_s(whole(options, "timeoutSeconds"))
        self._loop = asyncio.get_running_loop()
        self._end = 0.0
        self._is_due = False  # a bookmark, or the end of the watch
        wanted = listing.selection(call)
        # Where a webhook converts, what is stored says nothing of what is selected.
        is_converted = call.served.converter is not None
        self._selects = None if is_converted else wanted
        self._selects_shown = wanted if is_converted else None
        revision = options.get("resourceVersion", "")
        self._after = listing.parse_revision(revision) if revision else 0
        listing.refuse_future(core, self._after)
        cache = call.served.cache
        self._watcher = cache.watcher(call.request.namespace, self._selects)
        # Everything from here to the first await sees one state: no change is lost or doubled.
        self._start = core.hub.revision
        self._initial: list[Entry] = []
        self._missed: Sequence[Change] | None = ()
        if self._sends_initial or (self._sends_initial is None and not self._after):
            self._initial = [
                entry
                for entry in cache.entries(call.request.namespace)
                if self._selects is None or self._selects(entry)
            ]
        elif self._after:
            self._missed = cache.since(self._after)

    @property
    def served(self) -> Served:
        """What is watched."""
        return self._call.served

    @property
    def options(self) -> Mapping[str, str]:
        """The request's options."""
        return self._call.request.options

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the client should tell its user before all else."""
        return tuple(self._call.warnings)

    def push_to(self, push: Push, count: Callable[[int], None]) -> None:
        """Hand lines to ``push``, as they come, while who asked for a batch waits for it; ``count`` hears how many.

        Not where a webhook converts: what it makes of a signal has to be awaited.
        """
        if self.served.converter is None:
            self._watcher.push = push
            self.served.cache.count_pushed = count

    def stop(self) -> None:
        """End the watch in good order; nobody listens any more."""
        self._watcher.finish()

    def batches(self) -> AsyncGenerator[list[Signal] | Bookmark]:
        """Yield what to send, as it comes.

        Raises:
            ExpiredError: the revision is compacted, or the reader was too slow.
            ApiError: what is stored could not be converted into the version that is watched.
        """
        return self._stored_batches() if self.served.converter is None else self._converted_batches()

    async def _converted_batches(self) -> AsyncGenerator[list[Signal] | Bookmark]:
        async with aclosing(self._stored_batches()) as stored:
            async for batch in stored:
                if isinstance(batch, bytes):
                    yield batch
                    continue
                found = await self._shown(batch)
                if found:
                    yield found

    async def _shown(self, batch: Sequence[Signal]) -> list[Signal]:
        """Give what a watcher of this version sees of changes to what is stored."""
        selects = self._selects_shown
        if selects is None:
            shown = await self.served.shown([each.entry for each in batch])
            return [Signal(each.type, entry) for each, entry in zip(batch, shown, strict=True)]
        asked = [entry for each in batch for entry in (each.old, each.entry) if entry is not None]
        left = iter(await self.served.shown(asked))
        found = []
        for each in batch:
            old = None if each.old is None else next(left)
            found.append(Change(next(left), old, is_delete=each.type == "DELETED").signal(selects))
        return [signal for signal in found if signal is not None]

    async def _stored_batches(self) -> AsyncGenerator[list[Signal] | Bookmark]:
        """Yield what to send, in whichever version it is stored."""
        self._end = self._loop.time() + self._timeout_s
        timer = self._loop.call_later(min(self._timeout_s, BOOKMARK_S), self._tick)
        try:
            if self._initial:
                yield [Signal("ADDED", entry) for entry in self._initial]
            self._initial = []
            if self._sends_initial and self._bookmarks:
                yield self._bookmark(self._start, ends_initial=True)
            async for batch in self._catch_up():
                yield batch
            while (signals := await self._watcher.drain(self._loop)) is not None:
                if signals:
                    yield signals
                # What is queued by now is part of what a bookmark would promise.
                if not self._is_due or self._watcher.queue:
                    continue
                if (left := self._left_s()) <= 0:
                    return
                if self._bookmarks:
                    yield self._bookmark(self._core.hub.revision)
                self._is_due = False
                timer = self._loop.call_later(min(left, BOOKMARK_S), self._tick)
        finally:
            timer.cancel()
            self._watcher.close()

    def _tick(self) -> None:
        self._is_due = True
        self._watcher.rouse()

    async def _catch_up(self) -> AsyncIterator[list[Signal]]:
        if self._missed is None:
            async for batch in self._from_log():
                yield batch
            return
        signals = _signals(self._missed, self._call, self._selects)
        if signals:
            yield signals

    async def _from_log(self) -> AsyncIterator[list[Signal]]:
        cache, storage = self._call.served.cache, self._core.hub.storage
        # Only what is committed: a quiet resource must go on to its bookmarks.
        log = storage.watch(self._call.served.home, after=Revision(self._after), is_live=False)
        try:
            async for event in log:
                if event.revision > self._start or self._watcher.closed.is_set():
                    return  # the watcher's own queue goes on from here
                signals = _signals([cache.translate(event)], self._call, self._selects)
                if signals:
                    yield signals
        except CompactedError as error:
            raise ExpiredError(f"too old resource version: {self._after} ({storage.compacted})") from error
        except OverflowError as error:
            raise ExpiredError(
                "the watcher read too slowly and was dropped; list again, then watch"
            ) from error

    def _left_s(self) -> float:
        return self._end - self._loop.time()

    def _bookmark(self, revision: int, *, ends_initial: bool = False) -> Bookmark:
        resource = self._call.served.resource
        meta: dict[str, object] = {"resourceVersion": str(revision)}
        if ends_initial:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        return orjson.dumps({"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta})


def _signals(changes: Sequence[Change], call: Call, selects: Selection | None) -> list[Signal]:
    prefix = f"{call.request.namespace}/" if call.request.namespace else ""
    found = [
        change.signal(selects) for change in changes if not prefix or change.entry.path.startswith(prefix)
    ]
    return [signal for signal in found if signal is not None]


def _initial_events(call: Call) -> bool | None:
    """Read ``sendInitialEvents``; None when it is not set."""
    return call.flag("sendInitialEvents") if "sendInitialEvents" in call.request.options else None


def _timeout_s(asked: int) -> float:
    if asked > 0:
        return float(asked)
    return MIN_TIMEOUT_S * (1 + random.random())  # noqa: S311 - spreads reconnects, guards nothing
