"""The storage Protocol: a revisioned key-value log with compare-and-swap and watch.

Called by the API server only, from one event loop. Implementations assign revisions and keep current
values in memory on that loop; committing to disk happens elsewhere, and nothing is visible to reads,
observers or watchers before it is committed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

Revision = NewType("Revision", int)

MAX_VALUE_BYTES = 1536 * 1024 + 64 * 1024
"""The largest value: Kubernetes' 1.5 MiB for a request body, and room for what the server adds to it
(uid, times, managed fields); a larger one belongs into a blob store, not into an object."""

Encode = Callable[[Revision], bytes]
"""Gives the value once its revision is known, so that it is encoded exactly once. Must not await or raise."""


@dataclass(frozen=True, slots=True)
class Record:
    """A live key: its value as stored and the revision that wrote it."""

    key: str
    value: bytes
    revision: Revision


@dataclass(frozen=True, slots=True)
class Event:
    """One committed write. ``value`` of a deletion is the last state, encoded with the deletion's revision.

    ``previous`` is the record that this write replaced or removed; None for a creation. It is also None
    where the log was compacted between the two.
    """

    key: str
    value: bytes
    revision: Revision
    is_delete: bool
    previous: Record | None


Observer = Callable[[Sequence[Event]], None]


class Storage(Protocol):
    """A revisioned key-value log with compare-and-swap and watch.

    Keys are ``/<group>/<resource>[/<namespace>]/<name>`` (the core group is written ``core``); values
    are bytes that the store never reads, at most ``MAX_VALUE_BYTES``. Revisions are one increasing
    sequence per store, starting at 1; they never repeat, may skip.

    A write returns after its commit is durable (``kill -9`` and power loss), and after every observer
    has seen it, so a caller reads its own writes.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """

    @property
    def revision(self) -> Revision:
        """The newest committed revision; 0 for an empty store."""
        ...

    @property
    def compacted(self) -> Revision:
        """The newest revision that history no longer reaches; watches must start at or after it."""
        ...

    def get(self, key: str) -> Record | None:
        """Give the committed record at ``key``, from memory."""
        ...

    def scan(self, prefix: str, *, after: str = "", limit: int = 0) -> list[Record]:
        """Give the committed records under ``prefix`` in key order, from memory.

        Starts after the key ``after``; at most ``limit`` records, 0 for all.
        """
        ...

    async def scan_at(
        self, prefix: str, revision: Revision, *, after: str = "", limit: int = 0
    ) -> list[Record]:
        """Give what ``scan`` would have given when ``revision`` was the newest.

        Raises:
            CompactedError: ``revision`` is older than the last compaction.
        """
        ...

    async def create(self, key: str, encode: Encode) -> Record:
        """Store a value at a free key.

        Raises:
            KeyExistsError: the key is taken, also by a write still on its way to disk.
            StorageUnavailableError: the disk is full or read-only; nothing was stored.
        """
        ...

    async def update(self, key: str, encode: Encode, *, expected: Revision) -> Record:
        """Replace the value at ``key`` if its last revision is still ``expected``.

        Raises:
            KeyNotFoundError: nothing lives at ``key``.
            RevisionConflictError: ``key`` was written after ``expected``; read again and retry.
            StorageUnavailableError: as for ``create``.
        """
        ...

    async def delete(self, key: str, encode: Encode, *, expected: Revision) -> Record:
        """Remove ``key`` if its last revision is still ``expected``; ``encode`` gives its last state.

        Returns the record as it went: the encoded last state with the deletion's revision.

        Raises:
            KeyNotFoundError, RevisionConflictError, StorageUnavailableError: as for ``update``.
        """
        ...

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with every committed batch, in order, on the loop; returns the way out.

        The observer runs before the writers' awaits return. It must be quick and must not raise.
        """
        ...

    def watch(self, prefix: str, *, after: Revision, is_live: bool = True) -> AsyncIterator[Event]:
        """Yield every event under ``prefix`` with revision > ``after``, in order, none lost, then live ones.

        Without ``is_live`` it ends once it has given what is committed.

        Raises:
            CompactedError: ``after`` is older than the last compaction; list again, then watch.
            OverflowError: the reader fell too far behind; list again, then watch.
        """
        ...

    async def compact(self, revision: Revision) -> None:
        """Forget history up to and including ``revision``; live records stay."""
        ...

    async def close(self) -> None:
        """Commit what was accepted, then release the store. Later writes raise StorageUnavailableError."""
        ...
