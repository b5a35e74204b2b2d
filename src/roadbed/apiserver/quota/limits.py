"""LimitRanges: what containers get that say nothing, and what pods and claims may say.

A mutator (defaults, when a pod is created) and a validator (pods when created, claims always). Pods are only data
here, yet a write that the real server would refuse or complete is refused or completed alike.

Source: k8s.io/kubernetes/plugin/pkg/admission/limitranger/admission.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.causes import aggregate
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.quantity import Quantity, parse_quantity
from roadbed.apimachinery.request import Object
from roadbed.apiserver.admission import Reinvocation
from roadbed.apiserver.matching import refusal
from roadbed.apiserver.registry import Registry
from roadbed.apiserver.snapshots import Snapshot
from roadbed.apiserver.watchcache import Hub

from .usage import ZERO, used_by

ANNOTATION = "kubernetes.io/limit-ranger"
_LIMITED = ("pods", "persistentvolumeclaims")
Amounts = Mapping[str, Quantity]


class Limits:
    """The mutator and validator of limit ranges."""

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._snapshot = Snapshot(registry, hub, [("", "v1", "limitranges")], _by_namespace)

    def sees(self, resource: Resource) -> bool:
        """Say whether limits could concern this resource."""
        return bool(self._snapshot.value) and resource.qualified in _LIMITED

    async def mutate(self, request: AdmissionRequest, round_: Reinvocation) -> Object | None:
        """Give a new pod what its namespace gives containers that say nothing."""
        del round_
        if request.operation != "CREATE" or request.subresource or request.resource.plural != "pods":
            return None
        found = self._snapshot.value.get(request.namespace, ())
        defaults: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
        for limits in found:
            for each in limits:
                if each.get("type") == "Container":
                    defaults["requests"] |= each.get("defaultRequest") or {}
                    defaults["limits"] |= each.get("default") or {}
        if not defaults["requests"] and not defaults["limits"]:
            return None
        pod: Object = orjson.loads(orjson.dumps(request.object))
        notes = [*_fill(pod, "containers", "container", defaults)]
        notes += _fill(pod, "initContainers", "init container", defaults)
        if not notes:
            return None
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)
        return pod

    async def validate(self, request: AdmissionRequest) -> None:
        """Return when the write keeps to the limits.

        Raises:
            ForbiddenError: it does not; the text names every limit of the first range that it breaks.
        """
        is_pod = request.resource.plural == "pods"
        if request.object is None or request.subresource or (is_pod and request.operation == "UPDATE"):
            return
        for limits in self._snapshot.value.get(request.namespace, ()):
            judge = _pod_faults if is_pod else _claim_faults
            faults = [fault for each in limits for fault in judge(each, request.object)]
            if faults:
                raise refusal(request, aggregate(faults))


def _by_namespace(found: list[list[Object]]) -> dict[str, list[list[Mapping[str, Any]]]]:
    by_namespace: dict[str, list[list[Mapping[str, Any]]]] = {}
    for each in found[0]:
        limits = (each.get("spec") or {}).get("limits") or []
        by_namespace.setdefault(each["metadata"]["namespace"], []).append(limits)
    return by_namespace


def _fill(pod: Object, member: str, what: str, defaults: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for container in (pod.get("spec") or {}).get(member) or ():
        for kind, word in (("requests", "request"), ("limits", "limit")):
            told = (container.get("resources") or {}).get(kind) or {}
            missing = sorted(name for name in defaults[kind] if name not in told)
            if missing:
                filled = {**told, **{name: defaults[kind][name] for name in missing}}
                container["resources"] = {**(container.get("resources") or {}), kind: filled}
                yield f"{', '.join(missing)} {word} for {what} {container.get('name')}"


def _claim_faults(limit: Mapping[str, Any], claim: Object) -> Iterator[str]:
    if limit.get("type") != "PersistentVolumeClaim":
        return
    requests = _amounts(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
    yield from _too_small(limit, requests, {})
    for name, most in _amounts(limit.get("max")).items():
        if name not in requests:
            yield f"maximum {name} usage per PersistentVolumeClaim is {most}.  No request is specified"
        elif requests[name] > most:
            yield f"maximum {name} usage per PersistentVolumeClaim is {most}, but request is {requests[name]}"


def _pod_faults(limit: Mapping[str, Any], pod: Object) -> Iterator[str]:
    spec = pod.get("spec") or {}
    if limit.get("type") == "Container":
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            resources = container.get("resources") or {}
            yield from _faults(limit, _amounts(resources.get("requests")), _amounts(resources.get("limits")))
    elif limit.get("type") == "Pod":
        used = used_by("", "pods", pod)
        requests = {
            name.removeprefix("requests."): each for name, each in used.items() if name[:9] == "requests."
        }
        limits = {name.removeprefix("limits."): each for name, each in used.items() if name[:7] == "limits."}
        yield from _faults(limit, requests, limits)


def _faults(limit: Mapping[str, Any], requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = limit.get("type")
    yield from _too_small(limit, requests, limits)
    for name, most in _amounts(limit.get("max")).items():
        if name not in limits:
            yield f"maximum {name} usage per {kind} is {most}.  No limit is specified"
        elif limits[name] > most:
            yield f"maximum {name} usage per {kind} is {most}, but limit is {limits[name]}"
        elif requests.get(name, ZERO) > most:
            yield f"maximum {name} usage per {kind} is {most}, but request is {requests[name]}"
    for name, ratio in _amounts(limit.get("maxLimitRequestRatio")).items():
        text = f"{name} max limit to request ratio per {kind} is {ratio}, but"
        if not requests.get(name, ZERO).nanos:
            yield f"{text} no request is specified or request is 0"
        elif not limits.get(name, ZERO).nanos:
            yield f"{text} no limit is specified or limit is 0"
        elif float(limits[name]) / float(requests[name]) > float(ratio):
            yield f"{text} provided ratio is {float(limits[name]) / float(requests[name]):f}"


def _too_small(limit: Mapping[str, Any], requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _amounts(limit.get("min")).items():
        text = f"minimum {name} usage per {limit.get('type')} is {least}"
        if name not in requests:
            yield f"{text}.  No request is specified"
        elif requests[name] < least:
            yield f"{text}, but request is {requests[name]}"
        elif name in limits and limits[name] < least:
            yield f"{text}, but limit is {limits[name]}"


def _amounts(told: Mapping[str, Any] | None) -> dict[str, Quantity]:
    found: dict[str, Quantity] = {}
    for name, value in (told or {}).items():
        try:
            found[name] = parse_quantity(str(value))
        except ValueError:
            continue  # validation tells of it
    return found
