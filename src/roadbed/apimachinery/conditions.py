"""Conditions in ``status.conditions``: finding one, and setting one so that its time means something.

Called by reconcilers through their own condition vocabulary. The time is the caller's; it is kept where
the status did not change, so that ``lastTransitionTime`` says since when.

Source: k8s.io/apimachinery/pkg/api/meta/conditions.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from .timestamps import format_time

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing said of an object; ``observed_generation`` zero is left out."""

    type: str
    status: Status
    reason: str
    message: str = ""
    observed_generation: int = 0

    def to_json(self, since: str) -> dict[str, Any]:
        """Give the wire form, with ``since`` as the time of the last transition."""
        written: dict[str, Any] = {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "lastTransitionTime": since,
        }
        if self.message:
            written["message"] = self.message
        if self.observed_generation:
            written["observedGeneration"] = self.observed_generation
        return written


def conditions_of(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the object's conditions, or an empty list that is not part of the object."""
    found = (obj.get("status") or {}).get("conditions")
    return found if isinstance(found, list) else []


def find_condition(obj: Mapping[str, Any], named: str) -> dict[str, Any] | None:
    """Give the condition of that type, or None."""
    return next((each for each in conditions_of(obj) if each.get("type") == named), None)


def is_true(obj: Mapping[str, Any], named: str) -> bool:
    """Say whether the object has that condition with status True."""
    found = find_condition(obj, named)
    return found is not None and found.get("status") == "True"


def with_conditions(
    present: Iterable[Mapping[str, Any]], wanted: Iterable[Condition], now: datetime
) -> list[dict[str, Any]]:
    """Give ``present`` with every wanted condition set: replaced in its place, or added at the end.

    The transition time changes only with the status.
    """
    moment = format_time(now)
    merged = {str(each.get("type")): dict(each) for each in present}
    for condition in wanted:
        before = merged.get(condition.type, {})
        unchanged = before.get("status") == condition.status and before.get("lastTransitionTime")
        merged[condition.type] = condition.to_json(str(before["lastTransitionTime"]) if unchanged else moment)
    return list(merged.values())


def without_condition(present: Iterable[Mapping[str, Any]], named: str) -> list[dict[str, Any]]:
    """Give ``present`` without the condition of that type."""
    return [dict(each) for each in present if each.get("type") != named]
