"""What the functions of a counted expression are made of: a run with its costs, and the ways to combine steps.

``running`` makes an expression's steps with these; a step changes nothing but the run that it is given.

Source: github.com/google/cel-go/interpreter/{interpretable,runtimecost}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import functions
from .functions import EvaluationError

Step = Callable[["Run"], Any]


class CostExceededError(Exception):
    """The evaluation costs more than the limit; how much more, nobody counted."""


@dataclass(slots=True)
class Run:
    """One evaluation: what names stand for just now, the most that it may cost, and what it has cost."""

    variables: dict[str, Any]
    limit: int
    cost: int = 0


def evaluated(parts: Sequence[Step], run: Run) -> list[Any]:
    """Evaluate all arguments, even after one that fails; then the call itself is paid for, too."""
    found: list[Any] = []
    failure: EvaluationError | None = None
    for each in parts:
        try:
            found.append(each(run))
        except EvaluationError as error:
            failure = failure or error
    if failure is not None:
        run.cost += 1
        raise failure
    return found


def alternative(one: Step, other: Step, name: str) -> Step:
    """Give ``or`` and ``orValue``, whose other side is evaluated only where it is needed."""

    def choose(run: Run) -> Any:
        found = functions.optional(one(run))
        if not found.is_present:
            return other(run)
        return found if name == "or" else found.value

    return choose


def true(found: Any) -> bool:
    """Give a condition's value, which must be a truth value."""
    if not isinstance(found, bool):
        raise EvaluationError("no such overload")
    return found


def searching(over: Step, var: str, test: Step, *, ends: bool) -> Step:
    """Run ``all`` (which ends with the first False) or ``exists`` (with the first True)."""
    each_cost = 4 if ends else 3  # the condition 2 or 3, and the accumulator's look at itself

    def search(run: Run) -> Any:
        failure: EvaluationError | None = None
        outer = run.variables.get(var)
        answer = not ends
        cost = 0
        for item in functions.items(over(run)):
            if answer is ends:
                cost = each_cost - 1  # the condition that finds it decided
                break
            run.variables[var] = item
            run.cost += each_cost
            if run.cost > run.limit:
                raise CostExceededError
            try:
                found = test(run)
            except EvaluationError as error:
                failure = error
                continue
            if found is ends:
                answer = ends
            elif not isinstance(found, bool):
                failure = EvaluationError("no such overload")
        run.variables[var] = outer
        run.cost += cost + 1
        if answer is not ends and failure is not None:
            raise failure
        return answer

    return search


def folding(over: Step, names: tuple[str, str], init: Step, step: Step, result: Step) -> Step:
    """Run any other loop as it is written."""
    var, accu = names

    def fold(run: Run) -> Any:
        outer = run.variables.get(var), run.variables.get(accu)
        items = functions.items(over(run))
        run.variables[accu] = init(run)
        for item in items:
            run.variables[var] = item
            run.variables[accu] = step(run)
            if run.cost > run.limit:
                raise CostExceededError
        found = result(run)
        run.variables[var], run.variables[accu] = outer
        return found

    return fold


def bound(name: str, init: Step, result: Step) -> Step:
    """Give a name to a value while the result is evaluated."""

    def bind(run: Run) -> Any:
        outer = run.variables.get(name)
        value: Any
        try:
            value = init(run)
        except EvaluationError as error:
            value = error  # told by who reads it
        run.variables[name] = value
        found = result(run)
        run.variables[name] = outer
        return found

    return bind


def selected(base: Step, member: str) -> Step:
    """Select a member of an attribute."""

    def select(run: Run) -> Any:
        of = base(run)
        if isinstance(of, functions.Optional):
            found = functions.maybe(of, member)
            run.cost += found.is_present
            return found
        run.cost += 1
        return functions.member(of, member)

    return select


def tested(base: Step, member: str) -> Step:
    """Say whether an attribute has a member."""

    def test(run: Run) -> Any:
        of = base(run)
        run.cost += 1
        return functions.has(of, member)

    return test
