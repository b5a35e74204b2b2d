"""One SQLite connection and what the store does with it. Everything here blocks.

A writing ``Database`` is opened, used and closed on the writer thread; reading ones live in the reader
pool (``threads``). A write is durable when ``append`` returns: the journal is a WAL with
``synchronous=FULL``, so that every commit waits for the disk (NORMAL loses acknowledged writes when power
fails). Opening checks the file, brings its schema forward and refuses what it doesn't know. It translates
SQLite's errors, names the file and the next step, and decides nothing about revisions.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from . import journal, queries
from .errors import SchemaTooNewError, StorageCorruptError, StorageUnavailableError
from .interface import Event, Record, Revision
from .log import Recovered, Write

MEMORY = Path(":memory:")

APPLICATION_ID = 0x526F6164  # "Road": tells our files from anybody else's SQLite files

# Up to so many rows, a batch is one statement, which is atomic by itself. Larger ones would cost more to
# prepare than they save.
ROWS_PER_STATEMENT = 128

# Free pages up to this are kept for the writes to come (8 MiB); what lies beyond is given back to the disk.
KEEP_FREE_PAGES = 2_048
VACUUM_PAGES = 128  # per slice: 512 KiB, some 3 ms

# A burst grows the WAL; it is cut back to this once its pages are in the file.
WAL_LIMIT_BYTES = 32 * 1024 * 1024

_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Progress:
    """How far history is forgotten, and how far the forgotten rows are gone."""

    compacted: Revision
    swept: Revision


@dataclass(frozen=True, slots=True)
class Summary:
    """What a store holds, in numbers; ``revision`` is the newest that was ever given out, as far as it knows."""

    revision: Revision
    compacted: Revision
    swept: Revision
    keys: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log, as it stands in the file; ``is_intact`` says whether its checksum fits."""

    revision: Revision
    key: str
    value: bytes
    is_delete: bool
    replaced: Revision | None
    is_intact: bool


