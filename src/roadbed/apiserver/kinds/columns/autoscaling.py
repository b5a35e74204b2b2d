"""Cells of autoscalers: present and wanted metrics side by side; of v2 objects and of v1. Pure.

Source: ``formatHPAMetrics`` in k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apiserver.columns import Cell
from roadbed.apiserver.kinds.autoscaling import to_storage

from .cells import NONE, UNKNOWN, age, at, name, number, of

_MOST = 2
_MEMBERS = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric(spec: dict[str, Any], status: dict[str, Any]) -> str:
    member = _MEMBERS.get(str(spec.get("type")))
    if member is None:
        return "<unknown type>"
    wanted = at(spec, member, "target", otherwise={})
    current = at(status, member, "current", otherwise={})
    average = wanted.get("averageValue")
    if member in ("resource", "containerResource"):
        label = at(spec, member, "name", otherwise="")
        if average is not None:
            return f"{label}: {current.get('averageValue', UNKNOWN)}/{average}"
        target, found = wanted.get("averageUtilization"), current.get("averageUtilization")
        shown = "<auto>" if target is None else f"{target}%"
        return f"{label}: {UNKNOWN if found is None else f'{found}%'}/{shown}"
    if average is not None:
        suffix = "" if member == "pods" else " (avg)"
        return f"{current.get('averageValue', UNKNOWN)}/{average}{suffix}"
    return f"{current.get('value', UNKNOWN)}/{wanted.get('value')}"


def _metrics(obj: Object) -> str:
    obj = to_storage(obj)
    specs = at(obj, "spec", "metrics", otherwise=())
    statuses = at(obj, "status", "currentMetrics", otherwise=())
    found = [
        _metric(spec, statuses[index] if index < len(statuses) else {}) for index, spec in enumerate(specs)
    ]
    if not found:
        return NONE
    text = ", ".join(found[:_MOST])
    return f"{text} + {len(found) - _MOST} more..." if len(found) > _MOST else text


def _reference(obj: Object) -> str:
    target = at(obj, "spec", "scaleTargetRef", otherwise={})
    return f"{target.get('kind', '')}/{target.get('name', '')}"


AUTOSCALER: tuple[Cell, ...] = (
    name,
    of(_reference),
    of(_metrics),
    of(lambda obj: str(at(obj, "spec", "minReplicas", otherwise="<unset>"))),
    number("spec", "maxReplicas"),
    number("status", "currentReplicas"),
    age,
)
