"""The judge of validation rules, when the definition that holds them is written.

Called by the API server for every version of a CustomResourceDefinition, through ``cel``. Nothing is kept.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from .causes import forbidden, invalid_value
from .cel_expressions import RuleError, compile_text, uses_old, with_old
from .cel_library import environment, runtime
from .cel_types import RuleTypes
from .crdschema import check_rule
from .errors import Cause
from .nodes import Node, compile_node

_STEP: Final = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


def check_rules(openapi: Mapping[str, Any] | Node, path: str) -> list[Cause]:
    """Give the faults of all rules in a CRD's ``openAPIV3Schema`` that lives at ``path`` in the CRD.

    The schema (or its compiled root, where the caller has it) must have been found structural. Each rule
    is compiled against the types of its node, so that unknown fields and wrong operators are told here and
    not when the first object comes.
    """
    if isinstance(openapi, Node):
        root = openapi
    elif b"x-kubernetes-validations" in orjson.dumps(openapi):
        root = compile_node(openapi)
    else:
        return []
    return list(_check(root, path, is_root=True, is_correlatable=True))


def _check(node: Node, path: str, *, is_root: bool, is_correlatable: bool) -> Iterator[Cause]:
    if not node.holds_rules:
        return
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
    without_old = functools.partial(environment, {"self": kind}, types.pool)
    for index, rule in enumerate(node.rules):
        here = f"{at}[{index}]"
        faults = list(_check_members(node, rule, here))
        faults = faults or list(_check_text(rule, here, typed))
        yield from faults
        text = str(rule.get("rule") or "")
        is_transition = not faults and "oldSelf" in text and uses_old(text, without_old())
        if is_transition and not is_correlatable:
            detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {path}"
            yield invalid_value(f"{here}.rule", text, detail)
        if not faults and not is_transition and rule.get("optionalOldSelf") is not None:
            detail = "may not be set if oldSelf is not used in rule"
            yield invalid_value(f"{here}.optionalOldSelf", rule["optionalOldSelf"], detail)


def _check_text(rule: Mapping[str, Any], here: str, typed: Any) -> Iterator[Cause]:
    """Compile a rule and its message against the types of its node."""
    text, message = str(rule.get("rule") or ""), rule.get("messageExpression")
    try:
        compile_text(typed, with_old(text, bool(rule.get("optionalOldSelf"))), "BOOL")
    except RuleError as error:
        yield invalid_value(f"{here}.rule", text, str(error))
    try:
        if message:
            compile_text(typed, str(message), "STRING")
    except RuleError as error:
        yield invalid_value(f"{here}.messageExpression", message, f"messageExpression {error}")


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
