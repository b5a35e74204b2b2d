"""A checked expression made into functions that evaluate it and count what that costs.

``Meter`` is made once per expression, from its checked tree, and shared: a run changes nothing but its own ``Run``.
What macros expand to is recognised and run as the loop it stands for. Selections, indexes and the choice of a
condition form one attribute, as in Kubernetes' runtime: its head costs one, each step one, and an index or a chosen
branch that is itself an attribute has no head to pay for. What ``rewriting`` put into an expression costs nothing.

Source: github.com/google/cel-go/interpreter/{planner,attributes,runtimecost}.go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roadbed.apimachinery.expressions.ast import Checked, Expr

from . import functions, steps
from .calling import SORTS, cost_of
from .functions import EvaluationError, Optional
from .steps import CostExceededError, Run, Step

__all__ = ["CostExceededError", "EvaluationError", "Meter"]

_NEW_LIST, _NEW_MAP = 10, 30
_OURS: Final = {"__keys": 0, "__zipped": 3, "__merged": 2}
_TYPES: Final = frozenset(
    (
        *("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"),
        *("google.protobuf.Duration", "google.protobuf.Timestamp"),
    )
)
_CONVERSIONS: Final = frozenset(
    ("bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint")
)


class Meter:
    """One expression. ``ask`` evaluates what has no counterpart here: a text with the values of its variables."""

    def __init__(self, checked: Checked, ask: functions.Ask) -> None:
        self._checked = checked
        self._ask = ask
        self._entry_cost = 0  # of the map that the next list is for
        self._step = self._value(checked.root)

    def run(self, variables: Mapping[str, Any], limit: int) -> tuple[Any, str, int]:
        """Give the value of the expression or what went wrong, and what that cost.

        Raises:
            CostExceededError: it costs more than ``limit``.
        """
        run = Run(dict(variables), limit)
        value, trouble = None, ""
        try:
            value = self._step(run)
        except EvaluationError as error:
            trouble = str(error)
        if run.cost > limit:
            raise CostExceededError
        return (value.given() if isinstance(value, Optional) else value), trouble, run.cost

    def _value(self, expr: Expr) -> Step:
        if self._constant(expr) is not None:
            found = self._constant(expr)
            value = found[0] if found else None
            return lambda _: value
        if expr.kind == "list":
            return self._list(expr)
        if expr.kind == "struct":
            return self._map(expr)
        if expr.kind == "loop":
            return self._loop(expr)
        attribute = self._attribute(expr)
        if attribute is None:
            return self._call(expr)
        if self._is_headless(expr):
            return attribute
        head = 0 if expr.is_test else 1

        def read(run: Run) -> Any:
            run.cost += head
            return attribute(run)

        return read

    @staticmethod
    def _is_headless(expr: Expr) -> bool:
        head = _head(expr)
        is_type = head is expr and expr.kind == "ident" and expr.name in _TYPES
        return _is_ours(head) or is_type or (head.kind == "call" and head.name == "_?_:_")

    def _constant(self, expr: Expr) -> tuple[Any] | None:
        """Give the value of what needs no evaluation: Kubernetes' runtime folds it, so that it costs nothing."""
        if expr.kind == "const":
            return (functions.constant(*expr.constant),)
        if expr.kind == "list" or (expr.kind == "struct" and not expr.name):
            parts = [self._constant(each) for each in expr.parts]
            if any(each is None for each in parts):
                return None
            values = [each[0] for each in parts if each is not None]
            if expr.kind == "list":
                return (values,)
            return (dict(zip(values[::2], values[1::2], strict=True)),)
        is_conversion = expr.kind == "call" and expr.name in _CONVERSIONS and expr.operand is None
        if is_conversion and len(expr.parts) == 1:
            given = self._constant(expr.parts[0])
            if given is not None and expr.parts[0].kind == "const":
                with contextlib.suppress(EvaluationError):  # told when it is evaluated
                    return (self._ask(f"{expr.name}(a0)", {"a0": given[0]}),)
        return None

    def _list(self, expr: Expr) -> Step:
        parts = [self._value(each) for each in expr.parts]
        optional = expr.optional

        def make(run: Run) -> Any:
            found = [each(run) for each in parts]
            run.cost += _NEW_LIST
            return functions.present(found, optional) if optional else found

        return make

    def _map(self, expr: Expr) -> Step:
        parts = [self._value(each) for each in expr.parts]
        optional = expr.optional

        def make(run: Run) -> Any:
            found = [each(run) for each in parts]
            run.cost += _NEW_MAP
            entries = dict(zip(found[::2], found[1::2], strict=True))
            return functions.present_entries(entries, optional) if optional else entries

        return make

    def _attribute(self, expr: Expr) -> Step | None:
        """Give what reads an attribute without paying for its head; None for what is none."""
        if expr.kind == "ident":
            name = expr.name

            def look_up(run: Run) -> Any:
                value = run.variables.get(name, run)
                if value is run:
                    return self._ask(name, {})
                if isinstance(value, EvaluationError):
                    raise value
                return value

            return look_up
        if expr.kind == "select" and expr.operand is not None:
            base, member = self._base(expr.operand), expr.name
            if expr.is_test:
                return steps.tested(base, member)
            return steps.selected(base, member)
        if expr.kind != "call":
            return None
        if expr.name == "_?_:_":
            return self._conditional(expr)
        if expr.name in ("_[_]", "_?._", "_[?_]"):
            return self._indexed(expr)
        return None

    def _base(self, operand: Expr) -> Step:
        """Give what an attribute's step is taken on; the head of a value that is no attribute is paid for here."""
        found = self._attribute(operand) if self._constant(operand) is None else None
        if found is not None:
            return found
        return self._value(operand)

    def _conditional(self, expr: Expr) -> Step:
        condition = self._value(expr.parts[0])
        one, other = (self._base(each) for each in expr.parts[1:])

        def choose(run: Run) -> Any:
            found = condition(run)
            if found is True:
                return one(run)
            if found is False:
                return other(run)
            raise EvaluationError("no such overload")

        return choose

    def _indexed(self, expr: Expr) -> Step:
        base, key = self._base(expr.parts[0]), self._base(expr.parts[1])
        is_optional = expr.name != "_[_]"
        cost = 0 if _is_ours(expr.parts[0]) else 1

        def take(run: Run) -> Any:
            of = base(run)
            at = key(run)
            if is_optional or isinstance(of, Optional):
                found = functions.maybe(of, at)
                run.cost += cost if found.is_present else 0
                return found
            run.cost += cost
            return functions.item(of, at)

        return take

    def _call(self, expr: Expr) -> Step:
        name = expr.name
        if name in ("_&&_", "_||_"):
            return self._logical(expr, ends=name == "_||_")
        if name in ("or", "orValue") and expr.operand is not None:
            return steps.alternative(self._value(expr.operand), self._value(expr.parts[0]), name)
        if name == "optional.ofNonZeroValue" and _is_format(expr.parts[0]):
            inner = self._value(expr.parts[0])
            return lambda run: functions.non_zero(inner(run))
        given = [each for each in (expr.operand, *expr.parts) if each is not None]
        parts = [self._value(each) for each in given]
        if name == "__number":
            return self._value(expr.parts[0])
        if name in _OURS:
            return self._made(name, given)
        overloads = self._checked.overloads.get(expr.id, ())
        is_typed = name in SORTS and self._is_typed(given[-1] if name == "__sortedBy" else given[0])
        if name in {"_in_", "@in"}:
            return self._contained(given, parts, overloads)
        cost = cost_of(name, overloads, is_sort_typed=is_typed)
        function = functions.of(name, self._ask, is_method=expr.operand is not None)

        def call(run: Run) -> Any:
            args = steps.evaluated(parts, run)
            try:
                found = function(args)
            except EvaluationError:
                run.cost += 1
                raise
            run.cost += cost(args, found)
            if run.cost > run.limit:
                raise CostExceededError
            return found

        return call

    def _made(self, name: str, given: Sequence[Expr]) -> Step:
        """Call what ``rewriting`` put there; a map that is made costs per entry, not for the lists it is made of."""
        parts = [self._value(each) for each in given[:-1]]
        self._entry_cost = _OURS[name]
        parts.append(self._value(given[-1]))
        self._entry_cost = 0
        function = functions.of(name, self._ask, is_method=False)

        def make(run: Run) -> Any:
            args = []
            for each in parts:
                before = run.cost
                args.append(each(run))
                if len(parts) > 1 and len(args) == 1:
                    run.cost = before  # the keys, which the macro looks at once
            return function(args)

        return make

    def _is_typed(self, expr: Expr) -> bool:
        kind = self._checked.type_of(expr)
        return kind.name == "list" and bool(kind.parameters) and kind.parameters[0].name not in ("dyn", "")

    def _contained(self, given: Sequence[Expr], parts: Sequence[Step], overloads: Sequence[str]) -> Step:
        folded = self._constant(given[1])
        is_set = folded is not None and overloads == ("in_list",) and functions.is_hashable(folded[0])
        cost = cost_of("@in", overloads, is_sort_typed=False)

        def contained(run: Run) -> Any:
            value, among = parts[0](run), parts[1](run)
            found = functions.contains(value, among)
            if not is_set:
                run.cost += cost((value, among), found)
            return found

        return contained

    def _logical(self, expr: Expr, *, ends: bool) -> Step:
        one, other = (self._value(each) for each in expr.parts)

        def decide(run: Run) -> Any:
            failure: EvaluationError | None = None
            for each in (one, other):
                try:
                    found = each(run)
                except EvaluationError as error:
                    failure = failure or error
                    continue
                if found is ends:
                    return found
                if not isinstance(found, bool):
                    failure = failure or EvaluationError("no such overload")
            if failure is not None:
                raise failure
            return not ends

        return decide

    def _loop(self, expr: Expr) -> Step:
        loop = expr.loop
        entry_cost, self._entry_cost = self._entry_cost, 0
        over, init, accu = self._value(loop["range"]), self._value(loop["init"]), str(loop["accu"])
        condition, result = loop["condition"], self._value(loop["result"])
        if condition.kind == "const" and not condition.constant[1]:
            return steps.bound(accu, init, result)
        var = str(loop["var"])
        if condition.kind == "call":
            ends = loop["step"].name == "_||_"
            return steps.searching(over, var, self._value(loop["step"].parts[1]), ends=ends)
        if loop["init"].kind == "list":
            is_keys = loop["range"].kind == "call" and loop["range"].name == "__keys"
            self._entry_cost = entry_cost
            return self._making(expr, over, var, is_keys=is_keys)
        return steps.folding(over, (var, accu), init, self._value(loop["step"]), result)

    def _making(self, expr: Expr, over: Step, var: str, *, is_keys: bool) -> Step:
        """Run ``map`` or ``filter``, whose lists grow in place."""
        step, test = expr.loop["step"], None
        entry_cost, self._entry_cost = self._entry_cost, 0
        if step.kind == "call" and step.name == "_?_:_":
            test, step = self._value(step.parts[0]), step.parts[1]
        made = step.parts[1].parts[0]
        each = self._value(made)
        cost, end = (2 if self._constant(step.parts[1]) is not None else 2 + _NEW_LIST), 1
        if is_keys and test is not None and made.kind == "ident" and made.name == var:
            cost, end, each = (
                0,
                0,
                self._attribute(made) or each,
            )  # a filter that ``rewriting`` made of one macro
        elif entry_cost:
            cost = entry_cost

        def make(run: Run) -> Any:
            found = []
            outer = run.variables.get(var)
            for item in functions.items(over(run)):
                run.variables[var] = item
                if test is None or steps.true(test(run)):
                    found.append(each(run))
                    run.cost += cost
                if run.cost > run.limit:
                    raise CostExceededError
            run.variables[var] = outer
            run.cost += end
            return found

        return make


def _head(expr: Expr) -> Expr:
    while True:
        if expr.kind == "select" and expr.operand is not None:
            expr = expr.operand
        elif expr.kind == "call" and expr.name in ("_[_]", "_?._", "_[?_]"):
            expr = expr.parts[0]
        else:
            return expr


def _is_ours(expr: Expr) -> bool:
    """Say whether ``rewriting`` put a name into the expression."""
    return expr.kind == "ident" and expr.name.startswith(("__range", "__old"))


def _is_format(expr: Expr) -> bool:
    return expr.kind == "call" and expr.name in ("__validate", "format.named")
