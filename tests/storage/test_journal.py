"""The write-ahead log that a crash leaves: taken up to where the crash tore it, refused where it was damaged."""

from __future__ import annotations

import os
import shutil

import pytest

from roadbed.storage import journal
from roadbed.storage.database import Database
from roadbed.storage.errors import StorageCorruptError

A = "/core/configmaps/shop/"
COMMITS = 12
FRAME_BYTES = 24 + 4096


@pytest.fixture
async def crashed(file, open_store, tmp_path):
    """A copy of a store and its log as they are on disk right after the last of some commits."""
    store = await open_store(file)
    for number in range(COMMITS):
        await store.create(f"{A}{number}", lambda _: b"x" * 3000)
    copy = tmp_path / "crashed" / file.name
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")
    await store.close()
    assert not journal.damage(copy)
    return copy


def scribble(path, place, length=8):
    with path.open("r+b") as log:
        log.seek(place)
        log.write(os.urandom(length))


@pytest.fixture
def log(crashed):
    return crashed.with_name(f"{crashed.name}-wal")


@pytest.mark.parametrize(("share", "length"), [(0.3, 8), (0.7, 8), (0.4, 5_000)])
async def test_commits_behind_a_broken_place_are_missed(crashed, log, open_store, share, length):
    """SQLite would begin without them, as if they had never been acknowledged."""
    scribble(log, int(log.stat().st_size * share), length)
    for _ in range(2):  # whoever looks first leaves it as it is
        with pytest.raises(StorageCorruptError, match=r"-wal is broken after \d+ commits.*restore a backup"):
            Database.look(crashed)
        with pytest.raises(StorageCorruptError, match=r"-wal is broken after \d+ commits.*restore a backup"):
            await open_store(crashed)


async def test_a_broken_head_is_not_taken_for_an_empty_log(crashed, log, open_store):
    scribble(log, 0, 32)
    with pytest.raises(StorageCorruptError, match=r"the head of .*-wal is not what was written"):
        await open_store(crashed)


async def test_what_a_crash_tears_off_is_not_missed(crashed, log, open_store):
    """The last commit was not acknowledged: its frames may be there in part, in any order."""
    size = log.stat().st_size
    scribble(log, size - FRAME_BYTES - 100)
    store = await open_store(crashed)
    assert len(store.scan(A)) == COMMITS - 1
    await store.close()


async def test_a_log_cut_off_within_a_commit_is_taken_up_to_there(crashed, log, open_store):
    os.truncate(log, log.stat().st_size - 100)
    store = await open_store(crashed)
    assert len(store.scan(A)) == COMMITS - 1
    await store.close()
