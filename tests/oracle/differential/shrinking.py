"""Makes a sequence small while it still shows the same class of difference.

First whole steps go (a half, a quarter, single ones), then members of bodies, from large to small. Each attempt is
one play on both servers, so the number of attempts is bounded; what is left then is good enough to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.contract.corpus import Case, Step

MAX_ATTEMPTS = 150
Shows = Callable[[Case], bool]


def shrunk(case: Case, shows: Shows, *, attempts: int = MAX_ATTEMPTS) -> Case:
    """Give a case not larger than this one for which ``shows`` still holds."""
    budget = [attempts]

    def holds(steps: list[Step]) -> bool:
        if budget[0] <= 0 or not steps:
            return False
        budget[0] -= 1
        return shows(replace(case, steps=tuple(steps)))

    steps = _fewer(list(case.steps), holds)
    return replace(case, steps=tuple(_smaller(steps, holds)))


def _fewer(steps: list[Step], holds: Callable[[list[Step]], bool]) -> list[Step]:
    size = max(1, len(steps) // 2)
    while True:
        start = 0
        while start < len(steps):
            attempt = steps[:start] + steps[start + size :]
            if holds(attempt):
                steps = attempt
            else:
                start += size
        if size == 1:
            return steps
        size //= 2


def _smaller(steps: list[Step], holds: Callable[[list[Step]], bool]) -> list[Step]:
    has_changed = True
    while has_changed:
        has_changed = False
        for index in range(len(steps)):
            for place in sorted(_places(steps[index].body), key=len):
                body = without(steps[index].body, place)
                if body is steps[index].body:
                    continue  # went with something larger
                attempt = [*steps[:index], replace(steps[index], body=body), *steps[index + 1 :]]
                if holds(attempt):
                    steps, has_changed = attempt, True
    return steps


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, member in members:
        yield (*place, name)
        yield from _places(member, (*place, name))


def without(value: Any, place: tuple[str | int, ...]) -> Any:
    """Give a value without what stands at a place; the same value where nothing does."""
    name, *rest = place
    try:
        member = value[name]
    except (KeyError, IndexError, TypeError):
        return value
    if rest:
        inner = without(member, tuple(rest))
        if inner is member:
            return value
        if isinstance(value, dict):
            return {**value, name: inner}
        return [*value[:name], inner, *value[name + 1 :]]
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != name}
    return [*value[:name], *value[name + 1 :]]
