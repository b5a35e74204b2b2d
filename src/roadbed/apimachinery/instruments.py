"""Counters, gauges and histograms, and the text in which Prometheus reads them.

Every room that counts keeps instruments of its own and hands them, as ``Instrument``, to the API server, which
prints them at ``/metrics``. They are plain numbers in plain dictionaries, for one thread (the event loop): counting
costs a lookup, everything else is left to the moment somebody reads. Label values are bounded by whoever counts:
a name that a client chooses is never one. Pure; no clock: durations are measured by the caller.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

Labels = tuple[str, ...]
"""Label values, in the order of the instrument's label names."""

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
SECONDS: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 5.0, 15.0)


class Instrument(Protocol):
    """Something that can be read: one family of samples."""

    def lines(self) -> Iterator[str]:
        """Give the family's lines, its HELP and TYPE first; none where it has no sample."""
        ...


class _Family:
    """Name, words and labels, as all kinds have them."""

    kind = "untyped"

    def __init__(self, name: str, help_: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self._help = help_.replace("\\", "\\\\").replace("\n", "\\n")
        self.labels = tuple(labels)

    def _head(self) -> list[str]:
        return [f"# HELP {self.name} {self._help}", f"# TYPE {self.name} {self.kind}"]

    def _sample(self, values: Labels, number: float, suffix: str = "", extra: str = "") -> str:
        pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(self.labels, values, strict=True)]
        if extra:
            pairs.append(extra)
        inner = f"{{{','.join(pairs)}}}" if pairs else ""
        return f"{self.name}{suffix}{inner} {_number(number)}"


class Counter(_Family):
    """Counts what only grows."""

    kind = "counter"

    def __init__(self, name: str, help_: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, help_, labels)
        self._numbers: dict[Labels, float] = {}

    def add(self, values: Labels = (), by: float = 1) -> None:
        """Count ``by`` more under these label values."""
        self._numbers[values] = self._numbers.get(values, 0) + by

    def value(self, values: Labels = ()) -> float:
        """Give the number under these label values."""
        return self._numbers.get(values, 0)

    def read(self) -> Mapping[Labels, float]:
        """Give all numbers, for another family of the same."""
        return self._numbers

    def sum(self, selects: Callable[[Labels], bool]) -> float:
        """Give the sum over the label values that ``selects`` picks."""
        return sum(number for values, number in self._numbers.items() if selects(values))

    def lines(self) -> Iterator[str]:
        """Give the family's lines."""
        if self._numbers:
            yield from self._head()
        for values, number in self._numbers.items():
            yield self._sample(values, number)


class Gauge(Counter):
    """Holds what goes up and down; ``add`` takes negative numbers too."""

    kind = "gauge"

    def set(self, number: float, values: Labels = ()) -> None:
        """Replace the number under these label values."""
        self._numbers[values] = number


class Read(_Family):
    """Gives numbers that are known elsewhere, asked for only when somebody reads: no cost until then."""

    def __init__(
        self,
        name: str,
        help_: str,
        labels: Sequence[str],
        ask: Callable[[], Mapping[Labels, float]],
        *,
        kind: str = "gauge",
    ) -> None:
        super().__init__(name, help_, labels)
        self.kind = kind
        self._ask = ask

    def lines(self) -> Iterator[str]:
        """Give the family's lines."""
        found = self._ask()
        if found:
            yield from self._head()
        for values, number in found.items():
            yield self._sample(values, number)


class Histogram(_Family):
    """Sorts observations into buckets; ``bounds`` are their upper ends, inclusive, ascending."""

    kind = "histogram"

    def __init__(
        self, name: str, help_: str, labels: Sequence[str] = (), bounds: Sequence[float] = SECONDS
    ) -> None:
        super().__init__(name, help_, labels)
        self._bounds = tuple(bounds)
        self._ends = [*(f'le="{_number(bound)}"' for bound in self._bounds), 'le="+Inf"']
        self._found: dict[Labels, tuple[list[int], list[float]]] = {}

    def observe(self, number: float, values: Labels = ()) -> None:
        """Take one observation under these label values."""
        found = self._found.get(values)
        if found is None:
            found = self._found[values] = ([0] * (len(self._bounds) + 1), [0.0])
        found[0][bisect_left(self._bounds, number)] += 1
        found[1][0] += number

    def count(self, values: Labels = ()) -> int:
        """Give how many observations there were under these label values."""
        found = self._found.get(values)
        return sum(found[0]) if found is not None else 0

    def lines(self) -> Iterator[str]:
        """Give the family's lines, buckets cumulative."""
        if self._found:
            yield from self._head()
        for values, (buckets, total) in self._found.items():
            count = 0
            for number, end in zip(buckets, self._ends, strict=True):
                count += number
                yield self._sample(values, count, "_bucket", end)
            yield self._sample(values, total[0], "_sum")
            yield self._sample(values, count, "_count")


def exposition(instruments: Iterable[Instrument]) -> bytes:
    """Give all instruments as one document of ``MEDIA_TYPE``."""
    return "".join(f"{line}\n" for each in instruments for line in each.lines()).encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(number: float) -> str:
    if isinstance(number, float) and not number.is_integer():
        return repr(number)
    return str(int(number))
