"""Validation rules of custom resources (``x-kubernetes-validations``), in CEL.

``check_rules`` judges the rules of a definition when it is written; ``CelRules`` is compiled once per
served version and evaluated by the API server on every create and update, after the schema has found the
object valid. Compiled rules are shared by all requests and change nothing; compiled expressions are cached
by their text. No I/O, no clock.

What rules can cost is estimated when a definition is written (``cel_check``). What they do cost is held to
Kubernetes' limits (``cel_costs``): of one evaluation and of all of one object. The runtime counts no costs, so an
object's rules run in it as long as their bounds say that no limit is near, and are counted, all of them, otherwise.
Rules over a large object are counted, too: the runtime takes longer to convert the object than to evaluate.

Sources: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .causes import ROOT, duplicate, forbidden, go_quote, invalid_value, required
from .cel_check import check_rules, field_path
from .cel_costs import (
    NATIVE_BYTES,
    PER_EXPRESSION,
    PER_OBJECT,
    CostExceededError,
    Expense,
    Extent,
    Turn,
    extent,
)
from .cel_expressions import (
    RuleError,
    compile_text,
    evaluate,
    program,
    untyped,
    untyped_without_old,
    uses_old,
    with_old,
)
from .cel_library import environment, runtime
from .cel_types import Converter, RuleTypes, converter
from .errors import Cause
from .expressions import expanded, with_list_types
from .expressions.ast import read
from .nodes import Node
from .request import Object

__all__ = ["CelRules", "Rule", "RuleError", "check_rules"]

MAX_MESSAGE_BYTES: Final = 5 * 1024

_OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


_MESSAGE_OUT_OF_BUDGET: Final = "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
_TOO_DEAR: Final = "no further validation rules will be run due to call cost exceeds limit for"


class _OutOfBudgetError(Exception):
    """Evaluation must stop; what was found so far counts."""


class _MustCountError(Exception):
    """Rules may come near a limit; they have to be run again, counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled. ``field_path`` is relative to the value, empty for the value itself."""

    text: str
    program: Any
    uses_old: bool
    wants_optional_old: bool
    message: str = ""
    message_program: Any = None
    expense: Expense | None = None
    message_expense: Expense | None = None
    reason: str = "FieldValueInvalid"
    field_path: str = ""

    @property
    def shown(self) -> str:
        """What an error calls the rule."""
        return self.message or self.text


@dataclass(slots=True)
class CelRules:
    """The rules at one schema node and below it; nodes without rules are left out."""

    node: Node
    rules: tuple[Rule, ...] = ()
    convert: Converter | None = None
    properties: dict[str, CelRules] = field(default_factory=dict)
    additional: CelRules | None = None
    items: CelRules | None = None
    all_of: tuple[CelRules, ...] = ()

    @staticmethod
    def compile(node: Node, *, is_root: bool = True) -> CelRules | None:
        """Compile all rules below a schema node; None when there are none.

        ``is_root`` says that the node is a whole object, embedded ones included.

        Raises:
            RuleError: a rule does not compile; ``check_rules`` tells which before a definition is stored.
        """
        rules = CelRules(node)
        texts = _with_list_types(node, is_root=is_root)
        trees = _Trees(node, is_root=is_root)
        rules.rules = tuple(_compile(rule, trees, text) for rule, text in zip(node.rules, texts, strict=True))
        rules.convert = converter(node) if node.rules else None
        for name, each in node.properties.items():
            found = CelRules.compile(each, is_root=each.embedded_resource)
            if found is not None:
                rules.properties[name] = found
        rules.additional = None if node.additional is None else _below(node.additional)
        rules.items = None if node.items is None else _below(node.items)
        rules.all_of = tuple(found for each in node.all_of if (found := _below(each)) is not None)
        below = rules.properties or rules.additional or rules.items or rules.all_of
        return rules if rules.rules or below else None

    def validate(
        self,
        obj: Object,
        old: Object | None = None,
        excused: list[Cause] | None = None,
        turn: Turn | None = None,
    ) -> list[Cause]:
        """Give one cause for each rule that does not hold, outermost first; empty means valid.

        ``old`` enables transition rules, and excuses rules over values that did not change; what they would
        have said is added to ``excused``.

        Raises:
            TooLongError: it takes more than ``turn`` has; nothing was added.
        """
        turn = turn or Turn()
        found = extent(obj, old)
        try:
            run = _Run(found, turn)
            run.visit(self, obj, old, "", is_unchanged=False)
        except _MustCountError:
            run = _Run(found, turn, is_counted=True)
            with contextlib.suppress(_OutOfBudgetError):  # the last cause says so
                run.visit(self, obj, old, "", is_unchanged=False)
        if excused is not None:
            excused += run.excused
        return run.causes


class _Run:
    """One validation: what was found, and how much may still be spent.

    Bounds over values of ``extent`` are spent unless costs are counted.
    """

    def __init__(self, extent: Extent, turn: Turn, *, is_counted: bool = False) -> None:
        self.causes: list[Cause] = []
        self.excused: list[Cause] = []
        self._extent = extent
        self._turn = turn
        self._is_counted = is_counted
        self._left = PER_OBJECT

    def visit(self, rules: CelRules, value: Any, old: Any, path: str, *, is_unchanged: bool) -> None:
        if value is None:
            return  # rules about null belong to what holds it
        is_unchanged = is_unchanged or (old is not None and old == value)
        if rules.rules:
            self._evaluate_all(rules, value, old, path, is_unchanged=is_unchanged)
        for each in rules.all_of:
            self.visit(each, value, old, path, is_unchanged=is_unchanged)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, each in value.items():
                found = rules.properties.get(name)
                if found is not None:
                    below = f"{path}.{name}" if path else name
                elif rules.additional is not None and name not in rules.node.properties:
                    found, below = rules.additional, f"{path}[{name}]"
                else:
                    continue
                self.visit(found, each, before.get(name), below, is_unchanged=is_unchanged)
        elif isinstance(value, list) and rules.items is not None:
            before_of = _correlated(rules.node, old)
            for index, each in enumerate(value):
                was = before_of.get(_key(rules.node, each)) if before_of else None
                self.visit(rules.items, each, was, f"{path}[{index}]", is_unchanged=is_unchanged)

    def _evaluate_all(self, rules: CelRules, value: Any, old: Any, path: str, *, is_unchanged: bool) -> None:
        here = path or ROOT
        kind = rules.node.type
        turn = rules.convert
        variables = {"self": value if turn is None else turn(value)}
        if old is not None:
            variables["oldSelf"] = old if turn is None else turn(old)
        variables["__old"] = {"self": variables["oldSelf"]} if old is not None else {}
        for rule in rules.rules:
            if rule.uses_old and old is None and not rule.wants_optional_old:
                continue
            verdict, trouble = self._evaluated(rule, variables, here, kind)
            if trouble:
                self._tell_trouble(rule, trouble, here, kind)
            elif verdict is not True:
                is_excused = is_unchanged and not rule.uses_old
                where = f"{path}.{rule.field_path}" if path and rule.field_path else rule.field_path or here
                told = self.excused if is_excused else self.causes
                told.append(_cause(rule, where, value, self._detail(rule, variables, where, kind)))

    def _evaluated(self, rule: Rule, variables: dict[str, Any], here: str, kind: str) -> tuple[Any, str]:
        try:
            return self._run(rule.program, rule.expense, variables)
        except CostExceededError as error:
            one = f"'operation cancelled: actual cost limit exceeded': {_TOO_DEAR} rule: {rule.shown}"
            self.causes.append(invalid_value(here, kind, one if error.args else _OUT_OF_BUDGET))
            raise _OutOfBudgetError from error

    def _run(self, program: Any, expense: Expense | None, variables: dict[str, Any]) -> tuple[Any, str]:
        """Evaluate within the limits.

        Raises:
            CostExceededError: with the limit, one evaluation costs too much; without, all together do.
        """
        assert expense is not None  # noqa: S101 - every rule that was compiled has one
        bound = expense.bound.of(self._extent)
        self._turn.spend(min(bound, PER_EXPRESSION))
        if not self._is_counted:
            self._left -= bound
            if bound > PER_EXPRESSION or self._left < 0:
                raise _MustCountError
            if self._extent.total > NATIVE_BYTES:
                return expense.run(variables, PER_EXPRESSION)[:2]
            value, trouble = evaluate(program, untyped().Activation(variables))
            if "budget exceeded" in trouble:
                raise _MustCountError
            return value, trouble
        try:
            value, trouble, cost = expense.run(variables, PER_EXPRESSION)
        except CostExceededError as error:
            if self._left < PER_EXPRESSION:
                raise CostExceededError from error
            raise CostExceededError(PER_EXPRESSION) from error
        self._left -= cost
        if self._left < 0:
            raise CostExceededError
        return value, trouble

    def _detail(self, rule: Rule, variables: dict[str, Any], where: str, kind: str) -> str:
        """Say why a rule failed: its message expression, where that works, its message, or its text."""
        if rule.message_expense is not None:
            try:
                text, trouble = self._run(rule.message_program, rule.message_expense, variables)
            except CostExceededError as error:
                one = f"{_TOO_DEAR} messageExpression: {go_quote(rule.message_expense.text)}"
                self.causes.append(invalid_value(where, kind, one if error.args else _MESSAGE_OUT_OF_BUDGET))
                raise _OutOfBudgetError from error
            text = text.strip() if isinstance(text, str) and not trouble else ""
            if text and "\n" not in text and len(text.encode()) <= MAX_MESSAGE_BYTES:
                return text
        return rule.message or f"failed rule: {rule.text}"

    def _tell_trouble(self, rule: Rule, trouble: str, here: str, kind: str) -> None:
        if trouble == "no such overload":
            text = (
                f"'{trouble}': call arguments did not match a supported operator, function or macro signature"
            )
            self.causes.append(invalid_value(here, kind, f"{text} for rule: {rule.shown}"))
        else:
            self.causes.append(invalid_value(here, kind, f"{trouble} evaluating rule: {rule.shown}"))


def _below(node: Node) -> CelRules | None:
    return CelRules.compile(node, is_root=node.embedded_resource)


_OPERATORS: Final = re.compile(r"==|!=|\+")


def _with_list_types(node: Node, *, is_root: bool) -> list[str]:
    """Give the texts of a node's rules, with operators on sets and keyed lists as Kubernetes has them."""
    texts = [str(rule.get("rule") or "").strip() for rule in node.rules]
    if not node.holds_marks or not any(_OPERATORS.search(text) for text in texts):
        return texts
    types = RuleTypes()
    kind = types.type_of(node, is_root=is_root)
    if kind is None:
        return texts
    typed = environment({"self": kind, "oldSelf": kind, "__old": runtime().Type.DYN}, types.pool)
    found = []
    for rule, text in zip(node.rules, texts, strict=True):
        if not _OPERATORS.search(text) or rule.get("optionalOldSelf"):
            found.append(text)
            continue
        plain = expanded(text)
        checked = read(compile_text(typed, plain, "BOOL").serialize())
        found.append(with_list_types(plain, checked, {"self": node, "oldSelf": node}))
    return found


