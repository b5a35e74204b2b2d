"""Who is worked on next: classes, hands, queues, seats and turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import TooManyRequestsError
from roadbed.apimachinery.request import User
from roadbed.apiserver.flow import FlowControl, Wanted, control, objects
from roadbed.apiserver.flow.levels import Level, Limits
from roadbed.storage import open_storage

GET: Wanted = ("get", "", "configmaps", "", "default", "")
AUTHENTICATED = ("system:authenticated",)
ANN, GREEDY = User("ann", AUTHENTICATED), User("greedy", AUTHENTICATED)
PLURALS = {"PriorityLevelConfiguration": "prioritylevelconfigurations", "FlowSchema": "flowschemas"}


def key(obj: dict[str, Any]) -> str:
    return f"/flowcontrol.apiserver.k8s.io/{PLURALS[obj['kind']]}/{obj['metadata']['name']}"


@pytest.fixture
async def storage() -> AsyncIterator[Any]:
    storage = await open_storage("memory:")
    for obj in objects():
        encoded = orjson.dumps(
            {**obj, "metadata": {**obj["metadata"], "uid": f"uid-{obj['metadata']['name']}"}}
        )
        await storage.create(key(obj), lambda _, encoded=encoded: encoded)
    yield storage
    await storage.close()


async def replaced(storage: Any, obj: dict[str, Any]) -> None:
    record = storage.get(key(obj))
    await storage.update(key(obj), lambda _: orjson.dumps(obj), expected=record.revision)


def limited(name: str, **limits: Any) -> dict[str, Any]:
    (obj,) = (obj for obj in objects() if obj["kind"] != "FlowSchema" and obj["metadata"]["name"] == name)
    return {**obj, "spec": {"type": "Limited", "limited": limits}}


async def level_of(flow: FlowControl, user: User, wanted: Wanted = GET) -> str:
    ticket = await flow.enter(user, wanted)
    ticket.leave()
    return dict(ticket.headers)[b"x-kubernetes-pf-prioritylevel-uid"].decode()


@pytest.mark.parametrize(
    ("user", "wanted", "level"),
    [
        (User("root", ("system:masters", *AUTHENTICATED)), GET, "exempt"),
        (ANN, ("get", "", "", "", "", "/readyz"), "exempt"),
        (ANN, ("get", "", "", "", "", "/metrics"), "global-default"),
        (ANN, GET, "global-default"),
        (User("system:anonymous", ("system:unauthenticated",)), GET, "global-default"),
        (User("nobody"), GET, None),
        (
            User("system:serviceaccount:shop:a", ("system:serviceaccounts", *AUTHENTICATED)),
            GET,
            "workload-low",
        ),
        (
            User("system:serviceaccount:kube-system:a", ("system:serviceaccounts", *AUTHENTICATED)),
            GET,
            "workload-high",
        ),
        (
            User("system:serviceaccount:kube-system:a", ("system:serviceaccounts", *AUTHENTICATED)),
            ("update", "coordination.k8s.io", "leases", "", "kube-system", ""),
            "leader-election",
        ),
        (
            User("system:node:n", ("system:nodes", *AUTHENTICATED)),
            ("patch", "", "nodes", "status", "", ""),
            "node-high",
        ),
        (User("system:node:n", ("system:nodes", *AUTHENTICATED)), GET, "system"),
    ],
)
async def test_requests_fall_under_the_levels_of_kubernetes(
    storage: Any, user: User, wanted: Wanted, level: str | None
) -> None:
    flow = FlowControl(storage)
    if level is None:  # every user that authentication gives is in one group or the other
        with pytest.raises(LookupError):
            await level_of(flow, user, wanted)
    else:
        assert await level_of(flow, user, wanted) == f"uid-{level}"


async def test_one_polite_request_passes_a_flood_that_came_before_it(storage: Any) -> None:
    flow = FlowControl(storage, turn_s=0.0)  # one new request a turn of the loop
    order: list[str] = []

    async def ask(user: User) -> None:
        ticket = await flow.enter(user, GET)
        order.append(user.name)
        ticket.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(60):
            group.create_task(ask(GREEDY))
        group.create_task(ask(ANN))
    assert order.index("ann") <= 6  # the flood has a turn from each queue of its hand
    assert len(order) == 61


async def test_a_flood_of_one_flow_overflows_its_own_hand_only(storage: Any) -> None:
    flow = FlowControl(storage, seats=0)
    flow._compile()
    level = flow.levels["global-default"]
    waiting = [asyncio.create_task(flow.enter(GREEDY, GET)) for _ in range(6 * 50)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequestsError) as refused:
        await flow.enter(GREEDY, GET)
    assert refused.value.retry_after_s == 1
    polite = asyncio.create_task(flow.enter(ANN, GET))
    await asyncio.sleep(0)
    assert (level.waiting, level.refused) == (301, 1)
    flow.close()
    await asyncio.gather(*waiting, polite)


async def test_a_level_that_does_not_queue_refuses_what_finds_no_seat(storage: Any) -> None:
    await replaced(
        storage, limited("global-default", nominalConcurrencyShares=20, limitResponse={"type": "Reject"})
    )
    flow = FlowControl(storage, seats=10)
    held = [await flow.enter(ANN, GET)]
    with pytest.raises(TooManyRequestsError):
        for _ in range(3):
            held.append(await flow.enter(ANN, GET))  # noqa: PERF401  what came before the refusal counts
    held.pop().leave()
    held.append(await flow.enter(ANN, GET))
    for ticket in held:
        ticket.leave()


async def test_who_waits_too_long_is_sent_away(storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "WAIT_S", 0.01)
    flow = FlowControl(storage, seats=0)
    with pytest.raises(TooManyRequestsError):
        await flow.enter(ANN, GET)


async def test_who_goes_away_while_waiting_leaves_no_seat_taken(storage: Any) -> None:
    flow = FlowControl(storage, seats=1)  # one seat for each level
    first = await flow.enter(ANN, GET)
    second, third = (asyncio.create_task(flow.enter(ANN, GET)) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    first.leave()
    (await third).leave()
    assert (flow.levels["global-default"].in_work, flow.levels["global-default"].waiting) == (0, 0)


async def test_a_changed_level_holds_for_the_next_request(storage: Any) -> None:
    flow = FlowControl(storage, seats=100)
    (await flow.enter(ANN, GET)).leave()
    before = flow.levels["global-default"].seats
    queuing = {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 1}}
    await replaced(storage, limited("global-default", nominalConcurrencyShares=1000, limitResponse=queuing))
    (await flow.enter(ANN, GET)).leave()
    assert flow.levels["global-default"].seats > before


async def test_nobody_takes_the_catch_all_away(storage: Any) -> None:
    for obj in objects():
        record = storage.get(key(obj))
        await storage.delete(key(obj), lambda _, value=record.value: value, expected=record.revision)
    flow = FlowControl(storage)
    (await flow.enter(ANN, GET)).leave()
    assert set(flow.levels) == {"exempt", "catch-all"}


async def test_what_cannot_be_read_classifies_nothing(storage: Any) -> None:
    (obj,) = (
        obj for obj in objects() if obj["metadata"]["name"] == "global-default" and "rules" in obj["spec"]
    )
    await replaced(storage, {**obj, "spec": {"rules": 3}})
    assert await level_of(FlowControl(storage), ANN) == "uid-catch-all"


async def test_what_was_asked_is_remembered_within_bounds(
    storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ask for addresses of 60 KiB, and for thousands of them."""
    monkeypatch.setattr(control, "_MAX_KEPT", 20)
    flow = FlowControl(storage)
    for number in range(50):
        (await flow.enter(ANN, ("get", "", "", "", "", f"/{number}"))).leave()
        (await flow.enter(ANN, ("get", "", "", "", "", f"/{number}" + "x" * 9_000))).leave()
    assert 0 < len(flow._classes) <= control._MAX_KEPT
    assert max(len(wanted[-1]) for _, _, wanted in flow._classes) < 10


