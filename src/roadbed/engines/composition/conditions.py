"""Conditions of definitions, revisions and composites: Crossplane's types, reasons and texts.

Pure: the time is handed in. A condition's ``lastTransitionTime`` changes only when its status does, so
that an unchanged outcome is an unchanged status, and is not written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from roadbed.apimachinery.conditions import Condition, conditions_of, with_conditions
from roadbed.apimachinery.request import Object

SYSTEM_TYPES = frozenset({"Ready", "Synced", "Healthy", "UpToDate", "Responsive"})
CALM_CHECK_S = 10.0  # an open circuit is looked at again after this, to be closed
NAMES_SHOWN = 3  # a message names this many resources and counts the rest

AVAILABLE = Condition("Ready", "True", "Available")
CREATING = Condition("Ready", "False", "Creating")
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
    if len(ordered) == NAMES_SHOWN:
        return f"{', '.join(ordered[:-1])}, and {ordered[-1]}"
    if len(ordered) < NAMES_SHOWN:
        return ", ".join(ordered)
    rest = len(ordered) - NAMES_SHOWN
    return f"{', '.join(ordered[:NAMES_SHOWN])}, and {rest} more"


def merged(obj: Object, changes: Iterable[Condition], now: datetime) -> list[dict[str, Any]]:
    """Give the object's conditions with ``changes`` in them, observed at its present generation."""
    generation = int((obj.get("metadata") or {}).get("generation") or 0)
    observed = [replace(change, observed_generation=generation) for change in changes]
    return with_conditions(conditions_of(obj), observed, now)
