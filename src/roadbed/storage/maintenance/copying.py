"""A consistent copy of a store's file, taken while another process writes to it.

Called by the maintenance room in a process of its own. One read transaction stays open from the first page to
the last, so the copy is what the store held at one moment, however busy its writer is; the writer is never held
up, but its WAL can't be cut back before the copy is done. The copy is one file, without a WAL.

Source: https://www.sqlite.org/backup.html and https://www.sqlite.org/isolation.html (snapshots in WAL mode).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from roadbed.storage import database, queries
from roadbed.storage.errors import StorageUnavailableError
from roadbed.storage.interface import Revision

PAGES_PER_STEP = 512  # 2 MiB between two words of progress

Copying = Callable[[int, int], None]
"""Told how many pages are copied, and how many there are."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds."""

    revision: Revision
    compacted: Revision
    schema: int
    keys: int


def copy_store(source: Path, target: Path, tell: Copying) -> Copied:
    """Copy the store at ``source`` into the new file ``target``, readable by its owner only.

    Raises:
        StorageUnavailableError: one of them can't be read or written; ``target`` may be left behind.
        StorageCorruptError, SchemaTooNewError: ``source`` is damaged, or no store that this version knows.
    """
    reading = database.Database.look(source)
    try:
        with reading.snapshot():
            database.create_private(target)
            _copy(reading, target, tell)
            summary = reading.summary()
    finally:
        reading.close()
    return Copied(summary.revision, summary.compacted, queries.migrations()[-1].number, summary.keys)


def _copy(reading: database.Database, target: Path, tell: Copying) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as written:
        try:
            reading.copy_to(written, PAGES_PER_STEP, lambda left, total: tell(total - left, total))
            # A WAL beside a file that is about to be packed would be lost.
            written.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise StorageUnavailableError(
                f"cannot write the copy {target}: {error}; free some space there, then try again"
            ) from error
