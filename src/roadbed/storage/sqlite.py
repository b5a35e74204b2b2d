"""The ``Storage`` on SQLite: group commit, reads from memory, watches from memory or disk.

Opened by ``open_storage``, used by the API server from one event loop. A write is checked and encoded on
the loop, then waits in a queue for a few turns of the loop, as long as others join it; while one batch is on
its way to disk (on the writer thread), the next one gathers. Publishing happens on the loop in this order: current values, observers, watchers, the writers'
futures. A failed batch fails its own writers and nothing else: no accepted write depends on another.
``close`` ends it: what was accepted is committed, watches end, later writes are refused. It does not read
keys or values, keep leases, or talk to other processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import database
from .broadcaster import Broadcaster
from .compaction import Compactor, Retention
from .database import Progress
from .errors import (
    CompactedError,
    KeyExistsError,
    KeyNotFoundError,
    RevisionConflictError,
    StorageUnavailableError,
)
from .interface import Encode, Event, Observer, Record, Revision
from .lock import FileLock
from .log import Log, Recovered, Write, beyond, rewind
from .threads import Readers, Writer

logger = logging.getLogger(__name__)

_FILE_SCHEME = "sqlite:///"
QUIET_TURNS = (
    2  # of the loop, in which nobody joined a batch: one reads what came, the next lets it be written
)
MOST_TURNS = 16  # before a batch goes, whoever may still come


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one store. Whoever meets one waits, or is told."""

    batch_writes: int = 512  # per transaction: bounds how long its first writer waits
    batch_bytes: int = 8 * 1024 * 1024
    queued_bytes: int = 32 * 1024 * 1024  # accepted and not yet on disk; more writers wait for room
    window_events: int = 8_192  # newest events in memory; older ones are read from disk
    window_bytes: int = 16 * 1024 * 1024
    watcher_events: int = 4_096  # unread by one watcher, before it is dropped
    page_events: int = 512  # per read of old history
    retention: Retention = field(default_factory=Retention)


async def open_url(url: str, limits: Limits | None = None) -> SqliteStorage:
    """Open the store that ``url`` names; see ``open_storage``."""
    if url == "memory:":
        return await SqliteStorage.open(database.MEMORY, limits)
    if url.startswith(_FILE_SCHEME) and (name := url.removeprefix(_FILE_SCHEME).strip("/")):
        return await SqliteStorage.open(Path("/") / name, limits)
    raise ValueError(f"cannot open the store {url!r}: it is neither sqlite:///path/to/file nor memory:")


