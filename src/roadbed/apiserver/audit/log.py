"""The audit log's file: lines from a bounded queue, written and rotated by a thread of its own.

The auditor hands lines over from the event loop and never waits: where the disk is slower than the requests for so
long that the queue is full, or can't be written, lines are dropped, counted and said in the process' own log once a
minute. ``close`` writes what is queued, then ends the thread. A line is one event.

Source: the names and flags of kube-apiserver (``--audit-log-path`` and its ``max…``).
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

logger = logging.getLogger(__name__)

QUEUED = 10_000  # lines; some megabytes of metadata, seconds of a full flood
COMPLAINT_S = 60.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is full and how long old ones stay; 0 is no bound."""

    max_size_mb: int = 100
    max_backups: int = 0
    max_age_days: int = 0


class AuditLog:
    """Appends lines to a file; the path ``-`` is standard output, which is not rotated."""

    def __init__(self, path: Path, rotation: Rotation | None = None, *, queued: int = QUEUED) -> None:
        self._path = path
        self._rotation = rotation or Rotation()
        self._queue: queue.Queue[bytes | None] = queue.Queue(queued)
        self._refused = 0  # counted by the loop
        self._lost = 0  # counted by the thread
        self._complained_at = float("-inf")
        self._size_bytes = 0
        self._file = self._open()
        self._thread = threading.Thread(target=self._run, name="audit-log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many lines are missing from the file."""
        return self._refused + self._lost

    def write(self, line: bytes) -> None:
        """Queue one line, its newline included; drops and counts it where the queue is full."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._refused += 1
            self._complain("its queue is full: the disk is slower than the requests")

    def close(self) -> None:
        """Write what is queued and end the thread; blocks for as long as that takes."""
        self._queue.put(None)
        self._thread.join()
        if self._file is not sys.stdout.buffer:
            self._file.close()

    def _open(self) -> BinaryIO:
        """Open the file to append.

        Raises:
            OSError: it can't be.
        """
        if str(self._path) == "-":
            return sys.stdout.buffer
        file = self._path.open("ab")
        self._path.chmod(0o600)
        self._size_bytes = file.tell()
        return file

    def _run(self) -> None:
        is_open = True
        while is_open:
            lines = [self._queue.get()]
            while not self._queue.empty():
                lines.append(self._queue.get())
            is_open = lines[-1] is not None
            kept = [line for line in lines if line is not None]
            try:
                for line in kept:
                    self._append(line)
                self._file.flush()
            except OSError as error:
                self._lost += len(kept)
                self._complain(f"it can't be written: {error.strerror}")

    def _append(self, line: bytes) -> None:
        limit = self._rotation.max_size_mb * 1024 * 1024
        is_file = self._file is not sys.stdout.buffer
        if is_file and limit and self._size_bytes and self._size_bytes + len(line) > limit:
            self._rotate()
        self._file.write(line)
        self._size_bytes += len(line)

    def _rotate(self) -> None:
        moment = datetime.now(UTC)
        stamp = f"{moment:%Y-%m-%dT%H-%M-%S}.{moment.microsecond // 1000:03}"
        aside = self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")
        self._path.rename(aside)
        full, self._file = self._file, self._open()  # where that fails, the full one goes on
        full.close()
        backups = sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"), reverse=True)
        most, days = self._rotation.max_backups, self._rotation.max_age_days
        oldest = (moment - timedelta(days=days)).timestamp() if days else 0.0
        for number, backup in enumerate(backups):
            if (most and number >= most) or backup.stat().st_mtime < oldest:
                backup.unlink()

    def _complain(self, why: str) -> None:
        now = time.monotonic()
        if now - self._complained_at > COMPLAINT_S:
            self._complained_at = now
            facts = {"path": str(self._path), "why": why, "dropped": self.dropped}
            logger.error("audit events are lost", extra=facts)