class Database:
    """A connection to the store at ``path``; ``MEMORY`` is one of its own, gone when it is closed."""

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        self.path = path
        self._sql = queries.statements()
        # One statement per batch size is kept prepared. A connection is used by one thread at a time.
        self._connection = sqlite3.connect(
            path,
            isolation_level=None,
            cached_statements=2 * ROWS_PER_STATEMENT,
            check_same_thread=False,
            timeout=5.0,
        )
        if reads_only:
            self._connection.execute("PRAGMA query_only = ON")

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open for writing: create where missing, check, and bring the schema forward.

        Raises:
            StorageCorruptError, SchemaTooNewError, StorageUnavailableError: see ``open_storage``.
        """
        if path != MEMORY:
            create_private(path)
        database = cls(path)
        database._start(database._prepare)
        return database

    @classmethod
    def look(cls, path: Path) -> Database:
        """Open an existing store for reading beside whoever writes it; nothing is created or brought forward.

        Raises:
            StorageCorruptError, SchemaTooNewError: see ``open_storage``.
            StorageUnavailableError: there is no such file, or it can't be read.
        """
        if not path.is_file():
            raise StorageUnavailableError(f"cannot open the store {path}: there is no such file")
        # Before SQLite opens it: who closes it last drops the log, broken or not. Twice, since it may be written to.
        if journal.damage(path) and (found := journal.damage(path)):
            raise _corrupt(path, found)
        database = cls(path, reads_only=True)
        database._start(database._check_owner)
        return database

    def _start(self, step: Callable[[], None]) -> None:
        """Take the first step after connecting; nothing stays open where it fails."""
        try:
            step()
        except sqlite3.Error as error:
            self.close()
            raise _opening_error(self.path, error) from error
        except BaseException:
            self.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one moment of the store for as long as this lasts, whatever is written meanwhile."""
        try:
            self._connection.execute("BEGIN")
            self._connection.execute(
                self._sql["compaction"]
            ).fetchone()  # the moment is that of the first read
        except sqlite3.Error as error:
            raise _opening_error(self.path, error) from error
        try:
            yield
        finally:
            self._roll_back()

    def copy_to(self, target: sqlite3.Connection, pages: int, tell: Callable[[int, int], None]) -> None:
        """Copy every page; ``tell`` hears how many are left, and how many there are. Raises sqlite3.Error."""
        self._connection.backup(target, pages=pages, progress=lambda _, left, total: tell(left, total))

    def summary(self) -> Summary:
        """Give the store in numbers."""
        try:
            compacted, swept = self._connection.execute(self._sql["compaction"]).fetchone()
            newest, keys = self._connection.execute(self._sql["summary"]).fetchone()
        except sqlite3.Error as error:
            raise _opening_error(self.path, error) from error
        return Summary(Revision(max(newest, compacted)), Revision(compacted), Revision(swept), keys)

    def structural_damage(self) -> list[str]:
        """Give what SQLite itself finds wrong with the file's pages and indexes; slow, it reads all of them."""
        try:
            rows = self._connection.execute("PRAGMA integrity_check(20)").fetchall()
        except sqlite3.Error as error:
            return [str(error)]
        return [" ".join(str(row[0]).split()) for row in rows if row[0] != "ok"]

    def rows(self) -> Iterator[Row]:
        """Give the whole log, oldest first, judging nothing.

        Raises:
            StorageCorruptError: the file can't be read to its end.
        """
        try:
            with closing(self._connection.execute(self._sql["whole_log"])) as found:
                for revision, key, value, is_delete, replaced, checksum in found:
                    is_intact = _checksum(key, value) == checksum
                    yield Row(Revision(revision), key, value, bool(is_delete), replaced, is_intact)
        except sqlite3.Error as error:
            raise _opening_error(self.path, error) from error

    def shrink(self) -> None:
        """Write the file anew without its free pages; needs as much room again while it runs.

        Raises:
            StorageUnavailableError: the file is as it was.
        """
        try:
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise _writing_error(self.path, error) from error

    def load(self, *, max_events: int) -> tuple[Recovered, Progress]:
        """Read everything in one scan: current values, and the newest events that are still history."""
        try:
            return self._load(max_events)
        except sqlite3.Error as error:
            raise _opening_error(self.path, error) from error

    def append(self, batch: Sequence[Write]) -> None:
        """Commit a batch, all of it or nothing.

        One statement per 128 rows instead of one per row: SQLite's wrapper gives up the interpreter lock
        at every step, and getting it back from a busy event loop takes up to 5 ms each time (measured:
        6.5 ms instead of 64 ms for 50 rows beside a busy thread).

        Raises:
            StorageUnavailableError: nothing was written.
        """
        try:
            if len(batch) <= ROWS_PER_STATEMENT:
                self._insert(batch)
                return
            self._connection.execute("BEGIN IMMEDIATE")
            for start in range(0, len(batch), ROWS_PER_STATEMENT):
                self._insert(batch[start : start + ROWS_PER_STATEMENT])
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise _writing_error(self.path, error) from error

    def events(self, after: Revision, upto: Revision, keys: tuple[str, str], page: int) -> list[Event]:
        """Read at most ``page`` events in (after, upto] whose keys are in [first, beyond)."""
        bound = {"after": after, "upto": upto, "first": keys[0], "beyond": keys[1], "page": page}
        try:
            rows = self._connection.execute(self._sql["events"], bound).fetchall()
        except sqlite3.Error as error:
            raise StorageUnavailableError(
                f"cannot read the history of the store {self.path}: {error}; list again, then watch"
            ) from error
        return [
            Event(
                key,
                value,
                Revision(revision),
                bool(is_delete),
                None if replaced is None else Record(key, replaced_value, Revision(replaced)),
            )
            for revision, key, value, is_delete, replaced, replaced_value in rows
        ]

    def sweep(self, swept: Revision, upto: Revision, compacted: Revision) -> None:
        """Drop the forgotten rows that the writes in (swept, upto] replaced or that delete a key.

        Raises:
            StorageUnavailableError: nothing was dropped.
        """
        span = {"swept": swept, "upto": upto}
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if upto > swept:
                self._connection.execute(self._sql["sweep_replaced"], span)
                self._connection.execute(self._sql["sweep_deletions"], span)
            self._connection.execute(self._sql["set_compaction"], {"compacted": compacted, "upto": upto})
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise _writing_error(self.path, error) from error

    def vacuum(self) -> bool:
        """Give a slice of free pages back to the disk; says whether there are more to give."""
        try:
            if self._pragma("freelist_count") <= KEEP_FREE_PAGES:
                return False
            # As a script, or Python's wrapper stops after the first page: the pragma's rows have no columns.
            self._connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
            return self._pragma("freelist_count") > KEEP_FREE_PAGES
        except sqlite3.Error as error:
            self._roll_back()
            raise _writing_error(self.path, error) from error

    def close(self) -> None:
        """Let go of the file; SQLite moves the WAL into it when the last connection closes."""
        with suppress(sqlite3.Error):  # the disk may be full; the WAL is read when the file is opened next
            self._connection.close()

    def _prepare(self) -> None:
        if self.path != MEMORY and (found := journal.damage(self.path)):
            raise _corrupt(self.path, found)
        # Before the first table, or it has no effect. An existing file keeps what it was created with.
        self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._check()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        self._migrate()
        if self.path != MEMORY:
            _sync_folder(self.path)

    def _check(self) -> None:
        self._check_owner()
        ((verdict, *_), *_) = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise _corrupt(self.path, " ".join(str(verdict).split()))

    def _check_owner(self) -> None:
        owner, schema = self._pragma("application_id"), self._pragma("user_version")
        is_empty = not self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        if owner != APPLICATION_ID and not is_empty:
            raise StorageCorruptError(
                f"cannot open {self.path}: it is a database, but not a Roadbed store; "
                f"choose another data directory or move the file away"
            )
        known = queries.migrations()[-1].number
        if schema > known:
            raise SchemaTooNewError(
                f"cannot open the store {self.path}: its schema is number {schema} and this Roadbed knows "
                f"up to {known}; upgrade Roadbed or restore a backup made by this version"
            )

    def _migrate(self) -> None:
        schema = self._pragma("user_version")
        for migration in queries.migrations():
            if migration.number > schema:
                # A step and its number are one transaction: a crash between them can't happen.
                self._connection.executescript(
                    f"BEGIN IMMEDIATE;\n{migration.script}\n"
                    f"PRAGMA application_id = {APPLICATION_ID};\n"
                    f"PRAGMA user_version = {migration.number};\nCOMMIT;"
                )

    def _load(self, max_events: int) -> tuple[Recovered, Progress]:
        (compacted, swept) = self._connection.execute(self._sql["compaction"]).fetchone()
        records: dict[str, Record] = {}
        events: deque[Event] = deque(maxlen=max_events)
        since = newest = compacted
        with closing(self._connection.execute(self._sql["whole_log"])) as rows:
            for revision, key, value, is_delete, replaced, checksum in rows:
                if _checksum(key, value) != checksum:
                    raise _corrupt(self.path, f"revision {revision} fails its checksum")
                newest = max(newest, revision)
                previous = records.pop(key, None)
                if not is_delete:
                    records[key] = Record(key, value, Revision(revision))
                if revision > compacted:
                    if (previous.revision if previous else None) != replaced:
                        raise _corrupt(self.path, f"revision {revision} does not follow what it replaced")
                    if len(events) == max_events:
                        since = events[0].revision
                    events.append(Event(key, value, Revision(revision), bool(is_delete), previous))
        recovered = Recovered(records, list(events), Revision(since), Revision(newest))
        return recovered, Progress(Revision(compacted), Revision(swept))

    def _insert(self, rows: Sequence[Write]) -> None:
        values: list[object] = []
        for write in rows:
            previous = write.previous.revision if write.previous else None
            checksum = _checksum(write.key, write.value)
            values += (write.revision, write.key, write.value, write.is_delete, previous, checksum)
        row = f"({', '.join('?' * _COLUMNS)})"
        statement = self._sql["append"] + f", {row}" * (len(rows) - 1)
        self._connection.execute(statement, values)

    def _roll_back(self) -> None:
        # Most failures have rolled back already; one that hasn't would make every later write fail.
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _pragma(self, name: str) -> int:
        (value,) = self._connection.execute(f"PRAGMA {name}").fetchone()
        return int(value)


