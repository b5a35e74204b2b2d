"""Validation rules of custom resources (``x-kubernetes-validations``), in CEL.

``check_rules`` judges the rules of a definition when it is written; ``CelRules`` is compiled once per
served version and evaluated by the API server on every create and update, after the schema has found the
object valid. Compiled rules are shared by all requests and change nothing; compiled expressions are cached
by their text. No I/O, no clock.

Bounds, in place of the cost estimate that Kubernetes makes: a text of at most 16 KiB, nesting of at most 32
(the parser's), 10,000 steps of comprehensions in one evaluation (the runtime's), 10,000 evaluations for
one object. Beyond the last two the object is refused, with Kubernetes' words about its cost budget.

Sources: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .causes import ROOT, duplicate, forbidden, invalid_value, not_supported, required
from .cel_library import environment, runtime
from .cel_types import Converter, RuleTypes, converter
from .errors import Cause
from .nodes import Node, compile_node
from .request import Object

MAX_RULE_CHARACTERS: Final = 16 * 1024
MAX_EVALUATIONS: Final = 10_000  # for one object; 4 µs each for a usual rule
MAX_MESSAGE_BYTES: Final = 5 * 1024

_REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


class RuleError(ValueError):
    """An expression does not compile; the text says where and why."""


class _OutOfBudgetError(Exception):
    """Evaluation must stop; what was found so far counts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled. ``field_path`` is relative to the value, empty for the value itself."""

    text: str
    program: Any
    uses_old: bool
    wants_optional_old: bool
    message: str = ""
    message_program: Any = None
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
    def compile(node: Node) -> CelRules | None:
        """Compile all rules below a schema node; None when there are none.

        Raises:
            RuleError: a rule does not compile; ``check_rules`` tells which before a definition is stored.
        """
        rules = CelRules(node)
        rules.rules = tuple(_compile(rule) for rule in node.rules)
        rules.convert = converter(node) if node.rules else None
        for name, each in node.properties.items():
            found = CelRules.compile(each)
            if found is not None:
                rules.properties[name] = found
        rules.additional = None if node.additional is None else CelRules.compile(node.additional)
        rules.items = None if node.items is None else CelRules.compile(node.items)
        rules.all_of = tuple(found for each in node.all_of if (found := CelRules.compile(each)) is not None)
        below = rules.properties or rules.additional or rules.items or rules.all_of
        return rules if rules.rules or below else None

    def validate(self, obj: Object, old: Object | None = None) -> list[Cause]:
        """Give one cause for each rule that does not hold, outermost first; empty means valid.

        ``old`` enables transition rules, and excuses rules over values that did not change.
        """
        run = _Run()
        with contextlib.suppress(_OutOfBudgetError):  # the last cause says so
            run.visit(self, obj, old, "", is_unchanged=False)
        return run.causes


class _Run:
    """One validation: what was found, and how much may still be evaluated."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self._left = MAX_EVALUATIONS

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
        activation = _environment().Activation(variables)
        for rule in rules.rules:
            if rule.uses_old and old is None and not rule.wants_optional_old:
                continue
            self._left -= 1
            if self._left < 0:
                self.causes.append(invalid_value(here, kind, _OUT_OF_BUDGET))
                raise _OutOfBudgetError
            verdict, trouble = _evaluate(rule.program, activation)
            if trouble:
                self._tell_trouble(rule, trouble, here, kind)
            elif verdict is not True and (rule.uses_old or not is_unchanged):
                where = f"{path}.{rule.field_path}" if path and rule.field_path else rule.field_path or here
                self.causes.append(_cause(rule, where, value, _detail(rule, activation)))

    def _tell_trouble(self, rule: Rule, trouble: str, here: str, kind: str) -> None:
        if "budget exceeded" in trouble:
            text = (
                "'operation cancelled: actual cost limit exceeded': no further validation rules will be run "
                f"due to call cost exceeds limit for rule: {rule.shown}"
            )
            self.causes.append(invalid_value(here, kind, text))
            raise _OutOfBudgetError
        if trouble == "no such overload":
            text = (
                f"'{trouble}': call arguments did not match a supported operator, function or macro signature"
            )
            self.causes.append(invalid_value(here, kind, f"{text} for rule: {rule.shown}"))
        else:
            self.causes.append(invalid_value(here, kind, f"{trouble} evaluating rule: {rule.shown}"))