class SqliteStorage:
    """The store; see ``interface.Storage`` for what each method promises."""

    def __init__(
        self,
        path: Path,
        lock: FileLock | None,
        writer: Writer,
        opened: tuple[Recovered, Progress],
        limits: Limits,
    ) -> None:
        recovered, progress = opened
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._path = path
        self._writer = writer
        self._readers = Readers(path, writer)
        self._lock = lock
        self._log = Log(recovered, max_events=limits.window_events, max_bytes=limits.window_bytes)
        self._compactor = Compactor(self._log, writer, progress, limits.retention, self._loop.time)
        self._broadcaster = Broadcaster(max_queued_events=limits.watcher_events)
        self._queue: deque[Write] = deque()
        self._queued_bytes = 0  # of the queue and of the batch on its way
        self._is_flushing = False  # a batch is on its way, or its handing over is scheduled
        self._wants_room: list[asyncio.Future[None]] = []
        self._is_closing = False
        self._closing: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, path: Path, limits: Limits | None = None) -> SqliteStorage:
        """Open the file at ``path``, or a store in memory; raises as ``open_storage``."""
        limits = limits or Limits()
        lock = None
        if path != database.MEMORY:
            database.create_private(path)
            lock = FileLock(path)
        writer = Writer(path, asyncio.get_running_loop())
        try:
            opened = await writer.run(lambda store: store.load(max_events=limits.window_events))
        except BaseException:
            writer.stop()
            if lock is not None:
                lock.release()
            raise
        storage = cls(path, lock, writer, opened, limits)
        storage._compactor.resume()
        return storage

    @property
    def revision(self) -> Revision:
        """The newest committed revision."""
        return self._log.revision

    @property
    def compacted(self) -> Revision:
        """The newest revision that history no longer reaches."""
        return self._compactor.compacted

    def get(self, key: str) -> Record | None:
        """Give the committed record at ``key``."""
        return self._log.get(key)

    def scan(self, prefix: str, *, after: str = "", limit: int = 0) -> list[Record]:
        """Give the committed records under ``prefix`` in key order."""
        return self._log.scan(prefix, after, limit)

    async def scan_at(
        self, prefix: str, revision: Revision, *, after: str = "", limit: int = 0
    ) -> list[Record]:
        """Give what ``scan`` would have given when ``revision`` was the newest.

        The past is the present with the events since then undone; only those older than the window are
        read from disk. What a revision above the newest would show is not known yet: it shows the newest.
        """
        self._check_history(revision)
        held: dict[str, Record | None] = {}
        position = revision
        while position < self._log.window_start:
            page, position = await self._replay(prefix, position)
            self._check_history(revision)
            rewind(held, page)
        rewind(held, self._log.since(position, prefix))
        return self._log.scan_over(prefix, after, limit, held)

    async def create(self, key: str, encode: Encode) -> Record:
        """Store a value at a free key."""
        await self._turn(key)
        if (record := self._log.get(key)) is not None:
            raise KeyExistsError(f"cannot create {key}: it exists, at revision {record.revision}")
        return await self._accept(key, encode, is_delete=False)

    async def update(self, key: str, encode: Encode, *, expected: Revision) -> Record:
        """Replace the value at ``key`` if its last revision is still ``expected``."""
        await self._turn(key)
        self._check_revision("update", key, expected)
        return await self._accept(key, encode, is_delete=False)

    async def delete(self, key: str, encode: Encode, *, expected: Revision) -> Record:
        """Remove ``key`` if its last revision is still ``expected``."""
        await self._turn(key)
        self._check_revision("delete", key, expected)
        return await self._accept(key, encode, is_delete=True)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with every committed batch."""
        return self._broadcaster.subscribe(observer)

    async def watch(self, prefix: str, *, after: Revision, is_live: bool = True) -> AsyncIterator[Event]:
        """Yield every event under ``prefix`` with revision > ``after``; ends when the store closes."""
        self._check_open()
        self._check_history(after)
        position = after
        while position < self._log.window_start:
            started, (page, position) = position, await self._replay(prefix, position)
            # A compaction meanwhile may have dropped rows of this page, or those events' previous values.
            self._check_history(started)
            for event in page:
                yield event
            self._check_history(position)
        # No await between these two: what one of them gives, the other doesn't, and nothing is lost.
        recent = self._log.since(position, prefix)
        watcher = self._broadcaster.add_watcher(prefix)
        try:
            if self._is_closing:
                watcher.end()
            for event in recent:
                yield event
            while is_live and (live := await watcher.next()) is not None:
                if live.revision > after:
                    yield live
        finally:
            self._broadcaster.remove_watcher(watcher)

    async def compact(self, revision: Revision) -> None:
        """Forget history up to and including ``revision``, at most up to the newest committed one."""
        self._check_open()
        await self._compactor.compact(min(revision, self._log.revision))

    async def close(self) -> None:
        """Commit what was accepted, then release the store; a second call waits for the first."""
        if self._closing is None:
            self._is_closing = True
            self._closing = self._loop.create_task(self._close(), name="close storage")
        # A caller who is cancelled meanwhile must not leave the lock behind or an accepted write in memory.
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._wake_for_room()
        if self._is_flushing:
            self._drained = self._loop.create_future()
            await self._drained
        self._compactor.stop()
        self._broadcaster.end()
        await self._release()

    async def _release(self) -> None:
        # Closing moves the WAL into the file, which may take a while: not on the loop.
        await self._loop.run_in_executor(None, self._readers.stop)
        await self._loop.run_in_executor(None, self._writer.stop)
        if self._lock is not None:
            self._lock.release()

    async def _turn(self, key: str) -> None:
        """Wait until ``key`` has no write on its way and the queue has room; then the caller must not await.

        Waiting, rather than refusing, also keeps a caller that retries on a conflict from spinning: by
        the time it hears of the conflict, it can read what it conflicts with.
        """
        while True:
            self._check_open()
            if (write := self._log.pending.get(key)) is not None:
                waiting = write.waiting
            elif self._queued_bytes >= self._limits.queued_bytes:
                waiting = self._wants_room
            else:
                return
            turn: asyncio.Future[None] = self._loop.create_future()
            waiting.append(turn)
            await turn

    def _check_revision(self, verb: str, key: str, expected: Revision) -> None:
        record = self._log.get(key)
        if record is None:
            raise KeyNotFoundError(f"cannot {verb} {key}: there is no such key")
        if record.revision != expected:
            raise RevisionConflictError(
                f"cannot {verb} {key}: it is at revision {record.revision}, not at {expected}; "
                f"read it again and retry"
            )

    def _check_open(self) -> None:
        if self._is_closing:
            raise StorageUnavailableError(f"the store {self._path} is closed; open it again")

    def _check_history(self, revision: Revision) -> None:
        if revision < self._compactor.compacted:
            raise CompactedError(
                f"revision {revision} is too old: history begins after {self._compactor.compacted}; "
                f"list again, then watch from that list's revision"
            )

    async def _replay(self, prefix: str, position: Revision) -> tuple[list[Event], Revision]:
        """Read one page of events between ``position`` and the window; gives how far that reaches."""
        self._check_open()
        upto, page = self._log.window_start, self._limits.page_events
        keys = (prefix, beyond(prefix))
        events = await self._readers.run(lambda store: store.events(position, upto, keys, page))
        return events, events[-1].revision if len(events) == page else upto

    def _accept(self, key: str, encode: Encode, *, is_delete: bool) -> asyncio.Future[Record]:
        done: asyncio.Future[Record] = self._loop.create_future()
        write = self._log.accept(key, encode, is_delete=is_delete, done=done)
        self._queue.append(write)
        self._queued_bytes += len(write.value)
        if not self._is_flushing:
            self._is_flushing = True
            self._gather()
        return done

    def _gather(self, known: int = 0, quiet: int = 0, turns: int = 0) -> None:
        """Commit once others had the time to join: requests whose bytes have come, writers that were just woken.

        Turns of the loop cost microseconds where nothing else waits, a commit of its own hundreds.
        """
        count = len(self._queue)
        quiet = quiet + 1 if count == known else 0
        if quiet > QUIET_TURNS or turns > MOST_TURNS or count >= self._limits.batch_writes:
            self._flush()
        else:
            self._loop.call_soon(self._gather, count, quiet, turns + 1)

    def _flush(self) -> None:
        """Commit the next batch."""
        batch: list[Write] = []
        size_bytes = 0
        while self._queue and len(batch) < self._limits.batch_writes:
            size_bytes += len(self._queue[0].value)
            if batch and size_bytes > self._limits.batch_bytes:
                break
            batch.append(self._queue.popleft())
        if batch:
            self._writer.commit(batch, lambda outcome: self._settle(batch, outcome))
            return
        self._is_flushing = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _settle(self, batch: Sequence[Write], outcome: BaseException | None) -> None:
        """Publish a committed batch, or fail it; then let the next one gather and go."""
        if outcome is None:
            self._broadcaster.publish(self._log.publish(batch))
            self._compactor.observe()
        else:
            self._log.drop(batch)
            logger.error("a commit failed", extra={"writes": len(batch), "error": str(outcome)})
        for write in batch:
            self._queued_bytes -= len(write.value)
            self._answer(write, outcome)
        self._wake_for_room()
        self._gather()

    def _answer(self, write: Write, outcome: BaseException | None) -> None:
        if not write.done.done():  # it is, when the author was cancelled; the write stands all the same
            if outcome is None:
                write.done.set_result(Record(write.key, write.value, write.revision))
            else:
                write.done.set_exception(_failure(write, outcome))
        for turn in write.waiting:
            if not turn.done():
                turn.set_result(None)

    def _wake_for_room(self) -> None:
        woken, self._wants_room = self._wants_room, []
        for turn in woken:
            if not turn.done():
                turn.set_result(None)


def _failure(write: Write, outcome: BaseException) -> StorageUnavailableError:
    """Give each writer an exception of its own: a traceback that grows in fifty tasks helps nobody."""
    failure = StorageUnavailableError(f"cannot write {write.key}: {outcome}")
    failure.__cause__ = outcome
    return failure
