"""Where work on the database runs: one writer thread, a few readers of old history, or the loop itself.

Started, fed and stopped by ``sqlite`` from the event loop; results come back to the loop by one
``call_soon_threadsafe`` per job. Jobs of the writer run one after another in the order they were handed
over; the loop keeps at most one batch and one slice of compaction there, so its queue stays short. On a quick
disk a commit costs less than handing it to a thread and waiting for the interpreter lock twice: then the loop
does it itself, while the thread rests. A thread ends when its owner closes it, or when the loop is gone. No decisions here, only where work runs.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from . import database
from .database import Database
from .log import Write

T = TypeVar("T")

QUICK_S = 0.001  # a commit that takes less may hold up the loop
MOST_QUICK_ROWS = 128  # of one batch
WEIGHT = 0.2  # of the newest commit in the running mean: one that is a little slow changes nothing
LOOK_EVERY = 64  # commits; then one is tried on the loop, for a disk that was busy and is quick again
READERS = 2  # replay of old history is rare; more would only fight for the interpreter lock


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[Database], T]
    done: Callable[[T | BaseException], object]


class Writer:
    """The one thread that writes; it owns the writing connection."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._outstanding = 0  # jobs handed over whose end the loop has not seen
        self._commit_s = 0.0  # running mean of the commits on the loop
        self._since_look = 0
        self._connection: Database | None = None
        # A daemon, so that a program which forgot to close its store can still end.
        self._thread = threading.Thread(target=self._work, name="roadbed-storage", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Database], T], done: Callable[[T | BaseException], object]) -> None:
        """Run ``work`` on the thread, then ``done`` on the loop with its result or exception."""
        self._outstanding += 1
        self._jobs.put(_Job(work, done))  # type: ignore[arg-type]

    def commit(self, batch: Sequence[Write], done: Callable[[BaseException | None], object]) -> None:
        """Append a batch where that is quickest, then call ``done`` on the loop with what went wrong, if anything."""
        connection = self._connection
        self._since_look += 1
        is_look = self._since_look >= LOOK_EVERY
        is_quick = (self._commit_s < QUICK_S or is_look) and len(batch) <= MOST_QUICK_ROWS
        if connection is None or self._outstanding or not is_quick:
            self.submit(lambda store: store.append(batch), done)
            return
        # Only here is it the disk alone that takes the time: a thread also waits for the interpreter lock.
        started, outcome = time.perf_counter(), None
        try:
            connection.append(batch)
        except Exception as error:  # noqa: BLE001 - it goes to the writers of the batch
            outcome = error
        taken_s = time.perf_counter() - started
        self._commit_s = taken_s if is_look else self._commit_s + WEIGHT * (taken_s - self._commit_s)
        if is_look:
            self._since_look = 0
        done(outcome)

    async def run(self, work: Callable[[Database], T]) -> T:
        """Run ``work`` on the thread and give its result."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def settle(outcome: T | BaseException) -> None:
            if answer.done():
                return  # the caller was cancelled
            if isinstance(outcome, BaseException):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        self.submit(work, settle)
        return await answer

    def stop(self) -> None:
        """Finish the jobs handed over, close the connection, end the thread; returns when it has."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if self._connection is None:
                    self._connection = Database.open(self._path)
                outcome = job.work(self._connection)
            except BaseException as error:  # noqa: BLE001 - it is raised again where the job came from
                outcome = error
            try:
                self._loop.call_soon_threadsafe(self._end, job, outcome)
            except RuntimeError:
                break  # the loop was closed before the store
        if self._connection is not None:
            self._connection.close()

    def _end(self, job: _Job[object], outcome: object) -> None:
        self._outstanding -= 1
        job.done(outcome)


class Readers:
    """A small pool of threads that read old history, each call on a connection of its own.

    Reading old history is rare (a watcher that was away for long), so connections aren't kept: an idle
    store holds no readers, and none can hold up a checkpoint. A store in memory has one connection only;
    its reads run on the writer.
    """

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="roadbed-storage-read")

    async def run(self, work: Callable[[Database], T]) -> T:
        """Run ``work`` with a reading connection and give its result."""
        if self._path == database.MEMORY:
            return await self._writer.run(work)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work)

    def stop(self) -> None:
        """Finish the reads under way and end the threads."""
        self._pool.shutdown()

    def _read(self, work: Callable[[Database], T]) -> T:
        with closing(Database(self._path, reads_only=True)) as connection:
            return work(connection)
