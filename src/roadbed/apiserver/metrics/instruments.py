"""The instruments of one API server, and the document at ``/metrics``.

``ApiServer`` makes one. ``asgi`` counts requests, ``streaming`` watch events, ``store`` the times of storage (under
etcd's names: that is what alerts and dashboards look for), ``admission`` those of admitters; other rooms' instruments
are added by ``app``. All on the event loop. Labels come from what is served, never from what a client says: an
address that leads nowhere is counted under empty names.

Source: k8s.io/apiserver/pkg/endpoints/metrics, pkg/storage/etcd3/metrics, pkg/admission/metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final

from roadbed.apimachinery.instruments import Counter, Gauge, Histogram, Instrument, Labels, Read, exposition

from . import process

RequestLabels = tuple[str, str, str, str, str, str, str, str]
"""Verb, dry run, group, version, resource, subresource, scope and component of one request."""

NOWHERE: Final[RequestLabels] = ("", "", "", "", "", "", "", "")
_REQUEST: Final = ("verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component")
_SIZES: Final = tuple(10.0**power for power in range(3, 10))
_LATENCIES: Final = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3),
    *(4, 5, 6, 8, 10, 15, 20, 30, 45, 60),
)
_ADMISSION: Final = (0.005, 0.025, 0.1, 0.5, 1, 2.5)


class Metrics:
    """Everything that one server counts."""

    def __init__(self) -> None:
        self._total = Counter(
            "apiserver_request_total",
            "Requests answered, by verb, dry run, what was asked of, scope, component and status code.",
            (*_REQUEST, "code"),
        )
        self._durations = Histogram(
            "apiserver_request_duration_seconds",
            "Time from a request's head to the end of its answer; watches are not in it.",
            _REQUEST,
            _LATENCIES,
        )
        self._sizes = Histogram(
            "apiserver_response_sizes",
            "Bytes of answers before they are compressed; watches are not in it.",
            ("verb", *_REQUEST[2:]),
            _SIZES,
        )
        self._inflight = Gauge(
            "apiserver_current_inflight_requests", "Requests in work, watches not counted.", ("request_kind",)
        )
        for kind in ("mutating", "readOnly"):
            self._inflight.set(0, (kind,))
        self._longrunning = Gauge(
            "apiserver_longrunning_requests",
            "Watches that are open.",
            ("verb", *_REQUEST[2:]),
        )
        self._watch_events = Counter(
            "apiserver_watch_events_total", "Events sent to watchers.", ("group", "version", "resource")
        )
        self._deprecated = Gauge(
            "apiserver_requested_deprecated_apis",
            "Deprecated versions that were asked for since the start.",
            ("group", "version", "resource", "subresource", "removed_release"),
        )
        self._storage = Histogram(
            "etcd_request_duration_seconds",
            "Time of one request to storage, the wait for its commit included.",
            ("operation", "group", "resource"),
            _LATENCIES,
        )
        self._admission = Histogram(
            "apiserver_admission_controller_admission_duration_seconds",
            "Time of one admitter on one write.",
            ("name", "type", "operation", "rejected"),
            _ADMISSION,
        )
        self._admission_steps = Histogram(
            "apiserver_admission_step_admission_duration_seconds",
            "Time of all who may change a write, or refuse it, where there is one.",
            ("type", "operation", "rejected"),
            _ADMISSION,
        )
        self._instruments: list[Instrument] = [
            *(self._total, self._durations, self._sizes, self._inflight, self._longrunning),
            *(self._watch_events, self._deprecated, self._storage, self._admission),
            self._admission_steps,
            *process.instruments(),
        ]

    def add(self, *instruments: Instrument) -> None:
        """Print these too; the names are the caller's to keep apart."""
        self._instruments += instruments

    def add_counts(
        self, name: str, help_: str, label: str, ask: Callable[[], Mapping[Labels, float]]
    ) -> None:
        """Print a gauge with one label, asked for whenever somebody reads."""
        self.add(Read(name, help_, (label,), ask))

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Everything that is printed, in order."""
        return self._instruments

    def text(self) -> bytes:
        """Give the document; its type is ``apimachinery.instruments.MEDIA_TYPE``."""
        return exposition(self._instruments)

    def begin(self, *, is_mutating: bool) -> float:
        """Count a request in; gives the moment to hand to ``end``."""
        self._inflight.add(("mutating" if is_mutating else "readOnly",))
        return perf_counter()

    def end(
        self, labels: RequestLabels, began: float, *, code: int, size_bytes: int, is_mutating: bool
    ) -> None:
        """Count a request out."""
        self._inflight.add(("mutating" if is_mutating else "readOnly",), -1)
        self._total.add((*labels, str(code)))
        self._durations.observe(perf_counter() - began, labels)
        self._sizes.observe(size_bytes, (labels[0], *labels[2:]))

    def watch_began(self, labels: RequestLabels) -> None:
        """Count an open watch; it is in flight no longer."""
        self._inflight.add(("readOnly",), -1)
        self._longrunning.add((labels[0], *labels[2:]))

    def watch_ended(self, labels: RequestLabels, *, code: int) -> None:
        """Count it out."""
        self._longrunning.add((labels[0], *labels[2:]), -1)
        self._total.add((*labels, str(code)))

    def watch_events(self, labels: Labels, count: int) -> None:
        """Count events sent to a watcher of this group, version and resource."""
        self._watch_events.add(labels, count)

    def deprecated(self, group: str, version: str, resource: str, subresource: str = "") -> None:
        """Note that somebody asked for a deprecated version."""
        self._deprecated.set(1, (group, version, resource, subresource, ""))

    def stored(self, operation: str, group: str, resource: str, began: float) -> None:
        """Count one request to storage that began at this moment of ``perf_counter``."""
        self._storage.observe(perf_counter() - began, (operation, group, resource))

    def admitted(self, labels: tuple[str, str, str], seconds: float, *, is_rejected: bool) -> None:
        """Count one admitter (``labels``: name, ``admit`` or ``validate``, operation) on one write.

        Without a name: all of them together.
        """
        name, *rest = *labels, "true" if is_rejected else "false"
        if name:
            self._admission.observe(seconds, (name, *rest))
        else:
            self._admission_steps.observe(seconds, tuple(rest))

    def requests(self, **labels: str) -> float:
        """Give how many requests were answered that have these labels; for tests and benches."""
        wanted = [(index, labels[name]) for index, name in enumerate((*_REQUEST, "code")) if name in labels]
        return self._total.sum(lambda values: all(values[index] == value for index, value in wanted))
