"""A quick disk is committed to on the loop; a slow one never holds the loop up twice in a row."""

from __future__ import annotations

import threading

import pytest

from roadbed.storage import threads
from roadbed.storage.database import Database

LOOP = threading.main_thread().name
WRITER = "roadbed-storage"


@pytest.fixture
def places(monkeypatch):
    """The threads of all commits, and a switch that makes them slow."""
    append = Database.append
    seen: list[str] = []
    now = [0.0]
    cost = [0.0]

    def watched(self, batch):
        seen.append(threading.current_thread().name)
        append(self, batch)
        now[0] += cost[0]

    monkeypatch.setattr(Database, "append", watched)
    monkeypatch.setattr(threads.time, "perf_counter", lambda: now[0])
    return seen, cost


async def _write(store, value, names):
    for name in names:
        await store.create(f"/a/{name}", value())


async def test_a_quick_disk_is_committed_to_on_the_loop(store, value, places):
    seen, _ = places
    await _write(store, value, "abc")
    assert seen == [LOOP] * 3


async def test_after_a_slow_commit_the_thread_takes_over(store, value, places):
    seen, cost = places
    cost[0] = 0.02
    await _write(store, value, "abcd")
    assert seen == [LOOP, *[WRITER] * 3]


async def test_a_disk_that_is_quick_again_is_found_out(store, value, places, monkeypatch):
    seen, cost = places
    monkeypatch.setattr(threads, "LOOK_EVERY", 4)
    cost[0] = 0.02
    await _write(store, value, "ab")
    cost[0] = 0.0
    await _write(store, value, "cdef")
    assert seen == [LOOP, WRITER, WRITER, LOOP, LOOP, LOOP]


async def test_a_failure_on_the_loop_reaches_its_writer_and_no_other(store, value, places, monkeypatch):
    await _write(store, value, "a")
    append = Database.append

    def broken(self, batch):
        raise OSError("the disk is gone")

    monkeypatch.setattr(Database, "append", broken)
    with pytest.raises(Exception, match="the disk is gone"):
        await store.create("/a/b", value())
    monkeypatch.setattr(Database, "append", append)
    await _write(store, value, "b")
    assert store.get("/a/b") is not None
