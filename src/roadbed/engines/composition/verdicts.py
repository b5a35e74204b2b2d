"""What a run of the pipeline means for the composite: conditions and events.

Pure, called by the composite reconciler after everything was applied, or after a function ended the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from roadbed.apimachinery.conditions import Condition, conditions_of
from roadbed.apimachinery.request import Object

from . import conditions, pipeline
from .compose import Composed
from .functions.protocol import Ready, Severity

Note = tuple[Literal["Normal", "Warning"], str, str]
"""An event: its type, reason and message."""


def verdict(
    outcome: pipeline.Outcome, composed: Iterable[Composed], refused: Mapping[str, str]
) -> list[Condition]:
    """Give Synced and Ready for a composite whose pipeline ran and whose resources were applied."""
    synced = conditions.RECONCILED
    if refused:
        names = conditions.some_of(refused)
        detail = next(iter(refused.values()))
        synced = conditions.failed(f"Unsynced resources: {names}: {detail}")
    unready = [item.name for item in composed if not item.is_ready]
    ready = conditions.AVAILABLE
    if unready:
        ready = conditions.creating(f"Unready resources: {conditions.some_of(unready)}")
    # What the pipeline says of the composite itself goes before what its resources add up to.
    said = outcome.desired.composite.ready
    if said is Ready.TRUE:
        ready = conditions.AVAILABLE
    elif said is Ready.FALSE:
        warnings = [item.result.message for item in outcome.said if item.result.severity is Severity.WARNING]
        ready = conditions.creating("; ".join(warnings[:1])) if warnings else conditions.CREATING
    return [synced, ready]


def custom(outcome: pipeline.Outcome) -> list[Condition]:
    """Give the conditions that functions set; those that are ours to say are left out."""
    statuses = {"True": "True", "False": "False"}
    return [
        Condition(item.type, statuses.get(item.status, "Unknown"), item.reason, item.message)  # type: ignore[arg-type]
        for item in outcome.conditions
        if item.type not in conditions.SYSTEM_TYPES
    ]


def unseen(composite: Object, outcome: pipeline.Outcome) -> list[Condition]:
    """Give the custom conditions that a pipeline which ended early could not speak of, as Unknown."""
    seen = {item.type for item in outcome.conditions} | conditions.SYSTEM_TYPES
    message = "A fatal error occurred before the status of this condition could be determined."
    return [
        Condition(item["type"], "Unknown", "FatalError", message)
        for item in conditions_of(composite)
        if item["type"] not in seen
    ]


def notes(outcome: pipeline.Outcome) -> list[Note]:
    """Give what functions had to say, as events."""
    found: list[Note] = []
    for item in outcome.said:
        reason = item.result.reason or "ComposeResources"
        message = f'Pipeline step "{item.step}": {item.result.message}'
        if item.result.severity is Severity.UNSPECIFIED:
            message = (
                f'Pipeline step "{item.step}" returned a result of unknown severity '
                f"(assuming warning): {item.result.message}"
            )
        is_normal = item.result.severity is Severity.NORMAL
        found.append(("Normal" if is_normal else "Warning", reason, message))
    return found
