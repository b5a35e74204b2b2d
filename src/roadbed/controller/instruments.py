"""What workqueues tell about themselves, under the names of client-go.

A ``Manager`` has one ``QueueInstruments``; each queue that it starts reports through a ``Tally`` of its own name.
``app`` hands the instruments to the API server, which prints them. On the event loop only; counting costs about a
microsecond a key.

Source: k8s.io/component-base/metrics/prometheus/workqueue.
"""

from __future__ import annotations

from collections.abc import Hashable
from time import perf_counter

from roadbed.apimachinery.instruments import Counter, Gauge, Histogram, Instrument

_BOUNDS = tuple(10.0**power for power in range(-8, 2))


class QueueInstruments:
    """The families of all queues of one manager, by the controller's name."""

    def __init__(self) -> None:
        label = ("name",)
        self.adds = Counter("workqueue_adds_total", "Keys added to a workqueue.", label)
        self.depth = Gauge("workqueue_depth", "Keys that wait for a worker.", label)
        self.retries = Counter("workqueue_retries_total", "Keys added again after a failure.", label)
        self.waits = Histogram(
            "workqueue_queue_duration_seconds", "Time from a key's adding to its worker.", label, _BOUNDS
        )
        self.work = Histogram("workqueue_work_duration_seconds", "Time of work on one key.", label, _BOUNDS)

    def all(self) -> list[Instrument]:
        """Give what is to be printed."""
        return [self.adds, self.depth, self.retries, self.waits, self.work]


class Tally:
    """Counts for one queue; holds a moment for each key that waits or is worked on."""

    def __init__(self, instruments: QueueInstruments, name: str) -> None:
        self._instruments = instruments
        self._labels = (name,)
        self._added_s: dict[Hashable, float] = {}
        self._taken_s: dict[Hashable, float] = {}

    def added(self, key: Hashable) -> None:
        """A key is waiting now."""
        self._instruments.adds.add(self._labels)
        self._instruments.depth.add(self._labels)
        self._added_s[key] = perf_counter()

    def taken(self, key: Hashable) -> None:
        """A worker has it."""
        now_s = self._taken_s[key] = perf_counter()
        self._instruments.depth.add(self._labels, -1)
        self._instruments.waits.observe(now_s - self._added_s.pop(key, now_s), self._labels)

    def done(self, key: Hashable) -> None:
        """The worker gave it back."""
        now_s = perf_counter()
        self._instruments.work.observe(now_s - self._taken_s.pop(key, now_s), self._labels)

    def retried(self) -> None:
        """A key failed and will come again."""
        self._instruments.retries.add(self._labels)
