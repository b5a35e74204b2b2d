"""One stored autoscaler, two versions: ``autoscaling/v2`` as stored, ``v1`` with annotations for what v1 can't say.

Pure; called on every read and write of the v1 resource.

Source: k8s.io/kubernetes/pkg/apis/autoscaling/v1/conversion.go.
"""

from __future__ import annotations

from typing import Any

import orjson

from roadbed.apimachinery.request import Object

from .defaults import RULES

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
_CONDITIONS, _BEHAVIOR = f"{_PREFIX}conditions", f"{_PREFIX}behavior"
_RULES = (("ScaleUp", "scaleUp"), ("ScaleDown", "scaleDown"))
_RULE_MEMBERS = (
    ("StabilizationWindowSeconds", "stabilizationWindowSeconds"),
    ("SelectPolicy", "selectPolicy"),
    ("Policies", "policies"),
    ("Tolerance", "tolerance"),
)
_POLICY_MEMBERS = (("Type", "type"), ("Value", "value"), ("PeriodSeconds", "periodSeconds"))


def to_storage(obj: Object) -> Object:
    """Give the v2 form of an autoscaler of either version."""
    if obj.get("apiVersion") != "autoscaling/v1":
        return obj
    metadata = dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metrics = _read(annotations.pop(_METRICS, ""))
    current = _read(annotations.pop(_CURRENT, ""))
    conditions = _read(annotations.pop(_CONDITIONS, ""))
    behavior = _read(annotations.pop(_BEHAVIOR, ""))
    target, measured = (
        spec.pop("targetCPUUtilizationPercentage", None),
        status.pop("currentCPUUtilizationPercentage", None),
    )
    found = [_metric(each, "target") for each in metrics if isinstance(each, dict)]
    if target is not None:
        found.insert(0, _cpu("target", {"type": "Utilization", "averageUtilization": target}))
    if found:
        spec["metrics"] = found
    if isinstance(behavior, dict):
        spec["behavior"] = _behavior(behavior)
    statuses = [_metric(each, "current") for each in current if isinstance(each, dict)]
    if measured is not None:
        statuses.insert(0, _cpu("current", {"averageUtilization": measured}))
    status["currentMetrics"] = statuses or None
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    if conditions:
        status["conditions"] = conditions
    _annotate(metadata, annotations)
    new = {**obj, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec, "status": status}
    RULES["autoscaling.v2.HorizontalPodAutoscaler"](new)
    return new


def from_storage(obj: Object) -> Object:
    """Give the v1 form of a v2 autoscaler."""
    metadata = dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    others = []
    for each in spec.pop("metrics", None) or ():
        resource = each.get("resource") or {}
        usage = (resource.get("target") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and usage is not None:
            spec["targetCPUUtilizationPercentage"] = usage
        else:
            others.append(_old_metric(each, "target"))
    if others:
        annotations[_METRICS] = compact(others)
    measured = []
    for each in status.pop("currentMetrics", None) or ():
        resource = each.get("resource") or {}
        usage = (resource.get("current") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and usage is not None:
            status["currentCPUUtilizationPercentage"] = usage
        measured.append(_old_metric(each, "current"))
    if measured:
        annotations[_CURRENT] = compact(measured)
    conditions = status.pop("conditions", None)
    if conditions:
        annotations[_CONDITIONS] = compact(conditions)
    behavior = spec.pop("behavior", None)
    if behavior is not None:
        annotations[_BEHAVIOR] = compact(_old_behavior(behavior))
    _annotate(metadata, annotations)
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    return {**obj, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def compact(value: Any) -> str:
    """Encode in the order of the members, as Go encodes structs."""
    return orjson.dumps(value).decode()


def _annotate(metadata: dict[str, Any], annotations: dict[str, str]) -> None:
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)


def _read(text: str) -> Any:
    try:
        return orjson.loads(text) if text else ()
    except ValueError:
        return ()  # as Kubernetes: an annotation that can't be read says nothing


def _cpu(member: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", member: value}}


def _values(found: dict[str, Any], member: str) -> dict[str, Any]:
    """Give a v2 target or current value of a v1 metric's flat members."""
    value: dict[str, Any] = {}
    flat = {
        "averageUtilization": found.get(f"{member}AverageUtilization"),
        "averageValue": found.get(f"{member}AverageValue", found.get("averageValue")),
        "value": found.get(f"{member}Value"),
    }
    value.update({name: each for name, each in flat.items() if each is not None})
    if member == "target":
        kinds = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}
        value["type"] = next((kinds[name] for name in kinds if name in value), "Value")
    return value


def _metric(old: dict[str, Any], member: str) -> dict[str, Any]:
    name = {"ContainerResource": "containerResource"}.get(str(old.get("type")), str(old.get("type")).lower())
    found = old.get(name) or {}
    new: dict[str, Any] = {member: _values(found, member)}
    if name in ("resource", "containerResource"):
        new["name"] = found.get("name", "")
        if name == "containerResource":
            new["container"] = found.get("container", "")
    else:
        new["metric"] = {"name": found.get("metricName", "")}
        chosen = found.get("selector", found.get("metricSelector"))
        if chosen is not None:
            new["metric"]["selector"] = chosen
        if name == "object":
            new["describedObject"] = found.get("target", {})
    return {"type": old.get("type"), name: new}


def _old_metric(new: dict[str, Any], member: str) -> dict[str, Any]:
    name = {"ContainerResource": "containerResource"}.get(str(new.get("type")), str(new.get("type")).lower())
    found = new.get(name) or {}
    value = found.get(member) or {}
    flat = {
        f"{member}AverageUtilization": value.get("averageUtilization"),
        f"{member}AverageValue": value.get("averageValue"),
        f"{member}Value": value.get("value"),
    }
    if name in ("resource", "containerResource"):
        old: dict[str, Any] = {"name": found.get("name", "")}
        del flat[f"{member}Value"]
        if name == "containerResource":
            flat["container"] = found.get("container", "")
    else:
        metric = found.get("metric") or {}
        old = {"target": found.get("describedObject", {})} if name == "object" else {}
        old["metricName"] = metric.get("name", "")
        flat["metricSelector" if name == "external" else "selector"] = metric.get("selector")
        if name == "object":
            flat["averageValue"] = flat.pop(f"{member}AverageValue")
    old.update({key: each for key, each in flat.items() if each is not None})
    return {"type": new.get("type"), name: old}


def _behavior(old: dict[str, Any]) -> dict[str, Any]:
    new: dict[str, Any] = {}
    for theirs, ours in _RULES:
        rules = old.get(theirs)
        if not isinstance(rules, dict):
            continue
        found = {our: rules[their] for their, our in _RULE_MEMBERS if rules.get(their) is not None}
        if "policies" in found:
            found["policies"] = [
                {our: each[their] for their, our in _POLICY_MEMBERS if their in each}
                for each in found["policies"]
            ]
        new[ours] = found
    return new


def _old_behavior(new: dict[str, Any]) -> dict[str, Any]:
    old: dict[str, Any] = {}
    for theirs, ours in _RULES:
        rules = new.get(ours)
        if rules is None:
            old[theirs] = None
            continue
        found: dict[str, Any] = {their: rules.get(our) for their, our in _RULE_MEMBERS}
        if found["Policies"] is not None:
            found["Policies"] = [
                {their: each.get(our) for their, our in _POLICY_MEMBERS} for each in found["Policies"]
            ]
        old[theirs] = found
    return old
