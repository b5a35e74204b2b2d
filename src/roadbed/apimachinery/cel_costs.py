"""What expressions cost when they run, and the limits that Kubernetes sets to that.

``cel`` (rules of custom resources) and admission policies hold an ``Expense`` for each expression: it says cheaply
what the expression can cost at most, and counts where that may be too much. A ``Budget`` is what the expressions of
one object, or of one policy, may cost together.

Sources: k8s.io/apiserver/pkg/apis/cel/config.go and pkg/cel/environment/base.go.
"""

from __future__ import annotations

import datetime as dt
import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from google.protobuf import duration_pb2, timestamp_pb2

from .cel_expressions import evaluate
from .cel_library import extensions, runtime
from .expressions.ast import read
from .expressions.metering import Bound, CostExceededError, EvaluationError, Extent, Meter

PER_EXPRESSION: Final = 1_000_000
PER_OBJECT: Final = 10_000_000  # of custom resources; of the expressions of a policy through one binding
PER_CONDITIONS: Final = 2_500_000  # match conditions of one webhook or policy
INLINE: Final = 20_000  # what may be spent in one turn: some milliseconds, whatever it is spent on
EVALUATION: Final = 40  # what the evaluation of an expression takes beside its costs, in their unit
NATIVE_BYTES: Final = 32 * 1024  # values are converted for each evaluation in the runtime: 50 ns a byte

__all__ = [
    "INLINE",
    "NATIVE_BYTES",
    "PER_CONDITIONS",
    "PER_EXPRESSION",
    "PER_OBJECT",
    "CostExceededError",
    "Expense",
    "Extent",
    "TooLongError",
    "Turn",
    "extent",
    "pause_with",
]


class TooLongError(Exception):
    """A turn is over."""


class Turn:
    """How much may be spent before something else must have its turn; without a number, as much as it takes."""

    __slots__ = ("_left",)

    def __init__(self, left: int = 2**100) -> None:
        self._left = left

    def spend(self, bound: int) -> None:
        """Take note of an evaluation that is about to begin, and of what it costs at most.

        Raises:
            TooLongError: that is more than was left, or ``end`` was called.
        """
        self._left -= EVALUATION + bound
        if self._left < 0:
            raise TooLongError

    def end(self) -> None:
        """Let the next evaluation not begin."""
        self._left = -1


class Expense:
    """The costs of one expression. ``checked`` gives its serialised tree; it is asked on first use only.

    ``outline`` gives a tree without types, where there is one already: it is enough for the bound.
    """

    __slots__ = ("_bound", "_checked", "_meter", "_more", "_outline", "text")

    def __init__(
        self,
        text: str,
        checked: Callable[[], bytes],
        more: tuple[Any, ...] = (),
        outline: Callable[[], bytes] | None = None,
    ) -> None:
        self._outline = outline or checked
        self.text = text
        self._checked = checked
        self._more = more
        self._bound: Bound | None = None
        self._meter: Meter | None = None

    @property
    def bound(self) -> Bound:
        """What it costs at most."""
        if self._bound is None:
            self._bound = Bound(read(self._outline()).root, self.text)
        return self._bound

    def run(self, variables: Mapping[str, Any], limit: int) -> tuple[Any, str, int]:
        """Give the value or what went wrong, and the cost.

        Raises:
            CostExceededError: it costs more than ``limit``.
        """
        if self._meter is None:
            self._meter = Meter(read(self._checked()), functools.partial(_ask, self._more))
        return self._meter.run(variables, limit)


def extent(*values: Any) -> Extent:
    """Give how large values are, at most."""
    encoded = orjson.dumps(values, default=str, option=orjson.OPT_NON_STR_KEYS)
    # A text with an escaped quote would be taken apart where it stands.
    longest = len(encoded) if b'\\"' in encoded else max(map(len, encoded.split(b'"')))
    return Extent(encoded.count(b",") + 1, longest, len(encoded))


@functools.cache
def _environment(names: tuple[str, ...], more: tuple[Any, ...]) -> Any:
    dynamic = runtime().Type.DYN
    return runtime().NewEnv(None, variables=dict.fromkeys(names, dynamic), extensions=[*extensions(), *more])


@functools.lru_cache(maxsize=512)
def _program(text: str, names: tuple[str, ...], more: tuple[Any, ...]) -> Any:
    return _environment(names, more).compile(text)


class _Pauses(threading.local):
    """What this thread does now and then while it counts, and how many calls it was since."""

    pause: Callable[[], None] | None = None
    calls = 0


_pauses = _Pauses()
CALLS: Final = 64  # between two pauses: about two milliseconds


def pause_with(pause: Callable[[], None]) -> None:
    """Have this thread call ``pause`` every few milliseconds of a long evaluation.

    The runtime lets go of the interpreter for each call and has it back before another thread wakes up; a thread that
    waits for it is not even let in after the usual interval.
    """
    _pauses.pause = pause


def _ask(more: tuple[Any, ...], text: str, values: Mapping[str, Any]) -> Any:
    """Evaluate one call in the runtime."""
    _pauses.calls += 1
    if _pauses.calls % CALLS == 0 and _pauses.pause is not None:
        _pauses.pause()
    names = tuple(values)
    try:
        program = _program(text, names, more)
    except RuntimeError as error:
        raise EvaluationError("no such overload") from error
    value, trouble = evaluate(program, _environment(names, more).Activation(dict(values)))
    if trouble:
        raise EvaluationError(trouble)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Give what the runtime gave in the form in which it takes it."""
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dt.datetime):
        moment = timestamp_pb2.Timestamp()
        moment.FromDatetime(value)
        return moment
    if isinstance(value, dt.timedelta):
        span = duration_pb2.Duration()
        span.FromTimedelta(value)
        return span
    if isinstance(value, bytearray):
        return bytes(value)
    shown = getattr(value, "plain_value", None)
    return value if shown is None else _plain(shown())
