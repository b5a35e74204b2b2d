"""The watch cache: every live object of one resource as encoded bytes, its recent changes, its watchers.

Made on first use from what storage holds, then fed by the ``Hub``, the one observer of storage: a
committed batch reaches every cache, then its watchers' queues, before the writer's await returns, so
that whoever wrote reads its own write here. Lists join these bytes; a change is encoded into a watch
line once, however many watch. A watcher whose queue is full is closed with Expired (410) and lists
again; history older than the ring comes from storage (``handlers.watch``).

Everything runs on the event loop, without awaits between looking and changing.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson
from sortedcontainers import SortedDict

from roadbed.apimachinery.errors import ApiError, ExpiredError, ServiceUnavailableError, TooManyRequestsError
from roadbed.storage import Event, Storage

RING = 2048  # changes kept for resuming watches without the log; a reconnect takes seconds, not minutes
PUSHED = (
    64  # changes that leave together without their reader; more, or larger ones, wait until it takes them
)
PUSHED_BYTES = 32 * 1024
QUEUE = 8192  # changes a watcher may lag; more than one group commit can publish at once
MAX_WATCHERS = 4096  # per resource; each costs about 2 KB

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Decode = Callable[[str, bytes, bool], bytes]
"""From the storage key and value to the object's bytes in the served version.

The flag says that the value was written just now, under the schema of today.
"""


@dataclass(slots=True, eq=False)
class Entry:
    """One live object. ``path`` is ``namespace/name`` or ``name``; ``fields`` are the selectable ones."""

    path: str
    value: bytes
    revision: int
    labels: dict[str, str]
    fields: dict[str, str]


Index = Callable[[str, bytes, int], Entry]
Selection = Callable[[Entry], bool]
Push = Callable[[bytes], bool]
"""Sends lines at once, without awaiting anything; False, and nothing sent, where it can't."""


class Signal:
    """What a watcher is told: a type and an entry; the JSON line is made once, on first use."""

    __slots__ = ("_line", "entry", "old", "type")

    def __init__(self, type_: EventType, entry: Entry, old: Entry | None = None) -> None:
        self.type: EventType = type_
        self.old = old  # what was there before, where anything was
        self.entry = entry
        self._line = b""

    @property
    def line(self) -> bytes:
        """The newline-terminated watch event."""
        if not self._line:
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.entry.value)
        return self._line


class Change:
    """One committed write to one object, with what it replaced; tells each selection its own story."""

    __slots__ = ("_left", "_signals", "entry", "is_delete", "old")

    def __init__(self, entry: Entry, old: Entry | None, *, is_delete: bool) -> None:
        self.entry = entry
        self.old = old
        self.is_delete = is_delete
        self._signals: dict[EventType, Signal] = {}
        self._left: Signal | None = None

    def signal(self, selects: Selection | None) -> Signal | None:
        """Give what a watcher with this selection sees; None for nothing (an object never in it)."""
        if selects is None:
            if self.is_delete:
                return self._shared("DELETED")
            return self._shared("ADDED" if self.old is None else "MODIFIED")
        before = self.old is not None and selects(self.old)
        if self.is_delete:
            return self._shared("DELETED") if before else None
        after = selects(self.entry)
        if after:
            return self._shared("MODIFIED" if before else "ADDED")
        return self._departure() if before else None

    def _shared(self, type_: EventType) -> Signal:
        found = self._signals.get(type_)
        if found is None:
            found = self._signals[type_] = Signal(type_, self.entry, self.old)
        return found

    def _departure(self) -> Signal:
        """An object that left the selection: DELETED, as it was, at the revision at which it left."""
        if self._left is None:
            assert self.old is not None  # noqa: S101 - only called when it was selected before
            obj = orjson.loads(self.old.value)
            obj["metadata"]["resourceVersion"] = str(self.entry.revision)
            value = orjson.dumps(obj)
            gone = Entry(self.old.path, value, self.entry.revision, self.old.labels, self.old.fields)
            self._left = Signal("DELETED", gone)
        return self._left


