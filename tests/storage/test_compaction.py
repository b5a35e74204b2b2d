"""When history is forgotten, and that its rows really go."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from roadbed.storage import Revision, StorageUnavailableError
from roadbed.storage.compaction import SLICE_REVISIONS, Ages, Retention
from roadbed.storage.database import KEEP_FREE_PAGES, VACUUM_PAGES, Database
from roadbed.storage.sqlite import Limits

A = "/core/configmaps/shop/a"


def revisions(file):
    with closing(sqlite3.connect(file)) as connection:
        return [revision for (revision,) in connection.execute("SELECT revision FROM log ORDER BY revision")]


async def test_compaction_keeps_live_records_and_what_later_history_needs(file, open_store, fill, value):
    store = await open_store(file)
    await fill(store, 10, A)
    gone = await store.create("/gone", value("x"))
    await store.delete("/gone", value("x"), expected=gone.revision)
    await store.compact(Revision(8))
    assert revisions(file) == [8, 9, 10, 11, 12]  # 8: what 9 replaced
    await store.compact(Revision(99))  # beyond the newest is up to the newest
    assert store.compacted == 12
    assert revisions(file) == [10]
    await store.compact(Revision(3))  # forgotten already
    assert store.compacted == 12
    await store.close()
    again = await open_store(file)
    assert [record.revision for record in again.scan("")] == [10]
    assert (again.revision, again.compacted) == (12, 12)


@pytest.mark.timeout(5)
async def test_a_long_compaction_goes_in_slices_between_writes(file, open_store, value, monkeypatch):
    store = await open_store(file)
    await asyncio.gather(*(store.create(f"{A}{i}", value("x")) for i in range(SLICE_REVISIONS)))
    await asyncio.gather(*(store.update(r.key, value("y"), expected=r.revision) for r in store.scan("")))
    order = []
    sweep = Database.sweep
    monkeypatch.setattr(Database, "sweep", lambda self, *span: (order.append("slice"), sweep(self, *span))[1])
    append = Database.append
    monkeypatch.setattr(
        Database, "append", lambda self, batch: (order.append("batch"), append(self, batch))[1]
    )
    compacting = asyncio.create_task(store.compact(store.revision))
    await asyncio.sleep(0)
    await store.create("/between", value("x"))
    await compacting
    assert order == ["slice", "batch", "slice"]
    assert len(revisions(file)) == SLICE_REVISIONS + 1


async def test_a_compaction_interrupted_by_a_crash_is_continued(file, open_store, fill):
    store = await open_store(file)
    await fill(store, 20)
    await store._writer.run(lambda file: file.sweep(Revision(0), Revision(5), Revision(15)))
    await store.close()
    assert revisions(file) == list(range(5, 21))
    store = await open_store(file)
    assert store.compacted == 15
    await store.compact(Revision(15))
    assert revisions(file) == list(range(15, 21))


@pytest.mark.timeout(5)
async def test_freed_pages_are_given_back_a_slice_at_a_time(file, open_store, monkeypatch):
    store = await open_store(file)
    slices = []
    vacuum = Database.vacuum
    monkeypatch.setattr(Database, "vacuum", lambda self: (slices.append(1), vacuum(self))[1])
    pages = KEEP_FREE_PAGES + 6 * VACUUM_PAGES
    writes = (store.create(f"{A}{i}", lambda _: b"x" * 500_000) for i in range(pages * 4096 // 500_000))
    records = await asyncio.gather(*writes)
    await asyncio.gather(*(store.delete(r.key, lambda _: b"", expected=r.revision) for r in records))
    await store.compact(store.revision)
    free = await store._writer.run(lambda file: file._pragma("freelist_count"))
    await store.close()
    assert 0 < free <= KEEP_FREE_PAGES
    assert 4 <= len(slices) <= 8
    assert file.stat().st_size < pages * 4096


async def test_a_failed_compaction_is_reported_and_done_the_next_time(store, fill, caplog):
    await fill(store, 20)
    await store._writer.run(lambda file: file._connection.execute("PRAGMA query_only = ON"))
    with pytest.raises(StorageUnavailableError, match="make the file writable"):
        await store.compact(Revision(10))
    assert "compaction failed" in caplog.text
    await store._writer.run(lambda file: file._connection.execute("PRAGMA query_only = OFF"))
    await store.compact(Revision(10))
    kept = await store._writer.run(
        lambda file: file._connection.execute("SELECT MIN(revision) FROM log").fetchone()
    )
    assert kept == (10,)


async def test_history_beyond_the_most_is_forgotten_by_itself(file, open_store, fill):
    limits = Limits(retention=Retention(revisions=50, most_revisions=50, step=10))
    store = await open_store(file, limits)
    await fill(store, 200)
    await store.compact(store.compacted)  # wait for what is under way
    assert 140 <= store.compacted <= 150
    assert revisions(file) == list(range(store.compacted, 201))


async def test_young_history_stays_however_long(open_store, fill):
    store = await open_store(
        "memory:", Limits(retention=Retention(revisions=10, most_revisions=1_000, step=5))
    )
    await fill(store, 100)
    assert store.compacted == 0


async def test_old_history_goes_but_the_last_revisions_stay(open_store, fill):
    store = await open_store("memory:", Limits(retention=Retention(seconds=600, revisions=10, step=5)))
    now = store._loop.time()
    store._compactor._now = lambda: now
    await fill(store, 100)
    assert store.compacted == 0
    now += 300
    await fill(store, 50)
    now += 301
    await fill(store, 1)
    assert 0 <= store.compacted <= 100
    now += 601
    await fill(store, 1)
    assert store.compacted == 152 - 10


def test_ages_name_the_newest_revision_that_is_old_enough():
    ages = Ages(600, Revision(7), now=0.0)
    for second in range(1, 1_500):
        aged = ages.observe(Revision(7 + second), float(second))
        newest_old_enough = 7 + second - 600
        if second < 600:
            assert aged == 0
        elif second >= 640:
            assert newest_old_enough - 40 <= aged <= newest_old_enough
    assert len(ages._samples) < 40


def test_a_retention_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="step <= revisions"):
        Retention(revisions=5, step=10)
