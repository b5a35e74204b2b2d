"""What is wrong with the parts that webhooks and policies share: rules, selectors, conditions.

Called by ``policies.judging`` and ``webhooks.judging`` when a configuration is written. Pure.

Source: k8s.io/kubernetes/pkg/apis/admissionregistration/validation/validation.go and
k8s.io/apimachinery/pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roadbed.apimachinery.causes import duplicate, forbidden, invalid_value, not_supported, required, too_many
from roadbed.apimachinery.cel_expressions import RuleError
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    label_key_errors,
    label_value_errors,
    path_segment_errors,
    validate_labels,
)

from .expressions import compiled

MOST_CONDITIONS = 64
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")


def choice(told: Mapping[str, Any], path: str, member: str, allowed: Sequence[str]) -> list[Cause]:
    """Hold a member, where it is set, to a few values."""
    value = told.get(member)
    return [] if value is None or value in allowed else [not_supported(f"{path}.{member}", value, allowed)]


def rules(found: Iterable[Mapping[str, Any]], path: str) -> list[Cause]:
    """Judge the rules of a webhook or policy."""
    causes: list[Cause] = []
    for index, rule in enumerate(found):
        causes += _rule(rule, f"{path}[{index}]")
    return causes


def _rule(rule: Mapping[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names = rule.get("resourceNames") or ()
    for index, name in enumerate(names):
        at = f"{path}.resourceNames[{index}]"
        causes += [invalid_value(at, name, error) for error in path_segment_errors(name)]
        if name in names[:index]:
            causes.append(duplicate(at, name))
    operations = rule.get("operations") or []
    causes += _alone(operations, f"{path}.operations", "operations")
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            causes.append(not_supported(f"{path}.operations[{index}]", operation, _OPERATIONS))
    causes += _alone(rule.get("apiGroups") or [], f"{path}.apiGroups", "API groups")
    versions = rule.get("apiVersions") or []
    causes += _alone(versions, f"{path}.apiVersions", "API versions")
    causes += [required(f"{path}.apiVersions[{at}]") for at, version in enumerate(versions) if not version]
    causes += _resources(rule.get("resources") or [], f"{path}.resources")
    return causes + choice(rule, path, "scope", _SCOPES)


def _alone(values: Sequence[str], path: str, what: str) -> list[Cause]:
    if not values:
        return [required(path)]
    if len(values) > 1 and "*" in values:
        return [invalid_value(path, list(values), f"if '*' is present, must not specify other {what}")]
    return []


def _resources(resources: Sequence[str], path: str) -> list[Cause]:
    causes = [] if resources else [required(path)]
    all_of, all_with = set(), set()
    is_plain_last = False
    for index, each in enumerate(resources):
        at = f"{path}[{index}]"
        if not each:
            causes.append(required(at))
            continue
        plural, slash, subresource = each.partition("/")
        if not slash:
            is_plain_last = each != "*"
            continue
        if plural in all_of:
            causes.append(invalid_value(at, each, f"if '{plural}/*' is present, must not specify {each}"))
        if subresource in all_with:
            causes.append(
                invalid_value(at, each, f"if '*/{subresource}' is present, must not specify {each}")
            )
        if subresource == "*":
            all_of.add(plural)
        if plural == "*":
            all_with.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        causes.append(
            invalid_value(path, list(resources), "if '*/*' is present, must not specify other resources")
        )
    if "*" in resources and is_plain_last:
        text = "if '*' is present, must not specify other resources without subresources"
        causes.append(invalid_value(path, list(resources), text))
    return causes


def selector(told: Mapping[str, Any] | None, path: str) -> list[Cause]:
    """Judge a label selector."""
    if not told:
        return []
    causes = validate_labels(told.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, term in enumerate(told.get("matchExpressions") or ()):
        causes += _term(term, f"{path}.matchExpressions[{index}]")
    return causes


def _term(term: Mapping[str, Any], path: str) -> list[Cause]:
    operator, values = term.get("operator") or "", term.get("values") or ()
    causes: list[Cause] = []
    if operator in ("In", "NotIn"):
        if not values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            causes.append(required(f"{path}.values", text))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{path}.values", text))
    else:
        causes.append(invalid_value(f"{path}.operator", operator, "not a valid selector operator"))
    key = str(term.get("key") or "")
    causes += [invalid_value(f"{path}.key", key, error) for error in label_key_errors(key)]
    for index, value in enumerate(values):
        causes += [invalid_value(f"{path}.values[{index}]", value, e) for e in label_value_errors(value)]
    return causes


def conditions(found: Sequence[Mapping[str, Any]], path: str, *, has_params: bool = False) -> list[Cause]:
    """Judge ``matchConditions``."""
    causes = [] if len(found) <= MOST_CONDITIONS else [too_many(path, len(found), MOST_CONDITIONS)]
    seen: set[str] = set()
    for index, each in enumerate(found):
        at = f"{path}[{index}]"
        text, name = str(each.get("expression") or "").strip(), str(each.get("name") or "")
        causes += expression(text, f"{at}.expression", "BOOL", has_params=has_params)
        if not name:
            causes.append(required(f"{at}.name"))
            continue
        causes += [invalid_value(f"{at}.name", name, error) for error in label_key_errors(name)]
        if name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return causes


def expression(text: str, path: str, result: str, *, missing: str = "", **options: Any) -> list[Cause]:
    """Judge one expression that must be there; ``options`` are those of ``compiled``."""
    if not text.strip():
        return [required(path, missing)]
    try:
        compiled(text, result, **options)
    except RuleError as error:
        return [invalid_value(path, text, str(error))]
    return []
