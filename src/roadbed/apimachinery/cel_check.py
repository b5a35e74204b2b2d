"""The judge of validation rules, when the definition that holds them is written.

Called by the API server for every version of a CustomResourceDefinition, through ``cel``. Each rule is compiled
against the types of its node, so that unknown fields and wrong operators are told here and not when the first
object comes; and what it can cost at most is estimated, for itself and for the whole schema. Nothing is kept.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/{validation,cel_validation}.go.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from .causes import forbidden, invalid_value
from .cel_expressions import RuleError, compile_text, refuse_faults, uses_old, with_old
from .cel_library import environment, runtime
from .cel_types import RuleTypes, escape
from .crdschema import check_rule
from .errors import Cause
from .expressions.ast import read
from .expressions.calls import MOST, times
from .expressions.costs import estimate, factor_text
from .expressions.shapes import Shape, shape_of
from .goschema import show_rule
from .nodes import Node, compile_node

MOST_RULE_COST: Final = 10_000_000  # as Kubernetes: about a second
MOST_SCHEMA_COST: Final = 100_000_000
_TOLD: Final = 4  # of the most expensive rules of a schema that costs too much
_ADVICE: Final = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
    "are declared)"
)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


def check_rules(openapi: Mapping[str, Any] | Node, path: str) -> list[Cause]:
    """Give the faults of all rules in a CRD's ``openAPIV3Schema`` that lives at ``path`` in the CRD.

    The schema (or its compiled root, where the caller has it) must have been found structural.
    """
    if isinstance(openapi, Node):
        root = openapi
    elif b"x-kubernetes-validations" in orjson.dumps(openapi):
        root = compile_node(openapi)
    else:
        return []
    judge = _Judge()
    found = list(judge.check(root, _Place(path, is_root=True)))
    return [*found, *judge.total(path)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema lies; ``count`` is how often a value of it can come at most, None for without bound."""

    path: str
    is_root: bool = False
    uncorrelated: str = ""  # the outermost schema above whose old values can't be told
    count: int | None = 1

    def below(self, step: str, parent: Node, child: Node) -> _Place:
        limit = _most_elements(parent)
        count = None if self.count is None or limit is None else times(self.count, limit)
        return replace(self, path=f"{self.path}.{step}", is_root=child.embedded_resource, count=count)


def _most_elements(node: Node) -> int | None:
    if node.type == "object" and node.additional is not None:
        return node.checks.max_properties
    return node.checks.max_items if node.type == "array" else 1


class _Judge:
    """One judgement of one schema; adds up what its rules cost."""

    def __init__(self) -> None:
        self._total = 0
        self._costs: list[tuple[int, str]] = []

    def check(self, node: Node, place: _Place) -> Iterator[Cause]:
        if not node.holds_rules:
            return
        if node.rules:
            yield from self._node(node, place)
        for name, each in node.properties.items():
            yield from self.check(each, place.below(f"properties[{name}]", node, each))
        if node.additional is not None:
            yield from self.check(node.additional, place.below("additionalProperties", node, node.additional))
        if node.items is not None:
            below = place.below("items", node, node.items)
            if node.list_type != "map" and not below.uncorrelated:
                below = replace(below, uncorrelated=place.path)
            yield from self.check(node.items, below)

    def total(self, path: str) -> Iterator[Cause]:
        """Yield what is to say of the cost of all rules together."""
        if self._total <= MOST_SCHEMA_COST:
            return
        self._costs.sort(key=lambda each: -each[0])
        detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        for _, where in self._costs[:_TOLD]:
            yield forbidden(where, detail)
        name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield forbidden(path, _beyond(name, self._total, MOST_SCHEMA_COST))

    def _node(self, node: Node, place: _Place) -> Iterator[Cause]:
        at = f"{place.path}.x-kubernetes-validations"
        shape = shape_of(node, escape, is_root=place.is_root)
        types = RuleTypes()
        kind = types.type_of(node, is_root=place.is_root)
        if kind is None or shape is None:
            yield forbidden(
                at, "rules need a schema with a type that rules can see; add type, items or properties"
            )
            return
        typed = environment({"self": kind, "oldSelf": kind, "__old": runtime().Type.DYN}, types.pool)
        without_old = functools.partial(environment, {"self": kind}, types.pool)
        for index, rule in enumerate(node.rules):
            here = f"{at}[{index}]"
            faults = list(_check_members(node, rule, here))
            faults = faults or list(self._expressions(rule, here, typed, (shape, place.count)))
            yield from faults
            text = str(rule.get("rule") or "")
            is_transition = not faults and "oldSelf" in text and uses_old(text, without_old())
            if is_transition and place.uncorrelated:
                detail = (
                    f"oldSelf cannot be used on the uncorrelatable portion of the schema within "
                    f"{place.uncorrelated}"
                )
                yield invalid_value(f"{here}.rule", text, detail)
            is_without = "oldSelf" not in text if faults else not is_transition
            if is_without and rule.get("optionalOldSelf") is not None:
                detail = "may not be set if oldSelf is not used in rule"
                yield invalid_value(f"{here}.optionalOldSelf", rule["optionalOldSelf"], detail)

    def _expressions(
        self, rule: Mapping[str, Any], here: str, typed: Any, bounds: tuple[Shape, int | None]
    ) -> Iterator[Cause]:
        """Compile a rule and its message against the types of its node, and count their costs."""
        shape, count = bounds
        text, message = str(rule.get("rule") or ""), rule.get("messageExpression")
        try:
            program = compile_text(typed, with_old(text, bool(rule.get("optionalOldSelf"))), "BOOL")
            refuse_faults(text, program)
            own = estimate(read(program.serialize()), shape)
            cost = times(own, shape.most_repeats if count is None else count)
            yield from self._observe(cost, f"{here}.rule", "estimated rule cost")
        except RuleError as error:
            yield _refused(f"{here}.rule", rule, str(error))
        try:
            if message:
                program = compile_text(typed, str(message), "STRING")
                refuse_faults(str(message), program)
                cost = estimate(read(program.serialize()), shape)
                yield from self._observe(
                    cost, f"{here}.messageExpression", "estimated messageExpression cost"
                )
        except RuleError as error:
            yield _refused(f"{here}.messageExpression", rule, f"messageExpression {error}")

    def _observe(self, cost: int, where: str, name: str) -> Iterator[Cause]:
        if cost > MOST_RULE_COST:
            yield forbidden(where, _beyond(name, cost, MOST_RULE_COST))
        self._total = min(self._total + cost, MOST)
        if cost >= MOST_SCHEMA_COST // 100:
            self._costs.append((cost, where))


def _beyond(name: str, cost: int, limit: int) -> str:
    return f"{name} exceeds budget by factor of {factor_text(cost, limit)} {_ADVICE}"


def _refused(where: str, rule: Mapping[str, Any], detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {show_rule(rule)}: {detail}", where)


def _check_members(node: Node, rule: Mapping[str, Any], here: str) -> Iterator[Cause]:
    yield from check_rule(rule, here)
    where = str(rule.get("fieldPath") or "")
    if where and not where.strip():
        yield invalid_value(f"{here}.fieldPath", where, "must be non-empty if specified")
    elif where and not field_path(where, node):
        yield invalid_value(f"{here}.fieldPath", where, "must be a valid path")


def field_path(text: str, node: Node | None) -> str:
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
