"""What priority and fairness counts, under kube-apiserver's names.

``FlowControl`` holds one and tells it of every request; ``ApiServer`` prints its instruments. Labels are the names of
FlowSchemas and levels, which only who may configure them chooses. Families of Kubernetes about lent seats, virtual
time and utilisation samples have no counterpart here: nothing is lent, and one loop works.

Source: k8s.io/apiserver/pkg/util/flowcontrol/metrics/metrics.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from roadbed.apimachinery.instruments import Counter, Gauge, Histogram, Instrument, Labels, Read

from .levels import Level

Reason = Literal["queue-full", "concurrency-limit", "time-out", "cancelled"]
_FLOW: Final = ("priority_level", "flow_schema")
_LEVEL: Final = ("priority_level",)
_SECONDS: Final = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
_LENGTHS: Final = (0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
_PREFIX: Final = "apiserver_flowcontrol_"
_READING: Final = frozenset(("get", "list", "watch"))


class Counts:
    """All instruments of one ``FlowControl``; ``levels`` gives its levels by name."""

    def __init__(self, levels: Callable[[], Mapping[str, Level]]) -> None:
        self._levels = levels
        self._dispatched = Counter(f"{_PREFIX}dispatched_requests_total", "Requests that were let in.", _FLOW)
        self._rejected = Counter(
            f"{_PREFIX}rejected_requests_total", "Requests that were sent away.", (*_FLOW, "reason")
        )
        self._in_queue = Gauge(f"{_PREFIX}current_inqueue_requests", "Requests that wait.", _FLOW)
        self._executing = Gauge(f"{_PREFIX}current_executing_requests", "Requests in work.", _FLOW)
        self._waits = Histogram(
            f"{_PREFIX}request_wait_duration_seconds",
            "Time in a queue.",
            (*_FLOW, "execute"),
            _SECONDS,
        )
        self._works = Histogram(
            f"{_PREFIX}request_execution_seconds",
            "Time from being let in to the beginning of the answer.",
            (*_FLOW, "type"),
            _SECONDS,
        )
        self._lengths = Histogram(
            f"{_PREFIX}request_queue_length_after_enqueue",
            "Requests in a queue with a new one.",
            _FLOW,
            _LENGTHS,
        )
        self._kinds = Gauge(
            "apiserver_current_inqueue_requests", "Requests that wait, by what they do.", ("request_kind",)
        )
        for kind in ("mutating", "readOnly"):
            self._kinds.set(0, (kind,))
        limits = ("nominal_limit", "lower_limit", "upper_limit", "current_limit")
        self.instruments: tuple[Instrument, ...] = (
            *(self._dispatched, self._rejected, self._in_queue, self._executing, self._waits, self._works),
            *(self._lengths, self._kinds),
            Read(f"{_PREFIX}current_executing_seats", "Seats taken.", _FLOW, self._executing.read),
            *(Read(f"{_PREFIX}{each}_seats", "Seats of a level.", _LEVEL, self._seats) for each in limits),
        )

    def began(self, flow: Labels) -> None:
        """Count a request that was let in; ``flow`` names level and schema."""
        self._dispatched.add(flow)
        self._executing.add(flow)

    def ended(self, flow: Labels, took_s: float, *, is_watch: bool) -> None:
        """Count it out."""
        self._executing.add(flow, -1)
        self._works.observe(took_s, (*flow, "watch" if is_watch else "regular"))

    def waits(self, flow: Labels, verb: str, length: int) -> None:
        """Count a request in that waits, in a queue that has ``length`` with it."""
        self._in_queue.add(flow)
        self._kinds.add((_kind(verb),))
        self._lengths.observe(length, flow)

    def waited(self, flow: Labels, verb: str, took_s: float, *, is_let_in: bool) -> None:
        """Count it out of its queue."""
        self._in_queue.add(flow, -1)
        self._kinds.add((_kind(verb),), -1)
        self._waits.observe(took_s, (*flow, "true" if is_let_in else "false"))

    def rejected(self, flow: Labels, reason: Reason) -> None:
        """Count a request that was sent away, or went."""
        self._rejected.add((*flow, reason))

    def _seats(self) -> Mapping[Labels, float]:
        # Nothing is lent, so all limits of a level are one.
        return {
            (name,): 0 if level.limits.is_exempt else level.seats for name, level in self._levels().items()
        }


def _kind(verb: str) -> str:
    return "readOnly" if verb in _READING else "mutating"
