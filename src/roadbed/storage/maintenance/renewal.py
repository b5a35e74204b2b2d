"""A store's past taken away while nobody runs on it: to make room, or because it belongs to another life.

Called by the maintenance room. ``leap`` is for a restored store: clients may know revisions that the backup never
saw, given out after it was taken. Its revisions go on far beyond those, and everything before is forgotten, so
an old watch is told to list again (410) and no revision means two things. What lives keeps its revision.

Source of the semantic: ``etcdutl snapshot restore --bump-revision --mark-compacted``.
"""

from __future__ import annotations

from pathlib import Path

from roadbed.storage.database import Database
from roadbed.storage.interface import Revision
from roadbed.storage.lock import FileLock

LEAP = 1_000_000_000  # five days of 2,000 writes a second between a backup and its restore


def compact_store(path: Path) -> Revision:
    """Forget all history of a store that nobody has open, and shrink its file; gives its newest revision.

    Raises:
        StorageInUseError: a server runs on it.
        StorageUnavailableError, StorageCorruptError, SchemaTooNewError: see ``open_storage``.
    """
    return _forget_all(path, leap_by=0)


def leap(path: Path) -> Revision:
    """Let a restored store go on after a leap; gives the revision after which new ones begin.

    Raises:
        StorageInUseError, StorageUnavailableError, StorageCorruptError, SchemaTooNewError: as above.
    """
    return _forget_all(path, leap_by=LEAP)


def _forget_all(path: Path, *, leap_by: int) -> Revision:
    Database.look(path).close()  # or a folder without a store would get one
    lock = FileLock(path)
    try:
        store = Database.open(path)
        try:
            summary = store.summary()
            store.sweep(summary.swept, summary.revision, summary.revision)
            target = Revision(summary.revision + leap_by)
            store.sweep(target, target, target)
            store.shrink()
        finally:
            store.close()
    finally:
        lock.release()
    return target