class _Trees:
    """The checked trees of expressions over one node: with its types where it has some, asked for on first use."""

    def __init__(self, node: Node, *, is_root: bool) -> None:
        self.node = node
        self._is_root = is_root
        self._environment: Any = None

    def expense(self, text: str, kind: str) -> Expense:
        """Give what an expression costs."""
        return Expense(text, lambda: self._checked(text, kind), outline=program(text, kind).serialize)

    def _checked(self, text: str, kind: str) -> bytes:
        if self._environment is None:
            types = RuleTypes()
            own = types.type_of(self.node, is_root=self._is_root)
            names = {"self": own, "oldSelf": own, "__old": runtime().Type.DYN}
            self._environment = untyped() if own is None else environment(names, types.pool)
        try:
            found: bytes = compile_text(self._environment, text, kind).serialize()
        except RuleError:  # written by an older server; its values have types all the same
            found = program(text, kind).serialize()
        return found


def _compile(rule: Mapping[str, Any], trees: _Trees, written: str) -> Rule:
    text = str(rule.get("rule") or "").strip()
    wants_optional = bool(rule.get("optionalOldSelf"))
    expression = rule.get("messageExpression")
    whole = with_old(written, wants_optional)
    return Rule(
        text=text,
        program=program(whole, "BOOL"),
        expense=trees.expense(whole, "BOOL"),
        message_expense=trees.expense(str(expression), "STRING") if expression else None,
        uses_old="oldSelf" in text and uses_old(text, untyped_without_old()),
        wants_optional_old=wants_optional,
        message=str(rule.get("message") or "").strip(),
        message_program=program(str(expression), "STRING") if expression else None,
        reason=str(rule.get("reason") or "FieldValueInvalid"),
        field_path=field_path(str(rule.get("fieldPath") or ""), trees.node),
    )


def _cause(rule: Rule, where: str, value: Any, detail: str) -> Cause:
    if rule.reason == "FieldValueForbidden":
        return forbidden(where, detail)
    if rule.reason == "FieldValueRequired":
        return required(where, detail)
    is_container = isinstance(value, dict | list)
    if rule.reason == "FieldValueDuplicate":
        return Cause(rule.reason, "Duplicate value", where) if is_container else duplicate(where, value)
    if is_container:
        return Cause(rule.reason, f"Invalid value: {detail}", where)
    return invalid_value(where, value, detail)


def _correlated(node: Node, old: Any) -> dict[Any, Any]:
    """Give the old items of a list by their key; only lists of type map have one."""
    if node.list_type != "map" or not isinstance(old, list):
        return {}
    return {_key(node, item): item for item in old}


def _key(node: Node, item: Any) -> Any:
    if not isinstance(item, dict):
        return None
    return tuple(repr(item.get(key)) for key in node.list_keys)
