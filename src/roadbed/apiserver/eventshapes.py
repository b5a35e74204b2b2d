"""One stored event, two shapes: ``v1`` (as stored) and ``events.k8s.io/v1``. Pure."""

from __future__ import annotations

from roadbed.apimachinery.request import Object

_NEW_TO_CORE = {
    "note": "message",
    "regarding": "involvedObject",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_ALWAYS_IN_CORE = (
    "reportingComponent",
    "reportingInstance",
)  # shown there even when empty, left out elsewhere
_CORE_TO_NEW = {core: new for new, core in _NEW_TO_CORE.items()}


def to_core(event: Object) -> Object:
    """Give the ``v1`` shape."""
    named = {**_renamed(event, _NEW_TO_CORE), "apiVersion": "v1"}
    return {**named, **{member: named.get(member) or "" for member in _ALWAYS_IN_CORE}}


def from_core(event: Object) -> Object:
    """Give the ``events.k8s.io/v1`` shape."""
    found = {name: value for name, value in event.items() if value or name not in _ALWAYS_IN_CORE}
    return {**_renamed(found, _CORE_TO_NEW), "apiVersion": "events.k8s.io/v1"}


def _renamed(event: Object, names: dict[str, str]) -> Object:
    return {names.get(name, name): value for name, value in event.items()}