class Watcher:
    """One watch: a bounded queue filled by the cache, emptied by ``drain`` in one task.

    While that task waits, ``push`` is offered what a batch brought, if the reader set it: a thousand tasks that wake
    to pass one line on cost more than the lines.
    """

    __slots__ = (
        *("_cache", "_error", "_is_roused", "_prefix", "_selects", "_waiting"),
        *("closed", "push", "queue"),
    )

    def __init__(self, cache: WatchCache, prefix: str, selects: Selection | None) -> None:
        self._cache = cache
        self._prefix = prefix
        self._selects = selects
        self._is_roused = False
        self._waiting: asyncio.Future[None] | None = None  # of the task in ``drain``
        self._error: ApiError | None = None
        self.closed = asyncio.Event()  # failed or finished; nothing more will be queued
        self.queue: deque[Signal] = deque()
        self.push: Push | None = None

    def offer(self, change: Change) -> None:
        """Take one change if it concerns this watcher; too many close it. ``settle`` follows, once a batch."""
        if self._prefix and not change.entry.path.startswith(self._prefix):
            return
        signal = change.signal(self._selects)
        if signal is None:
            return
        if len(self.queue) >= QUEUE:
            self.fail(ExpiredError("the watcher read too slowly and was dropped; list again, then watch"))
            return
        self.queue.append(signal)
        if len(self.queue) == 1:
            self._cache.offered.append(self)

    def settle(self) -> int:
        """Push what is queued, or let ``drain`` give it; gives how many signals were pushed."""
        queue, push = self.queue, self.push
        if push is not None and self._waiting is not None and not self._is_roused:
            if len(queue) == 1:
                if push(queue[0].line):
                    queue.clear()
                    return 1
            elif 0 < len(queue) <= PUSHED:
                lines = [signal.line for signal in queue]
                if sum(map(len, lines)) <= PUSHED_BYTES and push(b"".join(lines)):
                    queue.clear()
                    return len(lines)
        self.rouse()
        return 0

    def fail(self, error: ApiError) -> None:
        """End the watch with ``error``; what is queued is dropped."""
        self._error = error
        self.closed.set()
        self.queue.clear()
        self._cache.drop(self)
        self.rouse()

    def finish(self) -> None:
        """End the watch in good order once what is queued was read."""
        self.closed.set()
        self._cache.drop(self)
        self.rouse()

    def rouse(self) -> None:
        """Let ``drain``, or the next one, give what there is, even if that is nothing."""
        self._is_roused = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def drain(self, loop: asyncio.AbstractEventLoop) -> list[Signal] | None:
        """Give all that is queued, waiting for the first; empty when roused before one came.

        None when the watch ended in good order (the resource or its schema changed). ``loop`` is the running
        one: asking for it costs a system call on Python 3.11, for each of hundreds of watchers.

        Raises:
            ApiError: the watch failed (it overflowed, the server stops).
        """
        if not self._is_roused and not self.closed.is_set():
            self._waiting = loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        self._is_roused = False
        if self._error is not None:
            raise self._error
        if self.closed.is_set() and not self.queue:
            return None
        signals = list(self.queue)
        self.queue.clear()
        return signals

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        self.push = None
        self._cache.drop(self)


