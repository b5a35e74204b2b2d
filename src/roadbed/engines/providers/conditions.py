"""The two conditions of a managed object, Synced and Ready, with Crossplane's reasons.

Pure: callers pass the time. A condition that says the same as before keeps its transition time, so that
an unchanged status stays byte for byte the same and costs no write.

Source: github.com/crossplane/crossplane apis/core/v2 conditions (reason names).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

MESSAGE_LIMIT = 4096  # a cloud's error may quote a whole request; people read the beginning


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without its times."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def synced() -> Condition:
    """Say that the last reconcile did what it should."""
    return Condition("Synced", "True", "ReconcileSuccess")


def failed(message: str) -> Condition:
    """Say what the last reconcile could not do."""
    return Condition("Synced", "False", "ReconcileError", message[:MESSAGE_LIMIT])


def paused() -> Condition:
    """Say that nothing is done on purpose."""
    text = "Reconciliation is paused either through the `spec.managementPolicies` or the pause annotation"
    return Condition("Synced", "False", "ReconcilePaused", text)


def ready(
    reason: Literal["Creating", "Available", "Unavailable", "Deleting"], message: str = ""
) -> Condition:
    """Say how far the external resource is."""
    return Condition("Ready", "True" if reason == "Available" else "False", reason, message[:MESSAGE_LIMIT])


def merged(
    before: Sequence[dict[str, Any]], changes: Sequence[Condition], *, now: datetime, generation: int
) -> list[dict[str, Any]]:
    """Give the stored conditions with ``changes`` put in; types that are not named stay as they are."""
    result = [dict(condition) for condition in before]
    index = {condition.get("type"): place for place, condition in enumerate(result)}
    for change in changes:
        new: dict[str, Any] = {
            "type": change.type,
            "status": change.status,
            "reason": change.reason,
            "lastTransitionTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "observedGeneration": generation,
        }
        if change.message:
            new["message"] = change.message
        place = index.get(change.type)
        if place is None:
            result.append(new)
            continue
        old = result[place]
        if all(old.get(key) == new.get(key) for key in ("status", "reason", "message")):
            new["lastTransitionTime"] = old.get("lastTransitionTime", new["lastTransitionTime"])
        result[place] = new
    return result


def says(conditions: Sequence[dict[str, Any]], kind: str, reason: str) -> bool:
    """Say whether the condition of that type has that reason."""
    return any(c.get("type") == kind and c.get("reason") == reason for c in conditions)
