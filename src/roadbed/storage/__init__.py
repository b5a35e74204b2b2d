"""The store: a revisioned key-value log with compare-and-swap and watch.

It knows keys and bytes. Whatever knows a kind, a field of an object or an HTTP status does not live here.
"""

from __future__ import annotations

from .errors import (
    CompactedError,
    KeyExistsError,
    KeyNotFoundError,
    OverflowError,  # noqa: A004 - the field's word for a watcher that fell behind
    RevisionConflictError,
    StorageError,
    StorageUnavailableError,
    ValueTooLargeError,
)
from .interface import MAX_VALUE_BYTES, Encode, Event, Observer, Record, Revision, Storage

__all__ = [
    "MAX_VALUE_BYTES",
    "CompactedError",
    "Encode",
    "Event",
    "KeyExistsError",
    "KeyNotFoundError",
    "Observer",
    "OverflowError",
    "Record",
    "Revision",
    "RevisionConflictError",
    "Storage",
    "StorageError",
    "StorageUnavailableError",
    "ValueTooLargeError",
    "open_storage",
]


async def open_storage(url: str) -> Storage:
    """Open the store that ``url`` names, creating it where there is none; ``close()`` it when done.

    ``sqlite:///path/to/roadbed.db`` is a file (the path is absolute and taken as it is written, without
    percent-decoding; its folder is created); ``memory:`` lives as long as the process.

    Raises:
        ValueError: the URL is of another form.
        StorageInUseError: another process has the file open; the message names it.
        StorageCorruptError: the file fails its integrity check, or is no Roadbed store.
        SchemaTooNewError: a newer Roadbed wrote the file.
        StorageUnavailableError: the file or its folder can't be written.
    """
    from . import sqlite  # the interface alone should not cost the import of SQLite

    return await sqlite.open_url(url)
