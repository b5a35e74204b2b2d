"""What makes a HorizontalPodAutoscaler invalid: its bounds, what it scales, its metrics and behaviour. Pure.

Source: k8s.io/kubernetes/pkg/apis/autoscaling/validation/validation.go.
"""

from __future__ import annotations

from typing import Any, Final

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns_label_errors, path_segment_errors
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.request import Object

from .findings import items, named, part

_TYPES: Final = ("ContainerResource", "External", "Object", "Pods", "Resource")
_MEMBERS: Final = (
    "object",
    "external",
    "pods",
    "resource",
    "containerResource",
)  # in the order they are looked at
_TARGETS: Final = ("Utilization", "Value", "AverageValue")
_MOST_WINDOW_S: Final = 3600
_MOST_PERIOD_S: Final = 1800


def autoscaler(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a HorizontalPodAutoscaler of either version."""
    del old
    spec = part(obj, "spec")
    causes: list[Cause] = []
    least, most = spec.get("minReplicas"), int(spec.get("maxReplicas") or 0)
    if isinstance(least, int) and least < 1:
        causes.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    if isinstance(least, int) and most < least:
        text = "must be greater than or equal to `minReplicas`"
        causes.append(invalid_value("spec.maxReplicas", most, text))
    causes += _reference(part(spec, "scaleTargetRef"), "spec.scaleTargetRef")
    for at, metric in items(spec, "metrics", "spec"):
        causes += _metric(metric, at)
    if least == 0 and not any(
        each.get("type") in ("Object", "External") for each in spec.get("metrics") or ()
    ):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(forbidden("spec.metrics", text))
    for member in ("scaleUp", "scaleDown"):
        if part(spec, "behavior").get(member) is not None:
            causes += _rules(spec["behavior"][member], f"spec.behavior.{member}")
    return causes


def _reference(found: dict[str, Any], path: str, *, needs_group: bool = True) -> list[Cause]:
    causes: list[Cause] = []
    for member in ("kind", "name"):
        text = str(found.get(member) or "")
        place = f"{path}.{member}"
        causes += named(text, place, path_segment_errors) if text else [required(place)]
    version = str(found.get("apiVersion") or "")
    if version.count("/") > 1:
        causes.append(
            invalid_value(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
        )
    elif needs_group and "/" not in version:
        causes.append(invalid_value(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return causes


def _metric(metric: dict[str, Any], path: str) -> list[Cause]:
    kind = str(metric.get("type") or "")
    causes = [] if kind else [required(f"{path}.type", "must specify a metric source type")]
    found = [member for member in _MEMBERS if metric.get(member) is not None]
    if found:
        causes += _source(found[0], part(metric, found[0]), f"{path}.{found[0]}")
    expected = kind[:1].lower() + kind[1:]
    if kind not in _TYPES:
        causes.append(not_supported(f"{path}.type", kind, _TYPES))
    elif expected not in found:
        text = "must populate information for the given metric source"
        causes.append(required(f"{path}.{expected}", text))
    if len(found) != 1:
        text = "must populate the given metric source only"
        causes += [forbidden(f"{path}.{member}", text) for member in found if member != expected]
    return causes


def _source(member: str, found: dict[str, Any], path: str) -> list[Cause]:
    target, at = part(found, "target"), f"{path}.target"
    causes: list[Cause] = []
    if member == "object":
        causes += _reference(part(found, "describedObject"), f"{path}.describedObject", needs_group=False)
    if member in ("resource", "containerResource"):
        causes += [] if found.get("name") else [required(f"{path}.name", "must specify a resource name")]
        causes += _container(found, path) if member == "containerResource" else []
        causes += _target(target, at)
        return [*causes, *_resource_target(target, at)]
    name = str(part(found, "metric").get("name") or "")
    place = f"{path}.metric.name"
    causes += (
        named(name, place, path_segment_errors) if name else [required(place, "must specify a metric name")]
    )
    causes += _target(target, at)
    has_value, has_average = (target.get(each) is not None for each in ("value", "averageValue"))
    missing = {
        "object": "must set either a target value or averageValue",
        "external": "must set either a target value for metric or a per-pod target",
        "pods": "must specify a positive target averageValue",
    }
    if not has_average and (member == "pods" or not has_value):
        causes.append(required(f"{at}.averageValue", missing[member]))
    if member == "external" and has_value and has_average:
        text = "may not set both a target value for metric and a per-pod target"
        causes.append(forbidden(f"{at}.value", text))
    return causes


def _container(found: dict[str, Any], path: str) -> list[Cause]:
    name, place = str(found.get("container") or ""), f"{path}.container"
    return named(name, place, dns_label_errors) if name else [required(place, "must specify a container")]


def _resource_target(target: dict[str, Any], path: str) -> list[Cause]:
    has_share, has_average = (target.get(each) is not None for each in ("averageUtilization", "averageValue"))
    if not has_share and not has_average:
        text = "must set either a target raw value or a target utilization"
        return [required(f"{path}.averageUtilization", text)]
    if has_share and has_average:
        text = "may not set both a target raw value and a target utilization"
        return [forbidden(f"{path}.averageValue", text)]
    return []


def _target(target: dict[str, Any], path: str) -> list[Cause]:
    kind = str(target.get("type") or "")
    causes = [] if kind else [required(f"{path}.type", "must specify a metric target type")]
    if kind not in _TARGETS:
        text = "must be either Utilization, Value, or AverageValue"
        causes.append(invalid_value(f"{path}.type", kind, text))
    for member in ("value", "averageValue"):
        amount = target.get(member)
        if amount is not None and parse_quantity(str(amount)).nanos <= 0:
            causes.append(invalid_value(f"{path}.{member}", amount, "must be positive"))
    share = target.get("averageUtilization")
    if isinstance(share, int) and share < 1:
        causes.append(invalid_value(f"{path}.averageUtilization", share, "must be greater than 0"))
    return causes


def _rules(rules: dict[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    window = rules.get("stabilizationWindowSeconds")
    if isinstance(window, int) and not 0 <= window <= _MOST_WINDOW_S:
        bound = "greater than or equal to zero" if window < 0 else f"less than or equal to {_MOST_WINDOW_S}"
        causes.append(invalid_value(f"{path}.stabilizationWindowSeconds", window, f"must be {bound}"))
    chosen = rules.get("selectPolicy")
    if chosen is not None and chosen not in ("Disabled", "Max", "Min"):
        causes.append(not_supported(f"{path}.selectPolicy", chosen, ("Disabled", "Max", "Min")))
    if not rules.get("policies"):
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for at, policy in items(rules, "policies", path):
        if policy.get("type") not in ("Percent", "Pods"):
            causes.append(not_supported(f"{at}.type", policy.get("type") or "", ("Percent", "Pods")))
        for member in ("value", "periodSeconds"):
            if int(policy.get(member) or 0) <= 0:
                amount = policy.get(member) or 0
                causes.append(invalid_value(f"{at}.{member}", amount, "must be greater than zero"))
        if int(policy.get("periodSeconds") or 0) > _MOST_PERIOD_S:
            text = f"must be less than or equal to {_MOST_PERIOD_S}"
            causes.append(invalid_value(f"{at}.periodSeconds", policy["periodSeconds"], text))
    tolerance = rules.get("tolerance")
    if tolerance is not None and parse_quantity(str(tolerance)).nanos < 0:
        causes.append(invalid_value(f"{path}.tolerance", tolerance, "must be greater than or equal to 0"))
    return causes
