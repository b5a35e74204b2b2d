"""What makes ResourceQuotas and LimitRanges invalid. Pure.

Go keeps amounts in maps, so Kubernetes tells several mistakes in any order; here they come in the order of names.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go and pkg/apis/core/helper/helpers.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import duplicate, forbidden, invalid_value, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import label_key_errors
from roadbed.apimachinery.quantity import Quantity, parse_quantity
from roadbed.apimachinery.request import Object

from .findings import items, part

_ONE: Final = 10**9  # nanos
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_COUNTED: Final = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_OF_QUOTAS: Final = _COUNTED | {
    *_COMPUTE,
    *(f"{prefix}.{name}" for prefix in ("requests", "limits") for name in _COMPUTE),
    "requests.storage",
}
_STANDARD: Final = _OF_QUOTAS | {"storage"}
_OF_PODS: Final = frozenset(
    ("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
)
_OF_SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "Terminating": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "NotBestEffort": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "CrossNamespacePodAffinity": _OF_PODS,
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}
_ONLY_EXISTS: Final = (
    "BestEffort",
    "NotBestEffort",
    "Terminating",
    "NotTerminating",
    "CrossNamespacePodAffinity",
)
_ONLY_EXISTS_TEXT: Final = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_CONFLICTING: Final = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_LIMITED: Final = ("Container", "PersistentVolumeClaim", "Pod")


def quota(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a ResourceQuota."""
    spec = part(obj, "spec")
    causes: list[Cause] = []
    hard = part(spec, "hard")
    for name, value in sorted(hard.items()):
        causes += _quota_name(name, f"spec.hard[{name}]") + _quota_value(name, value, f"spec.hard[{name}]")
    causes += _scopes(spec)
    if spec.get("scopeSelector") is not None:
        causes += _scope_selector(spec, "spec.scopeSelector.matchExpressions")
    if old is not None and set(spec.get("scopes") or ()) != set(part(old, "spec").get("scopes") or ()):
        causes.append(invalid_value("spec.scopes", spec.get("scopes"), "field is immutable"))
    return causes


def _resource_name(name: str, path: str) -> list[Cause]:
    errors = label_key_errors(name)
    if not errors and "/" not in name and name not in _STANDARD:
        errors = ["must be a standard resource type or fully qualified"]
    return [invalid_value(path, name, error) for error in errors]


def _quota_name(name: str, path: str) -> list[Cause]:
    causes = _resource_name(name, path)
    if "/" not in name and name not in _OF_QUOTAS:
        causes.append(invalid_value(path, name, "must be a standard resource for quota"))
    return causes


def _quota_value(name: str, value: Any, path: str) -> list[Cause]:
    amount = _amount(value)
    causes = []
    if amount.nanos < 0:
        causes.append(invalid_value(path, str(amount), "must be greater than or equal to 0"))
    if name in _COUNTED and amount.nanos % _ONE:
        causes.append(invalid_value(path, str(amount), "must be an integer"))
    return causes


def _scopes(spec: Mapping[str, Any]) -> list[Cause]:
    found = spec.get("scopes") or []
    path = "spec.scopes"
    causes = []
    for scope in found:
        if scope not in _OF_SCOPES:
            causes.append(invalid_value(path, found, "unsupported scope"))
        causes += [invalid_value(path, found, _UNFIT) for _ in _unfit(scope, part(spec, "hard"))]
    return causes + _conflicts(set(found), path, found)


_UNFIT: Final = "unsupported scope applied to resource"


def _unfit(scope: str, hard: Mapping[str, Any]) -> list[str]:
    """Give the names that a scope says nothing about."""
    known = _OF_SCOPES.get(scope)
    return (
        [] if known is None else [name for name in sorted(hard) if name in _OF_QUOTAS and name not in known]
    )


def _conflicts(found: set[str], path: str, shown: Any) -> list[Cause]:
    return [invalid_value(path, shown, "conflicting scopes") for pair in _CONFLICTING if pair <= found]


def _scope_selector(spec: Mapping[str, Any], path: str) -> list[Cause]:
    causes = []
    selector = part(spec, "scopeSelector")
    terms = selector.get("matchExpressions") or ()
    for term in terms:
        scope, operator, values = (
            term.get("scopeName", ""),
            term.get("operator", ""),
            term.get("values") or [],
        )
        if scope not in _OF_SCOPES:
            causes.append(invalid_value(f"{path}.scopeName", scope, "unsupported scope"))
        causes += [invalid_value(path, selector, _UNFIT) for _ in _unfit(scope, part(spec, "hard"))]
        if scope in _ONLY_EXISTS and operator != "Exists":
            causes.append(invalid_value(f"{path}.operator", operator, _ONLY_EXISTS_TEXT))
        causes += _operator(operator, values, path)
    return causes + _conflicts({term.get("scopeName", "") for term in terms}, path, spec.get("scopes"))


