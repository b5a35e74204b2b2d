"""Whether an object is well, and if not why, in one sentence. Pure functions of an object's status.

Used by every list, tree and header. It reads conditions as Kubernetes and Crossplane write them and
knows no kind by name; what it cannot tell is ``unknown``, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from roadbed.apimachinery.objects import annotations_of, is_terminating, metadata
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation

State = Literal["healthy", "progressing", "degraded", "missing", "suspended", "unknown"]

# Worst first: what a reader must see before anything else.
RANK: dict[State, int] = {
    "degraded": 0,
    "missing": 1,
    "unknown": 2,
    "progressing": 3,
    "suspended": 4,
    "healthy": 5,
}

# Not Ready for these reasons is on its way, not broken.
_UNDERWAY = frozenset(
    {"Creating", "Deleting", "Pending", "Waiting", "Progressing", "Updating", "Provisioning", ""}
)
# Crossplane calls it an error that a referenced object has no id yet; to a person it is an order of events.
_WAITING = "referenced resource may not yet be ready"
_PAUSED = frozenset({"ReconcilePaused", "Paused", "Suspended"})
# Conditions that say by themselves whether a definition or package is usable.
_DECISIVE = ("Ready", "Available", "Healthy", "Established", "Offered", "Installed", "ValidPipeline")
# What must be true for the object to be well, whatever Ready says.
_REQUIRED = (
    "Synced",
    "Responsive",
    "Established",
    "Installed",
    "Healthy",
    "ValidPipeline",
    "NamesAccepted",
    "LastAsyncOperation",
)


@dataclass(frozen=True, slots=True)
class Health:
    """One object's state; ``sentence`` says it in words, ``since`` is when it came to be so."""

    state: State
    sentence: str
    reason: str = ""
    since: str = ""


def health_of(obj: Object, *, is_reconciled: bool = True) -> Health:
    """Judge one object. ``is_reconciled``: a controller is expected to write conditions."""
    if is_terminating(obj):
        return _leaving(obj)
    conditions = {str(found.get("type")): found for found in conditions_of(obj)}
    synced = conditions.get("Synced", {})
    if annotations_of(obj).get(Annotation.PAUSED) == "true" or synced.get("reason") in _PAUSED:
        sentence = f"Paused: nothing changes until the annotation {Annotation.PAUSED} is removed."
        return Health("suspended", sentence, "Paused", str(synced.get("lastTransitionTime", "")))
    for name in _REQUIRED:
        found = conditions.get(name)
        if found is not None and found.get("status") == "False":
            if _WAITING in str(found.get("message")):
                return _health("progressing", found, "Waiting for what it refers to")
            return _health("degraded", found, f"{name} is false")
    for name in _DECISIVE:
        found = conditions.get(name)
        if found is not None:
            return _decide(name, found)
    if conditions:
        return _undecided(list(conditions.values()))
    return _without_conditions(obj, is_reconciled=is_reconciled)


def conditions_of(obj: Object) -> list[dict[str, Any]]:
    """Give ``status.conditions``, leaving out what is not a condition."""
    status = obj.get("status")
    found = status.get("conditions") if isinstance(status, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def worst(several: Iterable[Health]) -> Health | None:
    """Give the one to look at first."""
    return min(several, key=lambda health: RANK[health.state], default=None)


def _decide(name: str, condition: dict[str, Any]) -> Health:
    status, reason = condition.get("status"), str(condition.get("reason") or "")
    if status == "True":
        words = {
            "Ready": "Ready",
            "Established": "Established and served",
            "Healthy": "Installed and healthy",
        }
        return _health("healthy", {**condition, "message": ""}, words.get(name, name))
    if status == "False" and reason not in _UNDERWAY:
        return _health("degraded", condition, f"Not {name.lower()}")
    return _health("progressing", condition, _underway(name, reason))


def _underway(name: str, reason: str) -> str:
    words = {
        "Creating": "Being created",
        "Deleting": "Being deleted",
        "Waiting": "Waiting",
        "Pending": "Waiting",
    }
    return words.get(reason, f"Not {name.lower()} yet")


def _undecided(conditions: list[dict[str, Any]]) -> Health:
    false = [found for found in conditions if found.get("status") == "False"]
    if false:
        return _health("progressing", false[0], f"{false[0].get('type')} is false")
    if conditions[0].get("type") == "Synced":
        return _health("progressing", {**conditions[0], "message": ""}, "Accepted; not ready yet")
    return _health("healthy", {**conditions[0], "message": ""}, str(conditions[0].get("type")))


def _without_conditions(obj: Object, *, is_reconciled: bool) -> Health:
    phase = (obj.get("status") or {}).get("phase") if isinstance(obj.get("status"), dict) else None
    if phase:
        state: State = "healthy" if phase in ("Active", "Running", "Succeeded", "Bound") else "progressing"
        return Health(state, str(phase), str(phase))
    if is_reconciled:
        return Health(
            "progressing", "Waiting for its controller to look at it for the first time.", "Waiting"
        )
    return Health("healthy", "In place.", "", str(metadata(obj).get("creationTimestamp") or ""))


def _leaving(obj: Object) -> Health:
    meta = metadata(obj)
    broken = [
        found
        for found in conditions_of(obj)
        if found.get("type") == "Synced" and found.get("status") == "False"
    ]
    since = str(meta.get("deletionTimestamp"))
    if broken:
        return Health(
            "degraded",
            f"Deletion is stuck: {broken[0].get('message') or broken[0].get('reason')}",
            "Deleting",
            since,
        )
    holders = ", ".join(str(name) for name in meta.get("finalizers") or ())
    return Health(
        "progressing", f"Being deleted{f', waiting for {holders}' if holders else ''}.", "Deleting", since
    )


def _health(state: State, condition: dict[str, Any], words: str) -> Health:
    message = str(condition.get("message") or "").strip()
    sentence = message or f"{words}."
    if message and state == "progressing":
        sentence = f"{words}: {message}"
    return Health(
        state, sentence, str(condition.get("reason") or ""), str(condition.get("lastTransitionTime") or "")
    )
