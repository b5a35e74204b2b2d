"""The file: who may open it, what is refused, what a damaged or foreign one says."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from roadbed.storage import Revision, StorageUnavailableError, open_storage, queries
from roadbed.storage.database import APPLICATION_ID
from roadbed.storage.errors import SchemaTooNewError, StorageCorruptError, StorageInUseError

A = "/core/configmaps/shop/a"
NOBODY = 65534


@contextmanager
def unprivileged():
    """Root may write anything; be somebody else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared():
    """A folder that an unprivileged user reaches (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def edit(file, *statements):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


async def test_what_was_written_is_there_after_reopening(file, open_store, value):
    store = await open_store(file)
    first = await store.create(A, value("x"))
    second = await store.update(A, value("y"), expected=first.revision)
    gone = await store.create("/core/secrets/shop/b", value("z"))
    gone = await store.delete(gone.key, value("z"), expected=gone.revision)
    await store.close()
    again = await open_store(file)
    assert again.scan("") == [second]
    assert again.revision == gone.revision
    events = again.watch("", after=Revision(0))
    assert [(await anext(events)).revision for _ in range(4)] == [1, 2, 3, 4]
    await events.aclose()


async def test_revisions_go_on_after_everything_was_deleted_and_compacted(file, open_store, value):
    store = await open_store(file)
    record = await store.create(A, value("x"))
    gone = await store.delete(A, value("x"), expected=record.revision)
    await store.compact(gone.revision)
    await store.close()
    assert rows(file) == []
    again = await open_store(file)
    assert (again.revision, again.compacted) == (2, 2)
    assert (await again.create(A, value("x"))).revision == 3


def rows(file):
    with closing(sqlite3.connect(file)) as connection:
        return [revision for (revision,) in connection.execute("SELECT revision FROM log ORDER BY revision")]


async def test_only_the_owner_may_read_the_files(file, open_store, value):
    file.parent.mkdir()
    file.touch(0o644)
    store = await open_store(file)
    await store.create(A, value("x"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["roadbed.db", "roadbed.db-shm", "roadbed.db-wal", "roadbed.db.lock"], 0o600
    )


async def test_the_journal_is_as_durable_as_promised(file, open_store):
    """A store that loses what it acknowledged when power fails would pass every other test here."""
    store = await open_store(file)

    def settings(database):
        return [
            database._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]

    assert await store._writer.run(settings) == ["wal", 2]


@pytest.mark.timeout(10)
async def test_a_second_process_is_refused_by_name_and_let_in_afterwards(file, open_store):
    script = (
        "import asyncio, sys; from roadbed.storage import open_storage\n"
        "async def main():\n"
        "    store = await open_storage(sys.argv[1]); print('open', flush=True); sys.stdin.read(); await store.close()\n"
        "asyncio.run(main())"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, f"sqlite:///{file}", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert await other.stdout.readline() == b"open\n"
    with pytest.raises(
        StorageInUseError, match=f"process {other.pid} has it open.*{'another data directory'}"
    ):
        await open_store(file)
    other.stdin.close()
    assert await other.wait() == 0
    await open_store(file)


async def test_a_second_store_in_the_same_process_is_refused_too(file, open_store):
    first = await open_store(file)
    with pytest.raises(StorageInUseError, match=str(os.getpid())):
        await open_store(file)
    await first.close()
    await open_store(file)


async def test_a_refused_opening_leaves_the_lock_to_the_next(file, open_store):
    file.parent.mkdir()
    file.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
    for _ in range(2):
        with pytest.raises(StorageCorruptError):
            await open_store(file)


async def test_a_file_that_is_no_database_is_named(file, open_store):
    file.parent.mkdir()
    file.write_bytes(b"x" * 5000)
    with pytest.raises(StorageCorruptError, match=f"{file}.*restore a backup"):
        await open_store(file)
    assert file.read_bytes() == b"x" * 5000


async def test_somebody_elses_database_is_left_alone(file, open_store):
    file.parent.mkdir()
    edit(file, "CREATE TABLE theirs (x)")
    before = file.read_bytes()
    with pytest.raises(StorageCorruptError, match="not a Roadbed store"):
        await open_store(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_a_damaged_page_is_found_on_opening(file, open_store, value, share):
    store = await open_store(file)
    await asyncio.gather(*(store.create(f"{A}{i}", lambda _: b"x" * 3000) for i in range(50)))
    await store.close()
    damaged = bytearray(file.read_bytes())
    page = int(len(damaged) * share) // 4096 * 4096
    damaged[page : page + 4096] = os.urandom(4096)
    file.write_bytes(damaged)
    with pytest.raises(StorageCorruptError, match=f"{file}.*restore a backup"):
        await open_store(file)


async def test_one_flipped_bit_in_a_value_is_found_on_opening(file, open_store):
    """SQLite's own check doesn't see it; it would be served as the object, or as no JSON at all."""
    store = await open_store(file)
    await store.create(A, lambda _: b"the needle in the file")
    await store.close()
    content = file.read_bytes()
    assert content.count(b"needle") == 1
    file.write_bytes(content.replace(b"needle", b"needlf"))
    with pytest.raises(StorageCorruptError, match=f"{file}.*revision 1 fails its checksum.*restore a backup"):
        await open_store(file)


async def test_a_truncated_file_is_found_on_opening(file, open_store, value):
    store = await open_store(file)
    await asyncio.gather(*(store.create(f"{A}{i}", lambda _: b"x" * 3000) for i in range(50)))
    await store.close()
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(StorageCorruptError):
        await open_store(file)


async def test_a_log_with_a_hole_in_it_is_refused(file, open_store, fill):
    store = await open_store(file)
    await fill(store, 5)
    await store.close()
    edit(file, "DELETE FROM log WHERE revision = 3")
    with pytest.raises(StorageCorruptError, match="revision 4 does not follow"):
        await open_store(file)


async def test_a_newer_schema_is_refused_and_not_touched(file, open_store, value):
    store = await open_store(file)
    await store.create(A, value("x"))
    await store.close()
    edit(file, "PRAGMA user_version = 99")
    with pytest.raises(SchemaTooNewError, match=f"{file}.*number 99.*upgrade Roadbed"):
        await open_store(file)
    edit(file, "PRAGMA user_version = 1")
    assert (await open_store(file)).get(A).value == b"x@1"


async def test_migrations_bring_an_older_file_forward_and_keep_its_records(
    file, open_store, value, monkeypatch
):
    store = await open_store(file)
    await store.create(A, value("x"))
    await store.close()
    newer = queries.Migration(
        2, "0002_notes.sql", "CREATE TABLE notes (note TEXT); INSERT INTO notes VALUES ('new');"
    )
    known = queries.migrations()
    monkeypatch.setattr(queries, "migrations", lambda: (*known, newer))
    store = await open_store(file)
    assert store.get(A).value == b"x@1"
    await store.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT note FROM notes").fetchall() == [("new",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


async def test_a_migration_that_fails_changes_nothing(file, open_store, value, monkeypatch):
    store = await open_store(file)
    await store.create(A, value("x"))
    await store.close()
    known = queries.migrations()
    broken = queries.Migration(
        2, "0002_broken.sql", "CREATE TABLE notes (note TEXT); INSERT INTO nowhere VALUES (1);"
    )
    with monkeypatch.context() as patch:
        patch.setattr(queries, "migrations", lambda: (*known, broken))
        with pytest.raises(StorageUnavailableError, match="nowhere"):
            await open_store(file)
    assert (await open_store(file)).get(A).value == b"x@1"
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'notes'").fetchall() == []


def test_migrations_are_numbered_without_gaps_and_statements_are_described():
    assert [migration.number for migration in queries.migrations()] == list(
        range(1, len(queries.migrations()) + 1)
    )
    text = (Path(queries.__file__).parent / "sql" / "queries.sql").read_text()
    for name in queries.statements():
        after = text.partition(f"-- name: {name}\n")[2]
        assert after.startswith("-- "), f"{name} has no description"
    assert APPLICATION_ID < 2**31


async def test_a_read_only_file_is_refused_with_the_next_step(shared):
    file = shared / "roadbed.db"
    store = await open_storage(f"sqlite:///{file}")
    await store.close()
    file.chmod(0o444)
    with unprivileged(), pytest.raises(StorageUnavailableError, match=f"{file}.*writable"):
        await open_storage(f"sqlite:///{file}")


async def test_a_read_only_folder_is_refused_with_the_next_step(shared):
    shared.chmod(0o555)
    with unprivileged(), pytest.raises(StorageUnavailableError, match=f"{shared}.*writable"):
        await open_storage(f"sqlite:///{shared}/deeper/roadbed.db")


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///", "postgres://host/db", "/path", "memory"])
async def test_an_url_of_another_form_is_refused(url):
    with pytest.raises(ValueError, match="neither sqlite:///path/to/file nor memory:"):
        await open_storage(url)


async def test_a_path_is_taken_as_it_is_written(tmp_path):
    store = await open_storage(f"sqlite:///{tmp_path}/with space/100%25/ü?x=1#y.db")
    await store.close()
    assert (tmp_path / "with space" / "100%25" / "ü?x=1#y.db").is_file()
