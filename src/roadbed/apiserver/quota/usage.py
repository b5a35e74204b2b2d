"""What one object uses of a quota, and which kind of object each name in a quota is about. Pure.

Source: k8s.io/kubernetes/pkg/quota/v1/evaluator/core and k8s.io/apiserver/pkg/quota/v1/generic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from roadbed.apimachinery.quantity import Quantity, parse_quantity
from roadbed.apimachinery.request import Object

Usage = Mapping[str, Quantity]
ONE: Final = Quantity(10**9)
ZERO: Final = Quantity(0)
_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_PLAIN: Final = ("configmaps", "secrets", "resourcequotas", "replicationcontrollers", "pods")
_CLAIMS: Final = ("persistentvolumeclaims", "requests.storage")


def counted(name: str) -> tuple[str, str]:
    """Give group and plural of the objects that a name in ``spec.hard`` is about."""
    if name.startswith("count/"):
        plural, _, group = name.removeprefix("count/").partition(".")
        return group, plural
    if name.partition(".")[0] == "services":
        return "", "services"
    if name in _CLAIMS or _STORAGE_CLASS in name:
        return "", "persistentvolumeclaims"
    return ("", name) if name in _PLAIN else ("", "pods")


def is_measured(group: str, plural: str) -> bool:
    """Say whether what an object uses depends on its content, and so may change with an update."""
    return not group and plural in ("services", "persistentvolumeclaims", "pods")


def used_by(group: str, plural: str, obj: Object | None) -> dict[str, Quantity]:
    """Give what one object uses; ``obj`` may be None for kinds that are only counted."""
    found = {f"count/{plural}.{group}" if group else f"count/{plural}": ONE}
    if group:
        return found
    if plural in (*_PLAIN, "services", "persistentvolumeclaims"):
        found[plural] = ONE
    spec = (obj or {}).get("spec") or {}
    if plural == "services":
        found |= _service(spec)
    elif plural == "persistentvolumeclaims":
        found |= _claim(spec, ((obj or {}).get("metadata") or {}).get("annotations") or {})
    elif plural == "pods":
        found |= _pod(spec)
    return found


def _service(spec: Mapping[str, Any]) -> dict[str, Quantity]:
    ports = spec.get("ports") or ()
    kind = spec.get("type")
    nodes = len(ports) if kind in ("NodePort", "LoadBalancer") else 0
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        nodes = sum(1 for port in ports if port.get("nodePort"))
    return {
        "services.nodeports": Quantity(nodes * 10**9),
        "services.loadbalancers": ONE if kind == "LoadBalancer" else ZERO,
    }


def _claim(spec: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, Quantity]:
    found: dict[str, Quantity] = {}
    storage = _amount(((spec.get("resources") or {}).get("requests") or {}).get("storage"))
    storage_class = annotations.get(_CLASS_ANNOTATION) or spec.get("storageClassName")
    if storage is not None:
        found["requests.storage"] = storage
    if storage_class:
        found[f"{storage_class}{_STORAGE_CLASS}persistentvolumeclaims"] = ONE
        if storage is not None:
            found[f"{storage_class}{_STORAGE_CLASS}requests.storage"] = storage
    return found


def _pod(spec: Mapping[str, Any]) -> dict[str, Quantity]:
    """Add up containers; init containers count where one alone needs more."""
    found: dict[str, Quantity] = {}
    for member in ("requests", "limits"):
        running = _sum(_resources(each, member) for each in spec.get("containers") or ())
        for each in spec.get("initContainers") or ():
            for name, amount in _resources(each, member).items():
                running[name] = max(running.get(name, ZERO), amount)
        for name, amount in running.items():
            found[f"{member}.{name}"] = amount
            if member == "requests" and name in ("cpu", "memory", "ephemeral-storage"):
                found[name] = amount
    return found


def _resources(container: Mapping[str, Any], member: str) -> dict[str, Quantity]:
    told = (container.get("resources") or {}).get(member) or {}
    read = ((name, _amount(value)) for name, value in told.items())
    return {name: amount for name, amount in read if amount is not None}


def _sum(parts: Iterable[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, ZERO) + amount
    return total


def _amount(value: Any) -> Quantity | None:
    if value is None:
        return None
    try:
        return parse_quantity(str(value))
    except ValueError:
        return None  # validation tells of it


def scopes_of(obj: Object) -> frozenset[str]:
    """Give the scopes that a pod is in."""
    spec = obj.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    has_compute = any(
        name in ("cpu", "memory")
        for each in containers
        for member in ("requests", "limits")
        for name in (each.get("resources") or {}).get(member) or {}
    )
    found = {
        "Terminating" if spec.get("activeDeadlineSeconds") is not None else "NotTerminating",
        "NotBestEffort" if has_compute else "BestEffort",
    }
    if spec.get("priorityClassName"):
        found |= {"PriorityClass", f"PriorityClass={spec['priorityClassName']}"}
    return frozenset(found)
