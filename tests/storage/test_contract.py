"""What every store promises; see ``interface.Storage``."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from roadbed.storage import (
    MAX_VALUE_BYTES,
    CompactedError,
    KeyExistsError,
    KeyNotFoundError,
    OverflowError,  # noqa: A004
    Record,
    Revision,
    RevisionConflictError,
    StorageUnavailableError,
    ValueTooLargeError,
)
from roadbed.storage.errors import InvalidKeyError
from roadbed.storage.sqlite import Limits

A, B, C = "/core/configmaps/shop/a", "/core/configmaps/shop/b", "/core/secrets/shop/c"


async def take(events, count):
    async with aclosing(events):
        return [await anext(events) for _ in range(count)]


async def turns():
    """Let every task run as far as it can without the disk."""
    for _ in range(5):
        await asyncio.sleep(0)


class TestWrites:
    async def test_an_empty_store_is_at_revision_zero(self, store):
        assert (store.revision, store.compacted, store.scan("")) == (0, 0, [])

    async def test_a_created_value_is_read_back_with_the_revision_it_was_encoded_with(self, store, value):
        record = await store.create(A, value("first"))
        assert record == Record(A, b"first@1", Revision(1))
        assert store.get(A) == record
        assert store.revision == 1

    async def test_create_refuses_a_taken_key_by_name(self, store, value):
        await store.create(A, value("first"))
        with pytest.raises(KeyExistsError, match=A):
            await store.create(A, value("second"))
        assert store.get(A).value == b"first@1"

    async def test_update_replaces_at_the_expected_revision_only(self, store, value):
        first = await store.create(A, value("first"))
        second = await store.update(A, value("second"), expected=first.revision)
        assert store.get(A) == second
        with pytest.raises(RevisionConflictError, match="at revision 2, not at 1"):
            await store.update(A, value("third"), expected=first.revision)
        assert store.get(A) == second

    async def test_update_and_delete_of_a_missing_key_say_so(self, store, value):
        with pytest.raises(KeyNotFoundError, match=A):
            await store.update(A, value("x"), expected=Revision(1))
        with pytest.raises(KeyNotFoundError, match=A):
            await store.delete(A, value("x"), expected=Revision(1))

    async def test_delete_returns_the_last_state_and_frees_the_key(self, store, value):
        first = await store.create(A, value("first"))
        with pytest.raises(RevisionConflictError):
            await store.delete(A, value("last"), expected=Revision(9))
        gone = await store.delete(A, value("last"), expected=first.revision)
        assert gone == Record(A, b"last@2", Revision(2))
        assert store.get(A) is None
        again = await store.create(A, value("again"))
        assert again.revision > gone.revision

    async def test_of_many_creates_of_one_key_exactly_one_wins(self, store, value):
        outcomes = await asyncio.gather(
            *(store.create(A, value(str(i))) for i in range(20)), return_exceptions=True
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, Record)]
        assert winners == [store.get(A)]
        assert sum(isinstance(outcome, KeyExistsError) for outcome in outcomes) == 19

    async def test_concurrent_increments_lose_none(self, store):
        await store.create(A, lambda _: b"0")

        async def increment():
            while True:
                record = store.get(A)
                raised = str(int(record.value) + 1).encode()
                try:
                    await store.update(A, lambda _, raised=raised: raised, expected=record.revision)
                    return
                except RevisionConflictError:
                    continue  # spins for ever if a conflict came before what it conflicts with was readable

        await asyncio.gather(*(increment() for _ in range(15)))
        assert store.get(A).value == b"15"

    async def test_a_value_beyond_the_bound_is_refused_and_the_largest_one_stored(self, store):
        with pytest.raises(ValueTooLargeError, match=f"{A}.*split the object"):
            await store.create(A, lambda _: b"x" * (MAX_VALUE_BYTES + 1))
        assert store.get(A) is None
        await store.create(A, lambda _: b"x" * MAX_VALUE_BYTES)
        assert len(store.get(A).value) == MAX_VALUE_BYTES

    @pytest.mark.parametrize("key", ["", "core/configmaps/x", "/core/\ud800"])
    async def test_a_key_that_could_not_be_stored_is_refused(self, store, value, key):
        with pytest.raises(InvalidKeyError):
            await store.create(key, value("x"))
        await store.create(A, value("x"))

    async def test_a_failing_encoder_leaves_the_key_free(self, store, value):
        with pytest.raises(ZeroDivisionError):
            await store.create(A, lambda revision: 1 // 0)
        assert (await store.create(A, value("x"))).revision > 1  # revisions may skip

    async def test_a_cancelled_writer_does_not_disturb_the_others(self, store, value, hold):
        with hold(store):
            writer = asyncio.create_task(store.create(A, value("a")))
            other = asyncio.create_task(store.create(B, value("b")))
            await turns()
            writer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writer
        await other
        assert store.get(A).value == b"a@1"  # it was accepted, so it stands
        assert store.get(B) == other.result()


class TestVisibility:
    async def test_nothing_is_visible_before_it_is_committed(self, store, value, hold):
        seen = []
        store.subscribe(seen.extend)
        with hold(store):
            writer = asyncio.create_task(store.create(A, value("x")))
            await turns()
            assert (store.get(A), store.scan(""), store.revision, seen) == (None, [], 0, [])
            assert not writer.done()
        await writer
        assert store.revision == 1
        assert [event.key for event in seen] == [A]

    async def test_a_write_to_a_key_that_is_on_its_way_waits_and_is_checked_afterwards(
        self, store, value, hold
    ):
        first = await store.create(A, value("first"))
        with hold(store):
            deleting = asyncio.create_task(store.delete(A, value("last"), expected=first.revision))
            creating = asyncio.create_task(store.create(A, value("new")))
            await turns()
            assert not creating.done()
        await deleting
        assert (await creating) == store.get(A)

    async def test_an_observer_sees_a_write_before_its_writer_returns(self, store, value):
        order = []
        leave = store.subscribe(lambda events: order.append([event.revision for event in events]))
        record = await store.create(A, value("x"))
        order.append("written")
        leave()
        leave()
        await store.update(A, value("y"), expected=record.revision)
        assert order == [[1], "written"]

    async def test_a_failing_observer_keeps_nobody_from_learning(self, store, value, caplog):
        seen = []

        def fail(events):
            raise ZeroDivisionError

        store.subscribe(fail)
        store.subscribe(seen.extend)
        await store.create(A, value("x"))
        assert len(seen) == 1
        assert "an observer of the store failed" in caplog.text

    async def test_writes_that_wait_together_are_published_as_one_batch_in_order(self, store, value, hold):
        batches = []
        store.subscribe(lambda events: batches.append([event.revision for event in events]))
        with hold(store):
            writers = [asyncio.create_task(store.create(f"{A}{i}", value("x"))) for i in range(300)]
            await turns()
        await asyncio.gather(*writers)
        assert batches == [list(range(1, 301))]

    async def test_a_batch_is_bounded(self, url, open_store, value, hold):
        store = await open_store(url, Limits(batch_writes=10, batch_bytes=100))
        batches = []
        store.subscribe(lambda events: batches.append(sum(len(event.value) for event in events)))
        with hold(store):
            writers = [asyncio.create_task(store.create(f"{A}{i}", lambda _: b"x" * 30)) for i in range(12)]
            await turns()
        await asyncio.gather(*writers)
        assert batches == [90] * 4

    async def test_writers_wait_for_room_when_too_much_is_on_its_way(self, url, open_store, hold):
        store = await open_store(url, Limits(queued_bytes=1_000))
        with hold(store):
            writers = [asyncio.create_task(store.create(f"{A}{i}", lambda _: b"x" * 600)) for i in range(10)]
            await turns()
            assert len(store._log.pending) == 2
        await asyncio.gather(*writers)
        assert len(store.scan(A)) == 10


class TestScan:
    @pytest.fixture
    async def filled(self, store, value):
        for key in (C, B, A, "/core/configmaps/shopping/z", "/core/configmaps/é/ü"):
            await store.create(key, value("x"))
        return store

    async def test_scan_gives_a_prefix_in_key_order(self, filled):
        assert [record.key for record in filled.scan("/core/configmaps/shop/")] == [A, B]
        assert [record.key for record in filled.scan("/core/configmaps/")] == [
            A, B, "/core/configmaps/shopping/z", "/core/configmaps/é/ü",
        ]  # fmt: skip
        assert len(filled.scan("")) == 5
        assert filled.scan("/zzz") == []

    async def test_scan_goes_on_after_a_key_and_stops_at_the_limit(self, filled):
        assert [record.key for record in filled.scan("/core/", after=A, limit=2)] == [
            B, "/core/configmaps/shopping/z",
        ]  # fmt: skip
        assert filled.scan("/core/configmaps/", after="/core/d") == []
        assert len(filled.scan("/core/configmaps/", after="/a")) == 4

    async def test_scan_at_gives_the_past(self, filled, value):
        past, then = filled.scan("/core/"), filled.revision
        a = filled.get(A)
        await filled.delete(A, value("gone"), expected=a.revision)
        await filled.create(A, value("another"))
        await filled.update(B, value("changed"), expected=filled.get(B).revision)
        await filled.create("/core/configmaps/shop/aa", value("new"))
        assert await filled.scan_at("/core/", then) == past
        assert await filled.scan_at("/core/", then, after=past[0].key, limit=2) == past[1:3]
        assert await filled.scan_at("/core/", filled.revision) == filled.scan("/core/")

    async def test_scan_at_reaches_beyond_memory(self, url, open_store, fill):
        store = await open_store(url, Limits(window_events=4, page_events=3))
        await fill(store, 5, A)
        past, then = store.scan(""), store.revision
        await fill(store, 12, A)
        await fill(store, 7, B)
        assert store._log.window_start > then
        assert await store.scan_at("", then) == past

    async def test_scan_at_before_the_compaction_is_refused(self, store, fill):
        await fill(store, 5)
        await store.compact(Revision(3))
        assert (await store.scan_at("", Revision(3)))[0].revision == 3
        with pytest.raises(CompactedError, match="list again"):
            await store.scan_at("", Revision(2))


class TestWatch:
    async def test_a_watch_gives_what_was_and_what_comes_with_what_it_replaced(self, store, value):
        first = await store.create(A, value("first"))
        await store.create(C, value("other"))
        events = store.watch("/core/configmaps/", after=Revision(0))
        async with aclosing(events):
            assert (await anext(events)).previous is None
            second = await store.update(A, value("second"), expected=first.revision)
            gone = await store.delete(A, value("last"), expected=second.revision)
            update, delete = await anext(events), await anext(events)
        assert (update.value, update.revision, update.is_delete, update.previous) == (
            b"second@3", second.revision, False, first,
        )  # fmt: skip
        assert (delete.value, delete.revision, delete.is_delete, delete.previous) == (
            gone.value, gone.revision, True, second,
        )  # fmt: skip

    async def test_a_watch_waits_for_the_first_event(self, store, value):
        waiting = asyncio.create_task(take(store.watch("", after=Revision(0)), 1))
        await turns()
        await store.create(A, value("x"))
        assert [event.key for event in await waiting] == [A]

    async def test_a_watch_from_the_future_starts_there(self, store, fill):
        watching = asyncio.create_task(take(store.watch("", after=Revision(5)), 1))
        await turns()
        await fill(store, 7)
        assert [event.revision for event in await watching] == [6]

    @pytest.mark.parametrize("window", [1, 7, 1_000])
    async def test_history_is_complete_wherever_it_is_kept(self, url, open_store, fill, window):
        store = await open_store(url, Limits(window_events=window, page_events=4))
        await fill(store, 30, A)
        await fill(store, 10, C)
        for after in (0, 3, 29, 35):
            events = await take(store.watch("", after=Revision(after)), 40 - after)
            assert [event.revision for event in events] == list(range(after + 1, 41))
            assert all(
                event.previous is None or event.previous.revision == event.revision - 1 for event in events
            )
        configmaps = await take(store.watch("/core/configmaps/", after=Revision(10)), 20)
        assert [event.revision for event in configmaps] == list(range(11, 31))
        secrets = await take(store.watch("/core/secrets/", after=Revision(0)), 10)
        assert [event.previous is None for event in secrets] == [True] + 9 * [False]

    async def test_nothing_is_lost_while_history_is_read_and_written(self, url, open_store, fill):
        store = await open_store(url, Limits(window_events=8, page_events=5))
        await fill(store, 40)
        watching = asyncio.create_task(take(store.watch("", after=Revision(0)), 120))
        await fill(store, 80)
        assert [event.revision for event in await watching] == list(range(1, 121))

    async def test_a_watch_before_the_compaction_is_refused(self, store, fill):
        await fill(store, 5)
        await store.compact(Revision(3))
        with pytest.raises(CompactedError, match="list again"):
            await take(store.watch("", after=Revision(2)), 1)
        assert [event.revision for event in await take(store.watch("", after=Revision(3)), 2)] == [4, 5]

    @pytest.mark.parametrize("read", ["watch", "scan_at"])
    async def test_history_compacted_while_it_is_read_is_refused_not_served_with_holes(
        self, url, open_store, fill, monkeypatch, read
    ):
        store = await open_store(url, Limits(window_events=2, page_events=3))
        await fill(store, 20)
        readers_run = store._readers.run

        async def compact_first(work):
            await store.compact(Revision(9))
            return await readers_run(work)

        monkeypatch.setattr(store._readers, "run", compact_first)
        with pytest.raises(CompactedError):
            await (
                take(store.watch("", after=Revision(5)), 1)
                if read == "watch"
                else store.scan_at("", Revision(5))
            )

    async def test_a_watch_overtaken_by_compaction_between_its_pages_is_refused(self, url, open_store, fill):
        store = await open_store(url, Limits(window_events=2, page_events=3))
        await fill(store, 20)
        async with aclosing(store.watch("", after=Revision(5))) as events:
            assert [(await anext(events)).revision for _ in range(3)] == [6, 7, 8]
            await store.compact(Revision(15))
            with pytest.raises(CompactedError):
                await anext(events)

    async def test_a_slow_watcher_is_dropped_and_the_others_are_not(self, url, open_store, fill):
        store = await open_store(url, Limits(watcher_events=5))
        slow, quick = store.watch("", after=Revision(0)), store.watch("", after=Revision(0))
        async with aclosing(slow), aclosing(quick):
            await fill(store, 1)
            await anext(slow)
            await anext(quick)
            for _ in range(8):
                await fill(store, 1)
                await anext(quick)
            with pytest.raises(OverflowError, match="list again"):
                await anext(slow)

    async def test_a_watcher_that_left_is_forgotten(self, store, value):
        await store.create(A, value("x"))
        await take(store.watch("/core/", after=Revision(0)), 1)
        assert store._broadcaster._watchers == {}


class TestFailure:
    async def test_a_full_disk_fails_the_writes_and_leaves_memory_as_it_was(self, store, value, set_pages):
        kept = await store.create(A, value("kept"))
        seen = []
        store.subscribe(seen.extend)
        await set_pages(store, 0)
        outcomes = await asyncio.gather(
            store.update(A, lambda _: b"x" * 100_000, expected=kept.revision),
            store.create(B, lambda _: b"x" * 100_000),
            store.create(B, lambda _: b"x" * 100_000),  # waits for the one above, then fails by itself
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == 3 * [StorageUnavailableError]
        assert all("full" in str(outcome) and "free some space" in str(outcome) for outcome in outcomes)
        assert (store.scan(""), store.revision, seen) == ([kept], kept.revision, [])

    async def test_writes_work_again_once_there_is_room_and_no_revision_repeats(
        self, store, value, set_pages
    ):
        kept = await store.create(A, value("kept"))
        await set_pages(store, 0)
        tried = []
        with pytest.raises(StorageUnavailableError):
            await store.create(B, lambda revision: tried.append(revision) or b"x" * 100_000)
        await set_pages(store, 1_000_000)
        updated = await store.update(A, value("updated"), expected=kept.revision)
        assert updated.revision > tried[0] > kept.revision
        created = await store.create(B, value("now"))
        events = await take(store.watch("", after=Revision(0)), 3)
        assert [event.revision for event in events] == [kept.revision, updated.revision, created.revision]

    async def test_a_large_batch_fails_as_a_whole(self, store, value, set_pages, hold):
        await store.create(A, value("kept"))
        await set_pages(store, 0)
        with hold(store):
            writers = [asyncio.create_task(store.create(f"{B}{i}", lambda _: b"x" * 500)) for i in range(300)]
            await turns()
        outcomes = await asyncio.gather(*writers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StorageUnavailableError}
        await set_pages(store, 1_000_000)
        await store.create(B, value("room"))
        assert [record.key for record in store.scan("")] == [A, B]

    async def test_a_file_that_became_read_only_refuses_writes_and_serves_reads(self, store, value):
        kept = await store.create(A, value("kept"))
        await store._writer.run(lambda file: file._connection.execute("PRAGMA query_only = ON"))
        with pytest.raises(StorageUnavailableError, match="make the file writable"):
            await store.create(B, value("x"))
        assert store.scan("") == [kept]


class TestClose:
    async def test_close_commits_what_was_accepted_and_refuses_what_comes_later(self, store, value, hold):
        with hold(store) as gate:
            accepted = asyncio.create_task(store.create(A, value("x")))
            waiting = asyncio.create_task(store.create(A, value("y")))
            await turns()
            closing = asyncio.create_task(store.close())
            await turns()
            with pytest.raises(StorageUnavailableError, match="closed"):
                await store.create(B, value("x"))
            gate.set()
            await closing
        assert accepted.result() == store.get(A)
        with pytest.raises(StorageUnavailableError, match="closed"):
            await waiting
        await store.close()

    async def test_watches_end_when_the_store_closes(self, store, value):
        async def read():
            return [event.key async for event in store.watch("", after=Revision(0))]

        reading = asyncio.create_task(read())
        await turns()
        await store.create(A, value("x"))
        await store.close()
        assert await reading == [A]
        with pytest.raises(StorageUnavailableError):
            await take(store.watch("", after=Revision(0)), 1)

    async def test_a_cancelled_close_still_closes(self, store, value, hold):
        with hold(store):
            writer = asyncio.create_task(store.create(A, value("x")))
            await turns()
            closing = asyncio.create_task(store.close())
            await turns()
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
        assert (await writer) == store.get(A)
        await store.close()