class WatchCache:
    """Live entries of one served resource in key order, a ring of changes, and the watchers."""

    def __init__(self, hub: Hub, home: str, decode: Decode, index: Index) -> None:
        self._hub = hub
        self._home = home
        self._decode = decode
        self._index = index
        self._entries: SortedDict[str, Entry] = SortedDict()
        self._ring: deque[Change] = deque(maxlen=RING)
        self._watchers: set[Watcher] = set()
        self.offered: list[Watcher] = []  # whom the batch that is being applied brought something
        self.count_pushed: Callable[[int], None] | None = None
        for record in hub.storage.scan(home):
            path = record.key[len(home) :]
            self._entries[path] = index(path, decode(record.key, record.value, False), record.revision)
        self.ring_start = hub.revision  # every change after this revision is in the ring
        self.last_change = hub.revision  # no change of this resource is newer
        hub.join(home, self)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, path: str) -> Entry | None:
        """Give one entry."""
        found: Entry | None = self._entries.get(path)
        return found

    def entries(self, namespace: str = "", *, after: str = "") -> Iterator[Entry]:
        """Give entries in key order, of one namespace or all, after the path ``after``."""
        if not namespace and not after:
            yield from self._entries.values()
            return
        low = max(f"{namespace}/" if namespace else "", after)
        high = f"{namespace}0" if namespace else None  # "0" follows "/"
        for path in self._entries.irange(low, high, inclusive=(not after, False)):
            yield self._entries[path]

    def values(self, namespace: str = "") -> list[bytes]:
        """Give the encoded objects in key order; the fast whole list."""
        if not namespace:
            return [entry.value for entry in self._entries.values()]
        return [entry.value for entry in self.entries(namespace)]

    def apply(self, event: Event) -> None:
        """Take one committed write; called by the hub only."""
        path = event.key[len(self._home) :]
        entry = self._index(path, self._decode(event.key, event.value, True), event.revision)
        self._record(entry, is_delete=event.is_delete)

    def _record(self, entry: Entry, *, is_delete: bool) -> None:
        old = self._entries.get(entry.path)
        if is_delete:
            self._entries.pop(entry.path, None)
        else:
            self._entries[entry.path] = entry
        change = Change(entry, old, is_delete=is_delete)
        if len(self._ring) == RING:
            self.ring_start = self._ring[0].entry.revision
        self._ring.append(change)
        self.last_change = entry.revision
        for watcher in tuple(self._watchers):
            watcher.offer(change)

    def settle(self) -> None:
        """Let the watchers have what a batch brought; called by the hub only, after its last event."""
        offered, self.offered = self.offered, []
        pushed = 0
        for watcher in offered:
            pushed += watcher.settle()
        if pushed and self.count_pushed is not None:
            self.count_pushed(pushed)

    def translate(self, event: Event) -> Change:
        """Give the change that an event read back from the log was."""
        path = event.key[len(self._home) :]
        entry = self._index(path, self._decode(event.key, event.value, False), event.revision)
        old = None
        if event.previous is not None:
            value = self._decode(event.key, event.previous.value, False)
            old = self._index(path, value, event.previous.revision)
        return Change(entry, old, is_delete=event.is_delete)

    def since(self, revision: int) -> Sequence[Change] | None:
        """Give the changes after ``revision`` in order; None when the ring does not reach that far."""
        if revision >= self.last_change:
            return ()
        if revision < self.ring_start:
            return None
        changes = list(self._ring)
        return changes[bisect_right(changes, revision, key=lambda change: change.entry.revision) :]

    def watcher(self, namespace: str, selects: Selection | None) -> Watcher:
        """Make a watcher that hears every change from now on.

        Raises:
            TooManyRequestsError: as many watch as the server bears.
        """
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyRequestsError(
                f"cannot watch {self._home}: {MAX_WATCHERS} watchers already; end some, then retry",
                retry_after_s=5,
            )
        watcher = Watcher(self, f"{namespace}/" if namespace else "", selects)
        self._watchers.add(watcher)
        return watcher

    def drop(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        self._watchers.discard(watcher)

    def close(self, error: ApiError | None = None) -> None:
        """End every watch, with ``error`` or in good order, and hear no more."""
        self._hub.leave(self._home, self)
        for watcher in tuple(self._watchers):
            if error is None:
                watcher.finish()
            else:
                watcher.fail(error)


class Hub:
    """The one observer of storage: hands each committed event to the caches of its resource."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.revision: int = storage.revision
        self._caches: dict[str, list[WatchCache]] = {}
        self._observers: dict[str, list[Callable[[Event], None]]] = {}
        self._unsubscribe = storage.subscribe(self._observe)

    def join(self, home: str, cache: WatchCache) -> None:
        """Feed ``cache`` with the events under ``home``."""
        self._caches.setdefault(home, []).append(cache)

    def leave(self, home: str, cache: WatchCache) -> None:
        """Stop feeding ``cache``."""
        caches = self._caches.get(home, [])
        if cache in caches:
            caches.remove(cache)

    def observe(self, home: str, observer: Callable[[Event], None]) -> None:
        """Call ``observer`` for each event under ``home``, after the caches have it; it must not raise."""
        self._observers.setdefault(home, []).append(observer)

    def close(self) -> None:
        """Hear no more and end every watch."""
        self._unsubscribe()
        stopping = ServiceUnavailableError("the server is stopping; reconnect", retry_after_s=1)
        for caches in list(self._caches.values()):
            for cache in list(caches):
                cache.close(stopping)

    def _observe(self, events: Sequence[Event]) -> None:
        fed: dict[WatchCache, None] = {}
        try:
            for event in events:
                for cache in self._caches.get(home_of(event.key), ()):
                    cache.apply(event)
                    fed[cache] = None
        finally:
            if events:
                self.revision = events[-1].revision
            for cache in fed:
                cache.settle()
        if self._observers:
            for event in events:
                for observer in self._observers.get(home_of(event.key), ()):
                    observer(event)


def home_of(key: str) -> str:
    """Give ``/<group>/<plural>/`` of a storage key."""
    return key[: key.index("/", key.index("/", 1) + 1) + 1]
