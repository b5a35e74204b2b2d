"""What one object uses of a quota, and which kind of object each name in a quota is about. Pure.

Source: k8s.io/kubernetes/pkg/quota/v1/evaluator/core and k8s.io/apiserver/pkg/quota/v1/generic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from roadbed.apimachinery.quantity import Quantity, parse_quantity
from roadbed.apimachinery.request import Object

Usage = Mapping[str, Quantity]
Scopes = frozenset[tuple[str, str]]
"""The scopes that an object is in, each with its value; one that has values is named with "" where there is none."""
ONE: Final = Quantity(10**9)
ZERO: Final = Quantity(0)
_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_PLAIN: Final = ("configmaps", "secrets", "resourcequotas", "replicationcontrollers", "pods")
_DEVICES: Final = ".deviceclass.resource.k8s.io/devices"
_DEVICES_AT_MOST: Final = 32  # what a claim of all devices of a class may get
_VALUED: Final = ("PriorityClass", "VolumeAttributesClass")
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
    if name.endswith(_DEVICES):
        return "resource.k8s.io", "resourceclaims"
    return ("", name) if name in _PLAIN else ("", "pods")


def is_measured(group: str, plural: str) -> bool:
    """Say whether what an object uses depends on its content, and so may change with an update."""
    if group:
        return (group, plural) == ("resource.k8s.io", "resourceclaims")
    return plural in ("services", "persistentvolumeclaims", "pods")


def used_by(group: str, plural: str, obj: Object | None) -> dict[str, Quantity]:
    """Give what one object uses; ``obj`` may be None for kinds that are only counted."""
    found = {f"count/{plural}.{group}" if group else f"count/{plural}": ONE}
    if group:
        return found | (_devices(obj or {}) if is_measured(group, plural) else {})
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


def _devices(claim: Object) -> dict[str, Quantity]:
    """Count the devices of each class that a claim may get: of alternatives, the most of each class."""
    found: dict[str, int] = {}
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        most: dict[str, int] = {}
        for each in request.get("firstAvailable") or [request.get("exactly") or {}]:
            name, mode = str(each.get("deviceClassName") or ""), each.get("allocationMode")
            count = {"ExactCount": int(each.get("count") or 0), "All": _DEVICES_AT_MOST}.get(str(mode), 0)
            most[name] = max(most.get(name, 0), count)
        for name, count in most.items():
            found[name] = found.get(name, 0) + count
    return {f"{name}{_DEVICES}": Quantity(count * 10**9) for name, count in found.items() if name}


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


@dataclass(frozen=True, slots=True)
class Term:
    """One scope that a quota names: it counts the objects that are in all of its terms."""

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def holds(self, scopes: Scopes) -> bool:
        """Say whether an object in these scopes is in this one."""
        found = {value for name, value in scopes if name == self.name}
        if not found or self.name not in _VALUED:
            return bool(found)
        named = found - {""}
        match self.operator:
            case "DoesNotExist":
                return not named
            case "In":
                return bool(named.intersection(self.values))
            case "NotIn":
                return not named or bool(named.difference(self.values))
        return bool(named)


def terms_of(spec: Mapping[str, Any]) -> frozenset[Term]:
    """Read the scopes of a quota."""
    found = {Term(str(name)) for name in spec.get("scopes") or ()}
    for each in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        name, operator = str(each.get("scopeName")), str(each.get("operator") or "Exists")
        found.add(Term(name, operator, tuple(each.get("values") or ())))
    return frozenset(found)


def scopes_of(plural: str, obj: Object) -> Scopes:
    """Give the scopes that a pod or a claim of storage is in; other objects are in none."""
    if plural == "pods":
        return _pod_scopes(obj.get("spec") or {})
    return _claim_scopes(obj) if plural == "persistentvolumeclaims" else frozenset()


def _claim_scopes(obj: Object) -> Scopes:
    status = obj.get("status") or {}
    changing = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    wanted = (obj.get("spec") or {}).get("volumeAttributesClassName")
    names = (wanted, status.get("currentVolumeAttributesClassName"), changing)
    return frozenset(("VolumeAttributesClass", name) for name in [each for each in names if each] or [""])


def _pod_scopes(spec: Mapping[str, Any]) -> Scopes:
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    has_compute = any(
        name in ("cpu", "memory")
        for each in containers
        for member in ("requests", "limits")
        for name in (each.get("resources") or {}).get(member) or {}
    )
    found = {
        ("Terminating" if spec.get("activeDeadlineSeconds") is not None else "NotTerminating", ""),
        ("NotBestEffort" if has_compute else "BestEffort", ""),
        ("PriorityClass", spec.get("priorityClassName") or ""),
    }
    if any(
        term.get("namespaces") or term.get("namespaceSelector") is not None for term in _affinity_terms(spec)
    ):
        found.add(("CrossNamespacePodAffinity", ""))
    return frozenset(found)


def _affinity_terms(spec: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for member in ("podAffinity", "podAntiAffinity"):
        told = (spec.get("affinity") or {}).get(member) or {}
        yield from told.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for each in told.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield each.get("podAffinityTerm") or {}
