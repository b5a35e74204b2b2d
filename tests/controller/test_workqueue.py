"""The queue's promises: no duplicates, never two workers on one key, nothing added is lost."""

import asyncio

import pytest

from roadbed.apimachinery.instruments import exposition
from roadbed.controller.instruments import QueueInstruments, Tally
from roadbed.controller.workqueue import WorkQueue


async def test_a_key_added_twice_is_handed_out_once():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_a_key_added_while_worked_on_comes_back_after_done():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0, "never two workers on one key"
    queue.done(key)
    assert await queue.get() == "a"


async def test_a_waiting_worker_is_woken_by_an_add():
    queue: WorkQueue[str] = WorkQueue()
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await worker == "a"


async def test_a_cancelled_worker_does_not_swallow_a_wake_up():
    queue: WorkQueue[str] = WorkQueue()
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "a"


async def test_backoff_doubles_up_to_its_bound_and_forget_starts_anew():
    queue: WorkQueue[str] = WorkQueue(first_backoff_s=1.0, last_backoff_s=4.0)
    assert [queue.add_failed("a") for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]
    queue.forget("a")
    assert queue.add_failed("a") == 1.0
    queue.close()


async def test_a_delayed_key_arrives_and_the_earliest_ask_wins():
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 60.0)
    queue.add_after("a", 0.001)
    queue.add_after("a", 30.0)
    assert await asyncio.wait_for(queue.get(), 1) == "a"
    queue.done("a")
    assert not queue.is_busy


async def test_an_add_overtakes_the_delay_and_nothing_follows():
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.001)
    queue.add("a")
    queue.done(await queue.get())
    await asyncio.sleep(0.003)
    assert len(queue) == 0


async def test_idle_returns_only_when_all_work_is_done():
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    key = await queue.get()
    waiting = asyncio.create_task(queue.idle())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(key)
    await asyncio.wait_for(waiting, 1)


async def test_a_queue_tells_how_many_keys_waited_and_were_worked_on() -> None:
    instruments = QueueInstruments()
    queue: WorkQueue[str] = WorkQueue()
    queue.tally = Tally(instruments, "databases")
    name = ("databases",)
    for key in ("a", "b", "a"):
        queue.add(key)
    assert (instruments.adds.value(name), instruments.depth.value(name)) == (2, 2)
    taken = await queue.get()
    queue.add(taken)  # comes back when it is done
    queue.done(taken)
    queue.add_failed("c")
    assert (instruments.adds.value(name), instruments.depth.value(name)) == (3, 2)
    assert (instruments.waits.count(name), instruments.work.count(name)) == (1, 1)
    assert instruments.retries.value(name) == 1
    assert b'workqueue_depth{name="databases"} 2' in exposition(instruments.all())
    queue.close()
