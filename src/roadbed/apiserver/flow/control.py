"""Which request is worked on next: seats, queues, and turns of the event loop.

``asgi`` asks for every HTTP request once its user is known; requests in process are the platform's own work and are
not wanted. There are two scarce things. *Seats* are bounded as in Kubernetes: each priority level has its share of
all requests that may be in work. *The loop itself* is what a greedy client takes from everybody here, as most
requests never wait for anything: so a turn of the loop starts new requests for ``TURN_S`` only. What comes later in
it waits in its flow's queue, and the next turns start one after another the requests of whom has had the least time.
While nobody waits this is two comparisons and a look into a dictionary.

Everything runs on the event loop; turns are callbacks on it, and there is none while nobody waits. Objects are
followed through the store, so a change holds for the next request. What is in work stays counted where it began.

Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import Final

import orjson

from roadbed.apimachinery.errors import TooManyRequestsError
from roadbed.apimachinery.instruments import Labels
from roadbed.apimachinery.request import Object, User
from roadbed.apiserver.ports import Attributes
from roadbed.storage import Event, Storage

from . import defaults
from .counts import Counts
from .levels import Level, Limits, Queue
from .schemas import Schema, ordered

logger = logging.getLogger(__name__)

TURN_S = 0.002  # of new requests before the loop looks at its sockets again; less cost a flood of writes a third of its rate
WAIT_S = 15.0  # a quarter of the longest request, as Kubernetes; who waited longer is sent away
SEATS = 600  # as kube-apiserver: 400 reading and 200 writing requests in work
_MOST_IN_A_TURN = 32
_MAX_KEPT = 2_048  # classified requests; more only cost classifying again
_KEPT_CHARACTERS = (
    512  # of what a request asks for; addresses may be a hundred times longer, and who sends them is nobody
)
_GROUP: Final = "flowcontrol.apiserver.k8s.io"
_PREFIX: Final = f"/{_GROUP}/"
_SCHEMAS: Final = "flowschemas/"
_LEVELS: Final = "prioritylevelconfigurations/"

Wanted = tuple[str, str, str, str, str, str]
"""What a request asks for: verb, group, plural, subresource, namespace, or verb and at last its path."""


@dataclass(slots=True, eq=False)
class _Class:
    """What requests of one kind by one user have in common."""

    level: Level
    hand: tuple[int, ...]
    headers: tuple[tuple[bytes, bytes], ...]
    verb: str
    names: Labels  # of level and schema, as counts have them


class Ticket:
    """One request that was let in; ``leave`` gives its seat back, once."""

    __slots__ = ("_began", "_class", "_control", "_is_in", "_queue", "headers")

    def __init__(self, control: FlowControl, found: _Class, queue: Queue | None) -> None:
        self._control = control
        self._class = found
        self._queue = queue  # none for an exempt level
        self._is_in = True
        self._began = perf_counter()
        self.headers = found.headers
        control.counts.began(found.names)

    def leave(self) -> None:
        """Say that the work is done: the answer begins to go out, or a watch begins to wait."""
        if not self._is_in:
            return
        self._is_in = False
        found, took_s = self._class, perf_counter() - self._began
        self._control.counts.ended(found.names, took_s, is_watch=found.verb == "watch")
        if self._queue is None:
            found.level.in_work -= 1
        else:
            found.level.leave(self._queue, took_s)
            if found.level.waiting:
                self._control.wake()


class FlowControl:
    """Lets requests in, or lets them wait, or sends them away."""

    def __init__(self, storage: Storage, *, seats: int = SEATS, turn_s: float = TURN_S) -> None:
        self._seats = seats
        self._turn_s = turn_s
        self._objects: dict[str, Object] = {}
        for record in storage.scan(_PREFIX):
            self._learn(record.key, record.value)
        self._unsubscribe = storage.subscribe(self._observe)
        self._schemas: list[Schema] = []
        self.levels: dict[str, Level] = {}
        self.counts = Counts(lambda: self.levels)
        self._classes: dict[tuple[str, tuple[str, ...], Wanted], _Class] = {}
        self._is_stale = True
        self._began = 0.0  # when this turn of the loop began to start requests; 0 before its first
        self._is_turning = False
        self._waiting = 0
        self._some = 1  # how many that waited start in a turn
        self.draining: list[Level] = []  # replaced by another configuration, with requests still waiting

    def close(self) -> None:
        """Stop following the store, and let everybody in who waits."""
        self._unsubscribe()
        for level in (*self.levels.values(), *self.draining):
            level.seats = level.in_work + level.waiting
        self._dispatch(self._waiting)

    async def enter(self, user: User, wanted: Wanted) -> Ticket:
        """Give the ticket of a request that may go, now or when its turn has come.

        Raises:
            TooManyRequestsError: its level has neither seat nor place in a queue, or it waited too long.
        """
        if self._is_stale:
            self._compile()
        found = self._classes.get((user.name, user.groups, wanted)) or self._classify(user, wanted)
        level = found.level
        if level.limits.is_exempt:
            level.dispatched += 1
            level.in_work += 1
            return Ticket(self, found, None)
        index, queue = level.least(found.hand)
        if not self._waiting and level.in_work < level.seats and self._has_time():
            level.seat(queue)
        else:
            await self._wait(found, index, queue)
        return Ticket(self, found, queue)

    def wake(self) -> None:
        """Look in the next turn of the loop who may go."""
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _has_time(self) -> bool:
        """Say whether this turn of the loop may start one more request."""
        now = perf_counter()
        if self._began == 0.0:
            self._began = now
            self.wake()
            return True
        return now - self._began < self._turn_s

    async def _wait(self, found: _Class, index: int, queue: Queue) -> None:
        level, counts = found.level, self.counts
        if level.is_full(queue):
            level.refused += 1
            counts.rejected(found.names, "queue-full" if level.limits.queues else "concurrency-limit")
            raise _too_many()
        loop = asyncio.get_running_loop()
        waiting = level.wait(index, queue, loop.create_future())
        self._waiting += 1
        self.wake()
        limit = loop.call_later(WAIT_S, _give_up, waiting.turn)
        counts.waits(found.names, found.verb, len(queue.waiting))
        began, is_let_in = perf_counter(), False
        try:
            await waiting.turn
            is_let_in = True
        except TooManyRequestsError:
            level.timed_out += 1
            counts.rejected(found.names, "time-out")
            raise
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():
                level.leave(queue, 0.0)  # seated, and gone before it sat down
            level.cancelled += 1
            counts.rejected(found.names, "cancelled")
            raise
        finally:
            limit.cancel()
            counts.waited(found.names, found.verb, perf_counter() - began, is_let_in=is_let_in)

    def _turn(self) -> None:
        """Begin a turn of the loop: start some of those who wait, and come again while there are any."""
        self._is_turning = False
        now = perf_counter()
        if self._began and self._waiting:
            # As many as fit into a turn, by how long the last one took with as many.
            took_s = now - self._began
            self._some = min(max(int(self._some * self._turn_s / max(took_s, 1e-6)), 1), _MOST_IN_A_TURN)
        # Where all who wait lack a seat, whoever leaves one looks again.
        is_going_on = self._waiting > 0 and self._dispatch(self._some) > 0
        self._began = now if is_going_on else 0.0
        if is_going_on:
            self.wake()

    def _dispatch(self, most: int) -> int:
        """Start up to ``most`` of those who wait, levels taking turns by their shares; says how many."""
        started = 0
        levels = [level for level in (*self.levels.values(), *self.draining) if level.waiting]
        least_s = min((level.had_s for level in levels), default=0.0)
        for level in levels:
            # A level that was idle starts at the present.
            level.had_s = max(level.had_s, least_s)
        while levels and started < most:
            level = min(levels, key=lambda each: each.had_s)
            before = level.waiting
            found = level.next()
            self._waiting -= before - level.waiting
            if found is None:
                levels.remove(level)
                continue
            found.turn.set_result(None)
            started += 1
        return started

    def _classify(self, user: User, wanted: Wanted) -> _Class:
        verb, group, plural, subresource, namespace, path = wanted
        attributes = Attributes(verb, group, plural, subresource, namespace, "", path)
        for schema in self._schemas:
            level = self.levels.get(schema.level)
            if level is not None and schema.matches(user, attributes):
                break
        else:  # nobody can take the catch-all away: it is always compiled in
            raise LookupError("no FlowSchema matches; the built-in catch-all is missing")
        headers = (
            (b"x-kubernetes-pf-flowschema-uid", schema.uid.encode()),
            (b"x-kubernetes-pf-prioritylevel-uid", level.uid.encode()),
        )
        hand = level.hand(f"{schema.name}\0{schema.flow(user, attributes)}")
        found = _Class(level, hand, headers, verb, (level.name, schema.name))
        if sum(map(len, wanted)) <= _KEPT_CHARACTERS:
            if len(self._classes) >= _MAX_KEPT:
                self._classes.clear()
            self._classes[user.name, user.groups, wanted] = found
        return found

    def _compile(self) -> None:
        self._is_stale = False
        self._classes.clear()
        stored = {**defaults.mandatory(), **self._objects}
        limits = {
            key.removeprefix(_LEVELS): (obj, Limits.read(obj))
            for key, obj in stored.items()
            if key.startswith(_LEVELS)
        }
        total = sum(each.shares for _, each in limits.values() if not each.is_exempt) or 1
        old, self.levels = self.levels, {}
        for name, (obj, each) in limits.items():
            seats, uid = ceil(self._seats * each.shares / total), obj["metadata"].get("uid") or ""
            kept = old.pop(name, None)
            if kept is None or kept.limits != each or kept.uid != uid:
                if kept is not None:
                    self.draining.append(kept)
                kept = Level(name, uid, each, seats)
            kept.seats = seats
            self.levels[name] = kept
        self.draining = [level for level in (*self.draining, *old.values()) if level.waiting]
        self._schemas = ordered(Schema.read(obj) for key, obj in stored.items() if key.startswith(_SCHEMAS))

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.key.startswith(_PREFIX):
                self._learn(event.key, b"" if event.is_delete else event.value)

    def _learn(self, key: str, value: bytes) -> None:
        """Take over one object, or its absence, and forget what was classified."""
        tail = key.removeprefix(_PREFIX)
        self._is_stale = True
        self._objects.pop(tail, None)
        if not value:
            return
        try:
            obj: Object = orjson.loads(value)
            if tail.startswith(_SCHEMAS):
                Schema.read(obj)
            else:
                Limits.read(obj)
        except (KeyError, TypeError, AttributeError, ValueError):
            # A store outlives its writers: what can't be read classifies nothing.
            logger.exception("cannot read an object of priority and fairness", extra={"key": key})
            return
        self._objects[tail] = obj


def _give_up(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(_too_many())


def _too_many() -> TooManyRequestsError:
    return TooManyRequestsError("Too many requests, please try again later.", retry_after_s=1)
