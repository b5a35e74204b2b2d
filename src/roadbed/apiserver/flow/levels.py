"""Priority levels: seats for requests in work, and fair queues for those that wait.

A plain data structure without a clock or a loop; ``control`` calls it. Flows are dealt onto queues by shuffle
sharding: a greedy flow fills the few queues of its hand, and another flow has, with near certainty, one of its
own. Among queues the one whose flow has had the least time goes first (start-time fair queuing); a queue that
was idle starts at the present, so nobody saves up.

Source: k8s.io/apiserver/pkg/util/flowcontrol/fairqueuing (shuffle sharding, virtual time)
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field

from roadbed.apimachinery.request import Object

FIRST_GUESS_S = 0.000_5  # what a request costs until its queue has shown otherwise
_SMOOTH = 0.2  # how much of the newest request goes into the guess


@dataclass(slots=True, eq=False)
class Waiting:
    """One request that waits; ``turn`` is set when it may go, or gets the error that sends it away."""

    turn: asyncio.Future[None]
    queue: Queue


@dataclass(slots=True, eq=False)
class Queue:
    """The requests of some flows that wait, first come first served; ``had_s`` is the time they have had."""

    waiting: deque[Waiting] = field(default_factory=deque)
    in_work: int = 0
    had_s: float = 0.0
    guess_s: float = FIRST_GUESS_S


@dataclass(frozen=True, slots=True)
class Limits:
    """What a PriorityLevelConfiguration says. No queues means: refuse what finds no seat."""

    shares: int
    queues: int = 0
    hand: int = 0
    length: int = 0
    is_exempt: bool = False

    @classmethod
    def read(cls, obj: Object) -> Limits:
        """Read a stored PriorityLevelConfiguration.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: it is none.
        """
        spec = obj["spec"]
        if spec["type"] == "Exempt":
            return cls(int((spec.get("exempt") or {}).get("nominalConcurrencyShares") or 0), is_exempt=True)
        limited = spec.get("limited") or {}
        shares = limited.get("nominalConcurrencyShares")
        shares = 30 if shares is None else int(shares)
        response = limited.get("limitResponse") or {}
        if response.get("type") != "Queue":
            return cls(shares)
        queuing = response.get("queuing") or {}
        words = (("queues", 64), ("handSize", 8), ("queueLengthLimit", 50))
        queues, hand, length = (int(queuing.get(word) or default) for word, default in words)
        return cls(shares, queues, hand, length)


class Level:
    """One priority level."""

    def __init__(self, name: str, uid: str, limits: Limits, seats: int) -> None:
        self.name = name
        self.uid = uid
        self.limits = limits
        self.seats = seats
        self.in_work = 0
        self.waiting = 0
        self.refused = 0
        self.timed_out = 0
        self.cancelled = 0
        self.dispatched = 0
        self.had_s = 0.0  # its time per share, for choosing among levels
        self.queues = [Queue() for _ in range(max(limits.queues, 1))]
        self._busy: dict[int, Queue] = {}  # the queues in which somebody waits, by index
        self._now_s = 0.0  # the smallest time that a waiting queue has had

    def hand(self, flow: str) -> tuple[int, ...]:
        """Give the queues among which a flow's requests are spread."""
        if self.limits.queues <= 1:
            return (0,)
        value = int.from_bytes(hashlib.blake2b(flow.encode(), digest_size=16).digest())
        left = list(range(self.limits.queues))
        dealt = []
        for _ in range(min(self.limits.hand or 1, len(left))):
            value, card = divmod(value, len(left))
            dealt.append(left.pop(card))
        return tuple(dealt)

    def least(self, hand: tuple[int, ...]) -> tuple[int, Queue]:
        """Give the queue of a hand with the fewest requests."""
        found, fewest = hand[0], -1
        for index in hand:
            queue = self.queues[index]
            requests = queue.in_work + len(queue.waiting)
            if not requests:
                return index, queue
            if fewest < 0 or requests < fewest:
                found, fewest = index, requests
        return found, self.queues[found]

    def is_full(self, queue: Queue) -> bool:
        """Say whether a queue takes no more; a level without queues lets wait only what will find a seat."""
        if self.limits.queues:
            return len(queue.waiting) >= self.limits.length
        return self.in_work + self.waiting >= self.seats

    def wait(self, index: int, queue: Queue, turn: asyncio.Future[None]) -> Waiting:
        """Line a request up."""
        if not queue.waiting:
            self._busy[index] = queue
            queue.had_s = max(queue.had_s, self._now_s)
        found = Waiting(turn, queue)
        queue.waiting.append(found)
        self.waiting += 1
        return found

    def next(self) -> Waiting | None:
        """Take out the request whose turn it is and seat it, or None where nobody waits or no seat is free."""
        while self._busy and self.in_work < self.seats:
            index = min(self._busy, key=lambda each: self._busy[each].had_s)
            queue = self._busy[index]
            self._now_s = queue.had_s
            found = queue.waiting.popleft()
            self.waiting -= 1
            if not queue.waiting:
                del self._busy[index]
            if not found.turn.done():  # given up meanwhile
                self.seat(queue)
                return found
        return None

    def seat(self, queue: Queue) -> None:
        """Count a request as in work, and charge its flow with what it will probably cost."""
        self.in_work += 1
        self.dispatched += 1
        queue.in_work += 1
        queue.had_s += queue.guess_s
        self.had_s += queue.guess_s / max(self.limits.shares, 1)

    def leave(self, queue: Queue, took_s: float) -> None:
        """Count a request as done, and charge what it really cost."""
        self.in_work -= 1
        queue.in_work -= 1
        error_s = took_s - queue.guess_s
        queue.had_s += error_s
        self.had_s += error_s / max(self.limits.shares, 1)
        queue.guess_s += _SMOOTH * error_s