def _operator(operator: str, values: list[str], path: str) -> list[Cause]:
    if operator in ("In", "NotIn"):
        text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        return [] if values else [required(f"{path}.values", text)]
    if operator in ("Exists", "DoesNotExist"):
        text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        return [invalid_value(f"{path}.values", values, text)] if values else []
    return [invalid_value(f"{path}.operator", operator, "not a valid selector operator")]


def limit_range(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a LimitRange."""
    del old
    causes: list[Cause] = []
    seen: set[str] = set()
    for at, limit in items(part(obj, "spec"), "limits", "spec"):
        kind = str(limit.get("type") or "")
        errors = label_key_errors(kind)
        if not errors and "/" not in kind and kind not in _LIMITED:
            errors = ["must be a standard limit type or fully qualified"]
        causes += [invalid_value(f"{at}.type", kind, error) for error in errors]
        if kind in seen:
            causes.append(duplicate(f"{at}.type", kind))
        seen.add(kind)
        causes += _limit(limit, kind, at)
    return causes


def _limit(limit: Mapping[str, Any], kind: str, at: str) -> list[Cause]:
    causes: list[Cause] = []
    members = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"]
    if kind == "Pod":
        for member in ("default", "defaultRequest"):
            members.remove(member)
            if limit.get(member):
                text = "may not be specified when `type` is 'Pod'"
                causes.append(forbidden(f"{at}.{member}", text))
    told: dict[str, dict[str, Quantity]] = {}
    for member in members:
        for name, value in sorted(part(limit, member).items()):
            causes += _limited_name(name, kind, f"{at}.{member}[{name}]")
            told.setdefault(name, {})[member] = _amount(value)
    if kind == "PersistentVolumeClaim" and not {"min", "max"} & set(told.get("storage") or ()):
        text = "either minimum or maximum storage value is required, but neither was provided"
        causes.append(required(f"{at}.limits", text))
    for name, amounts in sorted(told.items()):
        causes += _out_of_order(name, amounts, at)
    return causes


def _limited_name(name: str, kind: str, path: str) -> list[Cause]:
    causes = _resource_name(name, path)
    is_known = name in _COMPUTE or name.startswith("hugepages-")
    if kind in ("Pod", "Container") and "/" not in name and not is_known:
        causes.append(invalid_value(path, name, "must be a standard resource for containers"))
    return causes


# Which amount may not be above which: each with its words, and the member that is blamed and shown.
_ORDER: Final = (
    ("min", "max", "min value", "max value", "min", "min"),
    ("min", "defaultRequest", "min value", "default request value", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "max", "default request value", "max value", "defaultRequest", "defaultRequest"),
    (
        "defaultRequest",
        "default",
        "default request value",
        "default limit value",
        "defaultRequest",
        "defaultRequest",
    ),
    ("min", "default", "min value", "default value", "default", "min"),
    ("default", "max", "default value", "max value", "default", "max"),
)


def _out_of_order(name: str, amounts: Mapping[str, Quantity], at: str) -> Iterable[Cause]:
    for low, high, low_words, high_words, blamed, shown in _ORDER:
        if low in amounts and high in amounts and amounts[low] > amounts[high]:
            text = f"{low_words} {amounts[low]} is greater than {high_words} {amounts[high]}"
            yield invalid_value(f"{at}.{blamed}[{name}]", str(amounts[shown]), text)
    ratio = amounts.get("maxLimitRequestRatio")
    if ratio is None:
        return
    path = f"{at}.maxLimitRequestRatio[{name}]"
    if ratio.nanos < _ONE:
        yield invalid_value(path, str(ratio), f"ratio {ratio} is less than 1")
    if "min" in amounts and "max" in amounts and amounts["min"].nanos:
        most = amounts["max"].nanos / amounts["min"].nanos
        if ratio.nanos / _ONE > most:
            yield invalid_value(path, str(ratio), f"ratio {ratio} is greater than max/min = {most:f}")


def _amount(value: Any) -> Quantity:
    return parse_quantity(str(value))  # the schema has seen to it that this can be read