QUEUED = Limits(shares=20, queues=128, hand=6, length=50)


@given(st.text(), st.integers(1, 512), st.integers(1, 12))
def test_a_hand_holds_different_queues_and_is_always_the_same(flow: str, queues: int, hand: int) -> None:
    level = Level("l", "", replace(QUEUED, queues=queues, hand=hand), 1)
    dealt = level.hand(flow)
    assert len(set(dealt)) == len(dealt) == min(hand, queues)
    assert all(0 <= index < queues for index in dealt)
    assert level.hand(flow) == dealt


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60))
def test_flows_of_equal_cost_take_turns_however_they_came(came: list[str]) -> None:
    loop = asyncio.new_event_loop()
    level = Level("l", "", QUEUED, 1)
    place = {flow: index for index, flow in enumerate("abc")}
    for flow in came:
        index, queue = level.least((place[flow],))
        level.wait(index, queue, loop.create_future())
    left = {flow: came.count(flow) for flow in "abc"}
    served: list[str] = []
    queues = {id(level.least((place[flow],))[1]): flow for flow in "abc"}
    while (found := level.next()) is not None:
        flow = queues[id(found.queue)]
        served.append(flow)
        left[flow] -= 1
        level.leave(found.queue, 0.001)
        waiting = [each for each in "abc" if left[each]]
        counts = [served.count(each) for each in waiting]
        assert not counts or max(counts) - min(counts) <= 2
    loop.close()
    assert len(served) == len(came)
