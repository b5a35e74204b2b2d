"""Priority and fairness at this moment, as the tables that kube-apiserver gives below ``/debug``.

``asgi`` serves them to who may read their paths. Nothing waits. The table of single requests is not given: nobody
here remembers what a request in work asked for.

Source: k8s.io/apiserver/pkg/util/flowcontrol/apf_controller_debug.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from .control import FlowControl
from .levels import Level

ROOT = "/debug/api_priority_and_fairness"
_LEVELS = (
    *("PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests"),
    *("DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests"),
)
_QUEUES = (
    *("PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR"),
    *("InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum"),
)
_MIN_WIDTH = 8


def dumps(flow: FlowControl) -> Mapping[str, Callable[[], bytes]]:
    """Give the tables by path, each made when it is asked for."""
    return {
        f"{ROOT}/dump_priority_levels": lambda: _table(_LEVELS, map(_level, _sorted(flow))),
        f"{ROOT}/dump_queues": lambda: _table(_QUEUES, _queues(_sorted(flow))),
    }


def _sorted(flow: FlowControl) -> list[tuple[Level, bool]]:
    """Give the levels by name, each with whether it is on its way out."""
    found = [*((level, False) for level in flow.levels.values()), *((each, True) for each in flow.draining)]
    return sorted(found, key=lambda pair: pair[0].name)


def _level(pair: tuple[Level, bool]) -> Sequence[object]:
    level, is_quiescing = pair
    active = sum(bool(queue.waiting) for queue in level.queues)
    in_work = level.in_work
    is_idle = not in_work and not level.waiting
    counts = (level.waiting, in_work, level.dispatched, level.refused, level.timed_out, level.cancelled)
    return (level.name, active, str(is_idle).lower(), str(is_quiescing).lower(), *counts)


def _queues(levels: Iterable[tuple[Level, bool]]) -> Iterable[Sequence[object]]:
    for level, _ in levels:
        for index, queue in enumerate(level.queues if level.limits.queues else ()):
            pending = len(queue.waiting)
            times = (f"{queue.had_s:.8f}ss", pending, pending, f"{pending * queue.guess_s:.8f}ss")
            yield (level.name, index, pending, queue.in_work, queue.in_work, *times)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Print rows as Go's tabwriter does: a comma after each cell but the last, columns a blank apart."""
    lines = [[*(f"{cell}," for cell in row[:-1]), str(row[-1])] for row in (head, *rows)]
    widths = [max(_MIN_WIDTH, *(len(line[at]) + 1 for line in lines)) for at in range(len(head) - 1)]
    return "".join(
        "".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)) + f"{line[-1]}\n"
        for line in lines
    ).encode()
