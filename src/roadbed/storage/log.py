"""The log's half in memory: current values, writes on their way to disk, and the newest events.

Owned by ``sqlite`` and touched on the event loop only, so there are no locks. A write is *accepted* here
(its revision assigned, its value encoded, its key reserved), committed to disk elsewhere, and then either
*published* or *dropped*; until it is published, neither reads nor history show it. A key has at most one
write on its way: a second one waits for the first to settle (see ``sqlite``), so that no check ever rests
on a write that may still fail. No I/O, no SQL, no watchers here.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from operator import attrgetter

from sortedcontainers import SortedDict

from .errors import InvalidKeyError, ValueTooLargeError
from .interface import MAX_VALUE_BYTES, Encode, Event, Record, Revision

_SURROGATES_FROM = 0xD800
_SURROGATES_TO = 0xDFFF
_LAST_CHARACTER = 0x10FFFF

_revision_of = attrgetter("revision")


def beyond(prefix: str) -> str:
    """Give the first key after all keys that begin with ``prefix``; "" where there is no such key."""
    while prefix:
        code = ord(prefix[-1])
        if code < _LAST_CHARACTER:
            # Surrogates can't be stored, so nothing sorts between them and the character after.
            following = code + 1
            return prefix[:-1] + chr(
                _SURROGATES_TO + 1 if _SURROGATES_FROM <= following <= _SURROGATES_TO else following
            )
        prefix = prefix[:-1]
    return ""


def rewind(held: dict[str, Record | None], events: Iterable[Event]) -> None:
    """Note in ``held`` what each key held before ``events``, oldest first; what is noted already stays."""
    for event in events:
        held.setdefault(event.key, event.previous)


@dataclass(slots=True, eq=False)
class Write:
    """An accepted write. ``done`` gives its author the record; ``waiting`` are later writes to its key."""

    key: str
    value: bytes
    revision: Revision
    is_delete: bool
    previous: Record | None
    done: asyncio.Future[Record]
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


@dataclass(slots=True)
class Recovered:
    """What a store holds when it is opened; ``events`` are the newest ones, all those after ``since``."""

    records: dict[str, Record]
    events: list[Event]
    since: Revision
    revision: Revision


class Log:
    """Current values, accepted writes, and a window of the newest events.

    ``max_events`` and ``max_bytes`` bound the window; older events are read from disk.
    """

    def __init__(self, recovered: Recovered, *, max_events: int, max_bytes: int) -> None:
        self.pending: dict[str, Write] = {}
        self.revision = recovered.revision
        self.window_start = recovered.since
        self._assigned = int(recovered.revision)
        self._current: SortedDict[str, Record] = SortedDict(recovered.records)
        self._events: list[Event] = []
        self._window_bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._remember(recovered.events)

    def get(self, key: str) -> Record | None:
        """Give the committed record at ``key``."""
        record: Record | None = self._current.get(key)
        return record

    def scan(self, prefix: str, after: str, limit: int) -> list[Record]:
        """Give the committed records under ``prefix`` after ``after`` in key order; ``limit`` 0 is all."""
        keys, current = self._keys(prefix, after), self._current
        return [current[key] for key in (islice(keys, limit) if limit else keys)]

    def accept(self, key: str, encode: Encode, *, is_delete: bool, done: asyncio.Future[Record]) -> Write:
        """Assign the next revision to a write whose check has passed, encode it, and reserve its key.

        Raises:
            InvalidKeyError, ValueTooLargeError: nothing was accepted; the revision is skipped.
        """
        _check_key(key)
        self._assigned += 1
        revision = Revision(self._assigned)
        value = encode(revision)
        if len(value) > MAX_VALUE_BYTES:
            raise ValueTooLargeError(
                f"cannot store {key}: its value has {len(value):,} bytes, at most {MAX_VALUE_BYTES:,} are "
                f"allowed; split the object or keep its bulk elsewhere"
            )
        write = Write(key, value, revision, is_delete, self._current.get(key), done)
        self.pending[key] = write
        return write

    def publish(self, batch: Sequence[Write]) -> list[Event]:
        """Make a committed batch visible; gives its events, in the order of their revisions."""
        events: list[Event] = []
        current = self._current
        for write in batch:
            del self.pending[write.key]
            if write.is_delete:
                del current[write.key]
            else:
                current[write.key] = Record(write.key, write.value, write.revision)
            events.append(Event(write.key, write.value, write.revision, write.is_delete, write.previous))
        self.revision = batch[-1].revision
        self._remember(events)
        return events

    def drop(self, batch: Iterable[Write]) -> None:
        """Forget writes whose commit failed; memory is as it was, their revisions stay skipped."""
        for write in batch:
            del self.pending[write.key]

    def since(self, after: Revision, prefix: str) -> list[Event]:
        """Give the window's events under ``prefix`` with revision > ``after`` (>= ``window_start``)."""
        first = bisect_right(self._events, after, key=_revision_of)
        return [event for event in self._events[first:] if event.key.startswith(prefix)]

    def scan_over(
        self, prefix: str, after: str, limit: int, held: Mapping[str, Record | None]
    ) -> list[Record]:
        """Scan as if the keys of ``held`` had those records (None: nothing) and all others were as now."""
        unchanged = (key for key in self._keys(prefix, after) if key not in held)
        changed = sorted(key for key, record in held.items() if record is not None and key > after)
        keys, current = merge(unchanged, changed), self._current
        return [held.get(key) or current[key] for key in (islice(keys, limit) if limit else keys)]

    def forget(self, upto: Revision) -> None:
        """Drop the window's events up to and including ``upto``."""
        count = bisect_right(self._events, upto, key=_revision_of)
        self._drop_events(count)
        self.window_start = max(self.window_start, upto)

    def _keys(self, prefix: str, after: str) -> Iterator[str]:
        # `after` itself is left out; it may lie before, within or beyond the prefix.
        first, end = max(prefix, after), beyond(prefix)
        if end and first >= end:
            return iter(())
        keys: Iterator[str] = self._current.irange(first, end or None, inclusive=(first != after, False))
        return keys

    def _remember(self, events: list[Event]) -> None:
        self._events += events
        self._window_bytes += sum(map(_weight, events))
        excess = len(self._events) - self._max_events
        if excess <= 0 and self._window_bytes <= self._max_bytes:
            return
        # An eighth more than needed, so that the cost of moving the rest is paid once per many writes.
        self._drop_events(min(len(self._events), max(excess, 0) + self._max_events // 8 + 1))
        while self._window_bytes > self._max_bytes:
            self._drop_events(len(self._events) // 2 + 1)

    def _drop_events(self, count: int) -> None:
        if count:
            dropped = self._events[:count]
            del self._events[:count]
            self.window_start = dropped[-1].revision
            self._window_bytes -= sum(map(_weight, dropped))


def _weight(event: Event) -> int:
    return len(event.value) + (len(event.previous.value) if event.previous else 0)


def _check_key(key: str) -> None:
    if not key.startswith("/"):
        raise InvalidKeyError(f"cannot store {key!r}: a key begins with /")
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise InvalidKeyError(f"cannot store {key!r}: the key can't be written as UTF-8") from error