def check_rules(openapi: Mapping[str, Any], path: str) -> list[Cause]:
    """Give the faults of all rules in a CRD's ``openAPIV3Schema`` that lives at ``path`` in the CRD.

    The schema must have been found structural. Each rule is compiled against the types of its node, so
    that unknown fields and wrong operators are told here and not when the first object comes.
    """
    return list(_check(compile_node(openapi), path, is_root=True, is_correlatable=True))


def _check(node: Node, path: str, *, is_root: bool, is_correlatable: bool) -> Iterator[Cause]:
    if node.rules:
        yield from _check_node(node, path, is_root=is_root, is_correlatable=is_correlatable)
    for name, each in node.properties.items():
        below = f"{path}.properties[{name}]"
        yield from _check(each, below, is_root=each.embedded_resource, is_correlatable=is_correlatable)
    if node.additional is not None:
        each = node.additional
        below = f"{path}.additionalProperties"
        yield from _check(each, below, is_root=each.embedded_resource, is_correlatable=is_correlatable)
    if node.items is not None:
        below_correlatable = is_correlatable and node.list_type == "map"
        below = f"{path}.items"
        yield from _check(
            node.items, below, is_root=node.items.embedded_resource, is_correlatable=below_correlatable
        )


def _check_node(node: Node, path: str, *, is_root: bool, is_correlatable: bool) -> Iterator[Cause]:
    at = f"{path}.x-kubernetes-validations"
    types = RuleTypes()
    kind = types.type_of(node, is_root=is_root)
    if kind is None:
        yield forbidden(
            at, "rules need a schema with a type that rules can see; add type, items or properties"
        )
        return
    typed = environment({"self": kind, "oldSelf": kind, "__old": runtime().Type.DYN}, types.pool)
    without_old = environment({"self": kind}, types.pool)
    for index, rule in enumerate(node.rules):
        here = f"{at}[{index}]"
        faults = list(_check_members(node, rule, here))
        yield from faults
        text = str(rule.get("rule") or "")
        if faults or not text.strip():
            continue
        try:
            _compile_text(typed, _with_old(text, bool(rule.get("optionalOldSelf"))), "BOOL")
        except RuleError as error:
            yield invalid_value(f"{here}.rule", text, str(error))
            continue
        message = rule.get("messageExpression")
        if message:
            try:
                _compile_text(typed, str(message), "STRING")
            except RuleError as error:
                yield invalid_value(f"{here}.messageExpression", message, f"messageExpression {error}")
        uses_old = _uses_old(text, without_old)
        if uses_old and not is_correlatable:
            yield invalid_value(
                f"{here}.rule",
                text,
                f"oldSelf cannot be used on the uncorrelatable portion of the schema within {path}",
            )
        if not uses_old and rule.get("optionalOldSelf") is not None:
            detail = "may not be set if oldSelf is not used in rule"
            yield invalid_value(f"{here}.optionalOldSelf", rule["optionalOldSelf"], detail)


