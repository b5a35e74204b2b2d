"""One of several works at a time: who leads, what happens when it can't renew, and who is next."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from roadbed.apimachinery.errors import ServiceUnavailableError
from roadbed.apis.coordination import LEASES
from roadbed.apis.core import CONFIGMAPS
from roadbed.client import Client
from roadbed.controller import Controller, LeaderElection, Manager, Result, Seat, SystemClock, Watch
from roadbed.controller.leaderelection import Terms
from roadbed.testing import control_plane, eventually

SPEED = 10  # a lease lasts whole seconds, so the time of these tests runs faster
QUICK = Terms(duration_s=1.0, renew_s=0.6, retry_s=0.1)
SEAT = Seat("default", "engines", "")


@pytest.fixture
async def plane():
    async with control_plane(crds=()) as running:
        yield running


class FastClock(SystemClock):
    def monotonic(self):
        return super().monotonic() * SPEED

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / SPEED)


class Line:
    """A transport that can be cut, as a network can."""

    def __init__(self, transport):
        self._transport = transport
        self.is_cut = False

    async def call(self, request):
        if self.is_cut:
            raise ServiceUnavailableError("cut")
        return await self._transport.call(request)

    def __getattr__(self, name):
        return getattr(self._transport, name)


class Candidate:
    """One process that wants to lead; ``working`` counts how many lead at this moment, over all of them."""

    working = 0
    most = 0

    def __init__(self, plane, identity, terms=QUICK):
        self.line = Line(plane.client.transport)
        client = Client(self.line, field_manager=identity)
        self.election = LeaderElection(client, FastClock(), replace(SEAT, identity=identity), terms)
        self.turns = 0

    async def work(self):
        Candidate.working += 1
        Candidate.most = max(Candidate.most, Candidate.working)
        self.turns += 1
        try:
            await asyncio.Event().wait()
        finally:
            Candidate.working -= 1

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.election.run(self.work))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def leads(self):
        return self.election.is_leader and self.turns > 0


async def lease(plane):
    return (await plane.client.get(LEASES, SEAT.name, SEAT.namespace))["spec"]


async def test_one_leads_and_the_next_follows_at_once_when_it_goes(plane):
    first, second = Candidate(plane, "first"), Candidate(plane, "second", Terms(60.0, 30.0, 0.02))
    Candidate.most = 0
    async with second.running():
        await eventually(second.leads)
        async with first.running():
            await asyncio.sleep(0.1)  # a few looks
            assert not first.election.is_leader
            assert first.election.holder == "second"
    # It gave the lease back, which had a minute to go.
    assert (await lease(plane))["holderIdentity"] == ""
    async with first.running():
        await eventually(first.leads, within_s=1.5)
        now = await lease(plane)
        assert (now["holderIdentity"], now["leaseTransitions"]) == ("first", 1)
    assert Candidate.most == 1


async def test_a_lease_is_given_back_although_a_renewal_was_cut_off_in_the_middle(plane):
    first = Candidate(plane, "first")
    async with first.running():
        await eventually(first.leads)
        # As the server has it after a renewal whose answer nobody waited for.
        await plane.client.patch(LEASES, SEAT.name, {"spec": {"renewTime": None}}, namespace=SEAT.namespace)
    assert (await lease(plane))["holderIdentity"] == ""


async def test_whoever_cannot_renew_stops_before_another_may_begin(plane):
    first, second = Candidate(plane, "first"), Candidate(plane, "second")
    Candidate.most = 0
    async with first.running():
        await eventually(first.leads)
        async with second.running():
            first.line.is_cut = True
            await eventually(second.leads)
            assert not first.election.is_leader
            first.line.is_cut = False
            second.line.is_cut = True

            async def again():
                return first.election.is_leader and first.turns == 2

            await eventually(again)
    assert Candidate.most == 1


async def test_a_stolen_lease_ends_the_work_at_once(plane):
    first = Candidate(plane, "first", Terms(60.0, 30.0, 0.02))
    async with first.running():
        await eventually(first.leads)
        # Between its read and its write the leader may meet a conflict with us, and then sees who holds it.
        stolen = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 60}}
        await plane.client.patch(LEASES, SEAT.name, stolen, namespace=SEAT.namespace)

        async def stopped():
            return not first.election.is_leader and not Candidate.working

        await eventually(stopped, within_s=1.0)


async def test_of_many_that_try_at_once_one_leads(plane):
    Candidate.most = 0
    candidates = [Candidate(plane, f"c{number}") for number in range(8)]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each.election.run(each.work)) for each in candidates]

        async def someone():
            return sum(each.election.is_leader for each in candidates)

        assert await eventually(someone) == 1
        await asyncio.sleep(0.1)
        assert await someone() == 1
        for task in running:
            task.cancel()
    assert Candidate.most == 1


async def test_controllers_run_only_where_their_process_leads(plane):
    looks = {"first": [], "second": []}

    class Looking:
        def __init__(self, name):
            self.name = name

        async def reconcile(self, request):
            looks[self.name].append(request.name)
            return Result()

    async def seen(name, configmap):
        async def ask():
            return configmap in looks[name]

        await eventually(ask)

    async def make(name):
        meta = {"name": name, "namespace": "default"}
        await plane.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})

    first, second = Candidate(plane, "first"), Candidate(plane, "second")
    async with Manager(plane.client, second.election) as standby:
        await eventually(lambda: asyncio.sleep(0, second.election.is_leader))
        async with Manager(plane.client, first.election) as other:
            standby.start(Controller("looking", Looking("second"), [Watch(CONFIGMAPS)]))
            other.start(Controller("looking", Looking("first"), [Watch(CONFIGMAPS)]))
            await make("one")
            await seen("second", "one")
            assert looks["first"] == []
            second.line.is_cut = True
            await seen("first", "one")
            looks["second"].clear()
            await make("two")
            await seen("first", "two")
            assert looks["second"] == []


def test_terms_that_could_let_two_lead_are_refused():
    with pytest.raises(ValueError, match="does not hold"):
        Terms(duration_s=10.0, renew_s=10.0)
