"""Conditions of definitions, revisions and composites: Crossplane's types, reasons and texts.

Pure: the time is handed in. A condition's ``lastTransitionTime`` changes only when its status does, so
that an unchanged outcome is an unchanged status, and is not written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_time

Status = Literal["True", "False", "Unknown"]

SYSTEM_TYPES = frozenset({"Ready", "Synced", "Healthy", "UpToDate", "Responsive"})
NAMES_SHOWN = 3  # a message names this many resources and counts the rest


@dataclass(frozen=True, slots=True)
class Condition:
    """What is to be said, without the time."""

    type: str
    status: Status
    reason: str
    message: str = ""


AVAILABLE = Condition("Ready", "True", "Available")
CREATING = Condition("Ready", "False", "Creating")
DELETING = Condition("Ready", "False", "Deleting")
RECONCILED = Condition("Synced", "True", "ReconcileSuccess")
PAUSED = Condition(
    "Synced",
    "False",
    "ReconcilePaused",
    "Reconciliation (including deletion) is paused via the pause annotation",
)
RESPONSIVE = Condition("Responsive", "True", "WatchCircuitClosed")
WATCHING = Condition("Established", "True", "WatchingCompositeResource")
TERMINATING = Condition("Established", "False", "TerminatingCompositeResource")


def failed(message: str) -> Condition:
    """Say that reconciling failed."""
    return Condition("Synced", "False", "ReconcileError", message)


def creating(message: str) -> Condition:
    """Say that the composite is not ready, and what it waits for."""
    return Condition("Ready", "False", "Creating", message)


def deleting(message: str) -> Condition:
    """Say that the composite is being deleted, and what it waits for."""
    return Condition("Ready", "False", "Deleting", message)


def throttled(triggered_by: str) -> Condition:
    """Say that changes come too fast to follow each at once."""
    return Condition(
        "Responsive",
        "False",
        "WatchCircuitOpen",
        f"Too many watch events from {triggered_by}. Allowing events periodically.",
    )


def some_of(names: Iterable[str]) -> str:
    """List the first few names, sorted, and count the rest, as Crossplane's messages do."""
    ordered = sorted(names)
    if len(ordered) <= NAMES_SHOWN:
        return ", ".join(ordered)
    rest = len(ordered) - NAMES_SHOWN
    return f"{', '.join(ordered[:NAMES_SHOWN])}, and {rest} more"


def get(obj: Object, kind: str) -> dict[str, Any] | None:
    """Give a condition of an object, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return None


def merged(obj: Object, changes: Iterable[Condition], now: datetime) -> list[dict[str, Any]]:
    """Give the object's conditions with ``changes`` in them, in their old order, new ones last."""
    generation = (obj.get("metadata") or {}).get("generation")
    found: dict[str, dict[str, Any]] = {
        condition["type"]: condition for condition in (obj.get("status") or {}).get("conditions") or ()
    }
    for change in changes:
        found[change.type] = _wire(change, found.get(change.type), generation, now)
    return list(found.values())


def _wire(
    change: Condition, old: dict[str, Any] | None, generation: int | None, now: datetime
) -> dict[str, Any]:
    kept = old is not None and old.get("status") == change.status
    wire: dict[str, Any] = {
        "type": change.type,
        "status": change.status,
        "reason": change.reason,
        "lastTransitionTime": old["lastTransitionTime"] if kept and old else format_time(now),
    }
    if change.message:
        wire["message"] = change.message
    if generation:
        wire["observedGeneration"] = generation
    return wire