def _check_members(node: Node, rule: Mapping[str, Any], here: str) -> Iterator[Cause]:
    text, message = str(rule.get("rule") or ""), str(rule.get("message") or "")
    if not text.strip():
        yield required(f"{here}.rule", "rule is not specified")
    elif len(text) > MAX_RULE_CHARACTERS:
        yield invalid_value(f"{here}.rule", text[:64], f"must have at most {MAX_RULE_CHARACTERS} characters")
    elif message and not message.strip():
        yield invalid_value(f"{here}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid_value(f"{here}.message", message, "must not contain line breaks")
    elif "\n" in text.strip() and not message.strip():
        yield required(f"{here}.message", "message must be specified if rule contains line breaks")
    expression = str(rule.get("messageExpression") or "")
    if expression and not expression.strip():
        yield required(f"{here}.messageExpression", "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{here}.reason", reason, _REASONS)
    where = str(rule.get("fieldPath") or "")
    if where and not where.strip():
        yield invalid_value(f"{here}.fieldPath", where, "must be non-empty if specified")
    elif where and not _field_path(where, node):
        yield invalid_value(f"{here}.fieldPath", where, "must be a valid path")


def _field_path(text: str, node: Node | None) -> str:
    """Give a rule's ``fieldPath`` as error messages have it; empty if it leads nowhere in the schema."""
    found = ""
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or node is None:
            return ""
        name = step.group(1) or re.sub(r"\\(.)", r"\1", step.group(2) or "")
        if node.properties:
            if name not in node.properties:
                return ""
            found += f".{name}" if found else name
            node = node.properties[name]
        else:
            found += f"[{name}]"
            node = node.additional
        at = step.end()
    return found if node is not None else ""


@functools.cache
def _environment() -> Any:
    """Give the environment in which rules run: types are left to the values."""
    dynamic = runtime().Type.DYN
    return environment({"self": dynamic, "oldSelf": dynamic, "__old": dynamic})


@functools.cache
def _environment_without_old() -> Any:
    return environment({"self": runtime().Type.DYN})


@functools.lru_cache(maxsize=4096)
def _program(text: str, kind: str) -> Any:
    return _compile_text(_environment(), text, kind)


def _compile_text(env: Any, text: str, kind: str) -> Any:
    """Compile an expression that must give ``kind`` (or what only the values tell)."""
    try:
        program = env.compile(text)
    except RuntimeError as error:
        detail = re.sub(r"^[A-Z_]+: | ?\[[A-Z_]+\]$", "", str(error))
        raise RuleError(f"compilation failed: {detail}") from error
    result = program.return_type().name()
    if result not in (kind, "DYN"):
        wanted = "cel expression must evaluate to a bool" if kind == "BOOL" else "must evaluate to a string"
        raise RuleError(wanted)
    return program


def _with_old(text: str, wants_optional: bool) -> str:
    """Make ``oldSelf`` an optional value for a rule that asks for it."""
    return f"cel.bind(oldSelf, __old.?self, ({text}\n))" if wants_optional else text


def _uses_old(text: str, env: Any) -> bool:
    """Say whether a rule that compiles refers to ``oldSelf``; ``env`` has no such variable."""
    if "oldSelf" not in text:
        return False
    try:
        env.compile(text)
    except RuntimeError:
        return True
    return False


def _compile(rule: Mapping[str, Any]) -> Rule:
    text = str(rule.get("rule") or "").strip()
    wants_optional = bool(rule.get("optionalOldSelf"))
    expression = rule.get("messageExpression")
    where = str(rule.get("fieldPath") or "")
    return Rule(
        text=text,
        program=_program(_with_old(text, wants_optional), "BOOL"),
        uses_old=_uses_old(text, _environment_without_old()),
        wants_optional_old=wants_optional,
        message=str(rule.get("message") or "").strip(),
        message_program=_program(str(expression), "STRING") if expression else None,
        reason=str(rule.get("reason") or "FieldValueInvalid"),
        field_path=_plain_path(where),
    )


def _plain_path(text: str) -> str:
    """Write ``.spec['a b'].c`` as ``spec[a b].c``."""
    steps = [step.group(1) or f"['{step.group(2)}']" for step in _STEP.finditer(text)]
    joined = "".join(step if step.startswith("[") else f".{step}" for step in steps)
    return re.sub(r"\['((?:[^'\\]|\\.)*)'\]", r".\1", joined).removeprefix(".")


def _evaluate(program: Any, activation: Any) -> tuple[Any, str]:
    """Give the value of an expression, or what went wrong."""
    try:
        value = program.eval(activation)
        if value.type().name() == "ERROR":
            return None, _as_go_says(str(value.value()))
        return value.value(), ""
    except RuntimeError as error:
        return None, _as_go_says(str(error))


def _as_go_says(text: str) -> str:
    text = re.sub(r"^[A-Z_]+: | ?\[[A-Z_]+\]$", "", text)
    missing = re.match(r'Key not found in map : "?(.*?)"?$', text)
    if missing:
        return f"no such key: {missing.group(1)}"
    if text.startswith("No matching overloads found"):
        return "no such overload"
    return {"divide by zero": "division by zero", "modulus by zero": "modulus by zero"}.get(text, text)


def _detail(rule: Rule, activation: Any) -> str:
    """Say why a rule failed: its message expression, where that works, its message, or its text."""
    if rule.message_program is not None:
        text, trouble = _evaluate(rule.message_program, activation)
        text = text.strip() if isinstance(text, str) and not trouble else ""
        if text and "\n" not in text and len(text.encode()) <= MAX_MESSAGE_BYTES:
            return text
    return rule.message or f"failed rule: {rule.text}"


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
