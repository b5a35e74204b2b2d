"""What can go wrong with the log; each says what to do next."""

from __future__ import annotations


class StorageError(Exception):
    """The family: caught where storage meets the API server and translated once."""


class KeyExistsError(StorageError):
    """Create found the key taken."""


class KeyNotFoundError(StorageError):
    """Nothing lives at the key."""


class RevisionConflictError(StorageError):
    """The key was written after the revision the caller expected; read again and retry."""


class CompactedError(StorageError):
    """The revision asked for is older than the last compaction; list again, then watch."""


class OverflowError(StorageError):  # noqa: A001 - the watcher's queue overflowed; the word is the field's
    """A watcher read too slowly and was dropped; list again, then watch."""


class ValueTooLargeError(StorageError, ValueError):
    """The encoded value is larger than ``MAX_VALUE_BYTES``; split the object."""


class InvalidKeyError(StorageError, ValueError):
    """The key does not begin with ``/`` or can't be written as UTF-8."""


class StorageUnavailableError(StorageError):
    """The store can't write now (disk full, read-only, closed); the write did not happen."""


class StorageCorruptError(StorageError):
    """The file failed its integrity check; restore a backup."""


class StorageInUseError(StorageError):
    """Another process holds the folder; the message names it."""


class SchemaTooNewError(StorageError):
    """The file was written by a newer Roadbed; upgrade this one."""
