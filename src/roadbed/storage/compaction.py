"""When history is forgotten, and how its rows go: in slices, between the writes.

Fed by ``sqlite`` on the event loop: ``observe`` after each published batch, ``compact`` on request. It
raises the compacted revision first (readers of older history are refused from then on), then has the
writer thread drop the rows slice by slice, so that no write waits for more than one slice. A store without
writes needs no compaction, hence there is no timer. A failed slice (a full disk) leaves the rows for the
next time; a crash in the middle is continued when the store is opened next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .database import Progress
from .errors import StorageUnavailableError
from .interface import Revision
from .log import Log
from .threads import Writer

logger = logging.getLogger(__name__)

SLICE_REVISIONS = 128  # each drops rows all over the file: some 5 ms of the writer thread, commit included


@dataclass(frozen=True, slots=True)
class Retention:
    """How much history stays.

    A paged list and a watcher that reconnects need the past they started from: ten minutes of it, twice
    what a Kubernetes API server keeps, and at least 10,000 revisions, so that a quiet store keeps a long
    past at no cost. 250,000 revisions is the most, whatever their age, or a busy quarter of an hour would
    fill the disk.
    """

    seconds: float = 600.0
    revisions: int = 10_000
    most_revisions: int = 250_000
    step: int = 1_000  # don't start for less

    def __post_init__(self) -> None:
        if not 0 < self.step <= self.revisions <= self.most_revisions:
            raise ValueError("retention: 0 < step <= revisions <= most_revisions does not hold")


class Ages:
    """Which revision was the newest ``seconds`` ago; sampled, late by at most a thirtieth of that."""

    def __init__(self, seconds: float, revision: Revision, now: float) -> None:
        self._seconds = seconds
        self._samples = deque([(now, revision)])
        self._aged = Revision(0)

    def observe(self, revision: Revision, now: float) -> Revision:
        """Note that ``revision`` is the newest now; gives the newest one that is old enough."""
        if now - self._samples[-1][0] >= self._seconds / 30:
            self._samples.append((now, revision))
        while self._samples[0][0] <= now - self._seconds and len(self._samples) > 1:
            self._aged = self._samples.popleft()[1]
        return self._aged


class Compactor:
    """Compacts one store."""

    def __init__(
        self, log: Log, writer: Writer, progress: Progress, retention: Retention, now: Callable[[], float]
    ) -> None:
        self.compacted = progress.compacted
        self._swept = progress.swept
        self._log = log
        self._writer = writer
        self._retention = retention
        self._now = now
        self._ages = Ages(retention.seconds, log.revision, now())
        self._is_sweeping = False
        self._is_stopping = False
        self._waiting: list[asyncio.Future[None]] = []

    def resume(self) -> None:
        """Continue what a crash interrupted; once, when the store opens."""
        if self._swept < self.compacted:
            self._start()

    def observe(self) -> None:
        """Compact if enough history has become too old."""
        newest, retention = self._log.revision, self._retention
        aged = self._ages.observe(newest, self._now())
        target = max(min(aged, newest - retention.revisions), newest - retention.most_revisions)
        if target - self.compacted >= retention.step:
            self._forget(Revision(target))

    async def compact(self, revision: Revision) -> None:
        """Forget history up to and including ``revision``; returns when its rows are gone from the log.

        Raises:
            StorageUnavailableError: the rows could not be dropped; they will be, with the next compaction.
        """
        if revision > self.compacted:
            self._forget(revision)
        elif self._swept < self.compacted:
            self._start()
        if self._is_sweeping:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(done)
            await done

    def stop(self) -> None:
        """Start no further slice: the store closes."""
        self._is_stopping = True

    def _forget(self, upto: Revision) -> None:
        self.compacted = upto
        self._log.forget(upto)
        self._start()

    def _start(self) -> None:
        if not self._is_sweeping:
            self._is_sweeping = True
            self._sweep()

    def _sweep(self) -> None:
        if self._swept < self.compacted and not self._is_stopping:
            upto = Revision(min(self._swept + SLICE_REVISIONS, self.compacted))
            swept, compacted = self._swept, self.compacted
            self._writer.submit(
                lambda database: database.sweep(swept, upto, compacted), partial(self._swept_to, upto)
            )
        elif not self._is_stopping:
            self._writer.submit(lambda database: database.vacuum(), self._vacuumed)
        else:
            self._finish(
                StorageUnavailableError("the store closes; compaction continues when it is opened next")
            )

    def _swept_to(self, upto: Revision, outcome: BaseException | None) -> None:
        if outcome is not None:
            self._finish(outcome)
            return
        self._swept = upto
        self._sweep()

    def _vacuumed(self, outcome: bool | BaseException) -> None:
        if isinstance(outcome, BaseException):
            self._finish(outcome)
        elif outcome or self._swept < self.compacted:
            self._sweep()
        else:
            self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        self._is_sweeping = False
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
        if error is not None and not self._is_stopping:
            logger.warning(
                "compaction failed; it is tried again later",
                extra={"error": str(error), "compacted": self.compacted, "swept": self._swept},
            )
