"""Cells of namespaces, configuration, events, nodes, quotas, leases, devices and API services. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apiserver.columns import Cell
from roadbed.apiserver.columns import age as age_of

from .cells import NONE, UNKNOWN, age, at, name, number, of, path

_ROLE = "node-role.kubernetes.io/"
_OTHER_ROLE = "kubernetes.io/role"


def _data(obj: Object) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


def _first(event: Object, now: datetime) -> str:
    found = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp") or event.get("eventTime")
    return age_of(str(found), now) if found else UNKNOWN


def _last(event: Object, now: datetime) -> str:
    if event.get("series"):
        found = at(event, "series", "lastObservedTime")
        return age_of(str(found), now) if found else UNKNOWN
    found = event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    return age_of(str(found), now) if found else _first(event, now)


def _about(event: Object) -> dict[str, Any]:
    found: dict[str, Any] = event.get("involvedObject") or event.get("regarding") or {}
    return found


def _target(event: Object) -> str:
    about = _about(event)
    kind = str(about.get("kind", "")).lower()
    return f"{kind}/{about['name']}" if about.get("name") else kind


def _source(event: Object) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    controller = event.get("reportingComponent") or event.get("reportingController") or ""
    component = source.get("component") or controller
    instance = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else str(component)


def _times(event: Object) -> int:
    if event.get("series"):
        return int(at(event, "series", "count", otherwise=0))
    return int(event.get("count") or event.get("deprecatedCount") or 1)


def _message(event: Object) -> str:
    return str(event.get("message") or event.get("note") or "").strip()


_EVENT: tuple[Cell, ...] = (
    _last,
    path("type"),
    path("reason"),
    of(_target),
    of(lambda event: _about(event).get("fieldPath", "")),
    of(_source),
    of(_message),
    _first,
    of(_times),
    name,
)


def _node_status(node: Object) -> str:
    words = [
        "Ready" if each.get("status") == "True" else "NotReady"
        for each in at(node, "status", "conditions", otherwise=())
        if each.get("type") == "Ready"
    ][-1:]
    suffix = ["SchedulingDisabled"] if at(node, "spec", "unschedulable") else []
    return ",".join([*(words or ["Unknown"]), *suffix])


def _roles(node: Object) -> str:
    labels = node["metadata"].get("labels") or {}
    found = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)} - {""}
    if labels.get(_OTHER_ROLE):
        found.add(labels[_OTHER_ROLE])
    return ",".join(sorted(found)) or NONE


def _address(kind: str) -> Cell:
    def read(node: Object) -> str:
        for each in at(node, "status", "addresses", otherwise=()):
            if each.get("type") == kind:
                return str(each.get("address", ""))
        return NONE

    return of(read)


def _told(member: str) -> Cell:
    return of(lambda node: at(node, "status", "nodeInfo", member) or UNKNOWN)


def _quota(*, limits: bool) -> Cell:
    def read(quota: Object) -> str:
        hard = at(quota, "spec", "hard", otherwise={})
        known, used = at(quota, "status", "hard", otherwise={}), at(quota, "status", "used", otherwise={})
        return ", ".join(
            f"{each}: {used.get(each, '0')}/{known.get(each, '0')}"
            for each in sorted(known or hard)
            if each.startswith("limits.") == limits
        )

    return of(read)


def _healthy(component: Object) -> dict[str, Any]:
    for each in component.get("conditions") or ():
        if each.get("type") == "Healthy":
            return dict(each)
    return {}


def _claim_state(claim: Object) -> str:
    is_deleted = bool(claim["metadata"].get("deletionTimestamp"))
    words = ["deleted"] if is_deleted else []
    if at(claim, "status", "allocation") is None:
        words += [] if is_deleted else ["pending"]
    else:
        words += ["allocated", *(["reserved"] if at(claim, "status", "reservedFor") else [])]
    return ",".join(words)


def _api_service(obj: Object) -> str:
    found = at(obj, "spec", "service")
    return f"{found.get('namespace', '')}/{found.get('name', '')}" if found else "Local"


def _available(obj: Object) -> str:
    for each in at(obj, "status", "conditions", otherwise=()):
        if each.get("type") == "Available":
            status = str(each.get("status", ""))
            return status if status == "True" else f"{status} ({each.get('reason', '')})"
    return "Unknown"


_NAMED = (name, age)
OTHERS: dict[tuple[str, str], tuple[Cell, ...]] = {
    ("", "namespaces"): (name, path("status", "phase"), age),
    ("", "configmaps"): (name, of(_data), age),
    ("", "secrets"): (name, path("type"), of(lambda obj: len(obj.get("data") or ())), age),
    ("", "serviceaccounts"): _NAMED,
    ("", "events"): _EVENT,
    ("events.k8s.io", "events"): _EVENT,
    ("", "nodes"): (
        name,
        of(_node_status),
        of(_roles),
        age,
        path("status", "nodeInfo", "kubeletVersion"),
        _address("InternalIP"),
        _address("ExternalIP"),
        _told("osImage"),
        _told("kernelVersion"),
        _told("containerRuntimeVersion"),
    ),
    ("", "resourcequotas"): (name, _quota(limits=False), _quota(limits=True), age),
    ("", "componentstatuses"): (
        name,
        of(lambda obj: {"True": "Healthy", None: "Unknown"}.get(_healthy(obj).get("status"), "Unhealthy")),
        of(lambda obj: _healthy(obj).get("message", "")),
        of(lambda obj: _healthy(obj).get("error", "")),
    ),
    ("coordination.k8s.io", "leases"): (name, path("spec", "holderIdentity"), age),
    ("scheduling.k8s.io", "priorityclasses"): (
        name,
        number("value"),
        path("globalDefault", otherwise=False),
        age,
        path("preemptionPolicy"),
    ),
    ("node.k8s.io", "runtimeclasses"): (name, path("handler"), age),
    ("resource.k8s.io", "deviceclasses"): _NAMED,
    ("resource.k8s.io", "resourceclaims"): (name, of(_claim_state), age),
    ("resource.k8s.io", "resourceclaimtemplates"): _NAMED,
    ("resource.k8s.io", "resourceslices"): (
        name,
        path("spec", "nodeName"),
        path("spec", "driver"),
        path("spec", "pool", "name"),
        age,
    ),
    ("apiregistration.k8s.io", "apiservices"): (name, of(_api_service), of(_available), age),
}