def create_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives the WAL the file's own mode, so this settles all of them.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageUnavailableError(
            f"cannot open the store {path}: {error.strerror}; "
            f"make the file and its folder writable, or choose another data directory"
        ) from error
    try:
        with suppress(PermissionError):  # another user's file that we may write: its mode is theirs
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """Make the new file's name as durable as its content."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _corrupt(path: Path, detail: str) -> StorageCorruptError:
    return StorageCorruptError(
        f"cannot open the store {path}: it is damaged ({detail}); "
        f"move it away and restore a backup in its place"
    )


def _opening_error(path: Path, error: sqlite3.Error) -> Exception:
    if _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return _corrupt(path, str(error))
    return _writing_error(path, error, "open")


def _writing_error(path: Path, error: sqlite3.Error, verb: str = "write to") -> StorageUnavailableError:
    advice = {
        sqlite3.SQLITE_FULL: "free some space, then try again",
        sqlite3.SQLITE_READONLY: "make the file writable, then try again",
        sqlite3.SQLITE_CORRUPT: "stop Roadbed and restore a backup",
    }.get(_code(error), "look at the disk and the kernel's log, then try again")
    return StorageUnavailableError(f"cannot {verb} the store {path}: {error}; nothing was stored; {advice}")


def _checksum(key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key.encode()))


def _code(error: sqlite3.Error) -> int:
    # The low byte is the primary code; the rest says more precisely where it happened.
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
