"""What ``kubectl get`` shows of built-in kinds, column for column as Kubernetes prints them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import human_duration, parse_time
from roadbed.apis import apiextensions, coordination, core, events, rbac

from .columns import CREATED, NAME, Cell, Column


def _age(obj: Object, now: datetime) -> str:
    return age(str(obj["metadata"].get("creationTimestamp") or ""), now)


def age(timestamp: str, now: datetime) -> str:
    """Give how long ago an RFC 3339 time was, as kubectl does; ``<unknown>`` where it can't be read."""
    try:
        return human_duration((now - parse_time(timestamp)).total_seconds())
    except ValueError:
        return "<unknown>"


def _count(member: str) -> Cell:
    return lambda obj, _now: len(obj.get(member) or ())


def _text(*names: str, otherwise: str = "") -> Cell:
    def cell(obj: Object, _now: datetime) -> Any:
        value: Any = obj
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return otherwise if value is None else str(value)

    return cell


AGE = Column("Age", _age, description="Time since the object was created.")


def _last_seen(event: Object, now: datetime) -> str:
    series = event.get("series") or {}
    found = (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("deprecatedLastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
    )
    return age(str(found or event["metadata"].get("creationTimestamp") or ""), now)


def _about(event: Object, _now: datetime) -> str:
    about = event.get("involvedObject") or event.get("regarding") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _message(event: Object, _now: datetime) -> str:
    return str(event.get("message") or event.get("note") or "").strip()


def _times(event: Object, _now: datetime) -> int:
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or event.get("deprecatedCount") or 1)


def _role(binding: Object, _now: datetime) -> str:
    reference = binding.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _subjects(kind: str) -> Cell:
    def cell(binding: Object, _now: datetime) -> str:
        found = [each for each in binding.get("subjects") or () if each.get("kind") == kind]
        names = [
            f"{each['namespace']}/{each['name']}" if each.get("namespace") else str(each.get("name", ""))
            for each in found
        ]
        return ", ".join(names)

    return cell


_EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", _text("type")),
    Column("Reason", _text("reason")),
    Column("Object", _about),
    Column("Message", _message),
    Column("Count", _times, type="integer", priority=1),
    Column("Name", NAME.cell, priority=1, format="name"),
)
_BINDINGS = (
    NAME,
    Column("Role", _role),
    AGE,
    Column("Users", _subjects("User"), priority=1),
    Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)
COLUMNS: dict[Resource, tuple[Column, ...]] = {
    core.NAMESPACES: (NAME, Column("Status", _text("status", "phase")), AGE),
    core.CONFIGMAPS: (NAME, Column("Data", _count("data"), type="string"), AGE),
    core.SECRETS: (NAME, Column("Type", _text("type")), Column("Data", _count("data"), type="string"), AGE),
    core.SERVICEACCOUNTS: (NAME, Column("Secrets", _count("secrets"), type="string"), AGE),
    core.EVENTS: _EVENTS,
    events.EVENTS: _EVENTS,
    coordination.LEASES: (NAME, Column("Holder", _text("spec", "holderIdentity")), AGE),
    rbac.ROLES: (NAME, CREATED),
    rbac.CLUSTERROLES: (NAME, CREATED),
    rbac.ROLEBINDINGS: _BINDINGS,
    rbac.CLUSTERROLEBINDINGS: _BINDINGS,
    apiextensions.CUSTOMRESOURCEDEFINITIONS: (NAME, CREATED),
}
