"""What two servers answered differently: the first step, its places, and the class that they make.

Works on what ``tests.contract.normal`` gives, and goes further, because random requests go further than written
ones: allocated addresses and ports become words, and the causes of a 422 are compared as a set, each named by its
field, since their order is that in which a server looks. A *class* is what many findings have in common: the
request's form, the places without their indices, what stands there without its varying words. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.contract.corpus import Case, Step
from tests.contract.normal import differences

ACCEPTED = Path(__file__).parent / "accepted.yaml"
_ADDRESS = re.compile(r"\b10\.0\.\d{1,3}\.\d{1,3}\b")
_NODE_PORTS = ("nodePort", "healthCheckNodePort")
_INDEX = re.compile(r"\.\d+(?=\.|$)|\[\d+\]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\b\d+\b|\{.*\}|\[.*\]')
# A struct, which Go prints by its own names, and ours by those of the API; and the difference of two of them.
_STRUCT = re.compile(r'(Invalid|Unsupported|Duplicate) value: (?:\{.*\}|\[.*\]|null|"\{.*\}"):')
_REVISION = re.compile(r"(?<=resourceVersion: )\S+")
_SHORT = r"\1 value: <struct>:"
_SHOWN = 70  # characters of a value that tell its class
CAUSE = 110  # characters of a cause that do


@dataclass(frozen=True, slots=True)
class Finding:
    """The first step that was answered differently; ``places`` are (place, theirs, ours)."""

    step: int
    places: Sequence[tuple[str, Any, Any]]
    classes: frozenset[str]


def compare(case: Case, theirs: Sequence[Any], ours: Sequence[Any]) -> Finding | None:
    """Give the first step whose answers differ in what is not accepted."""
    for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
        step = case.steps[index]
        if not one["status"]:
            return None  # the real server hung up, as it does under load; what follows means nothing
        places = [
            found
            for found in differences(comparable(one), comparable(other))
            if not is_accepted(step, one, other, found)
        ]
        if places:
            places = _telling(places)
            classes = frozenset(each for found in places for each in _classes(step, *found))
            return Finding(index, places, classes)
    return None


def comparable(entry: dict[str, Any]) -> dict[str, Any]:
    """Give one normalised answer with all that may be chosen replaced, and the causes of a 422 as a set."""
    found: dict[str, Any] = _settled(entry)
    body = found.get("body")
    if isinstance(found["headers"].get("warning"), list):
        found["headers"] = {**found["headers"], "warning": sorted(found["headers"]["warning"])}
    if isinstance(body, str) and body.startswith(
        "apiVersion:"
    ):  # YAML, of which quotes are a matter of taste
        body = found["body"] = _settled(yaml.safe_load(_REVISION.sub("<revision>", body)))
    if found["status"] == 422 and isinstance(body, dict) and isinstance(body.get("details"), dict):
        causes = {
            f"{each.get('field')}: {_STRUCT.sub(_SHORT, str(each.get('message')).partition(chr(10))[0])}": each.get(
                "reason"
            )
            for each in body["details"].get("causes") or ()
            if each.get("field") != "patch"  # shows the whole patched object there, none of it here
        }
        details = {**body["details"], "causes": causes}
        found["body"] = {**body, "details": details, "message": "<causes>"}
    if found["status"] == 409 and isinstance(body, dict) and (body.get("details") or {}).get("causes"):
        # Conflicts come in the order of a Go map.
        causes = sorted(body["details"]["causes"], key=json.dumps)
        text = sorted(str(body.get("message", "")).splitlines())
        found["body"] = {**body, "details": {**body["details"], "causes": causes}, "message": text}
    return found


def _settled(value: Any, key: str = "") -> Any:
    if key == "managedFields" and isinstance(value, list):
        # Their order depends on times, which may or may not be of the same second.
        return {
            " ".join(str(each.get(name, "")) for name in ("manager", "operation", "subresource")): each
            for each in value
            if isinstance(each, dict)
        }
    if isinstance(value, dict):
        return {name: _settled(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_settled(member, key) for member in value]
    if key in _NODE_PORTS and isinstance(value, int) and 30_000 <= value < 32_768:
        return "<port>"
    return _ADDRESS.sub("<address>", value) if isinstance(value, str) else value


def _telling(places: Sequence[tuple[str, Any, Any]]) -> Sequence[tuple[str, Any, Any]]:
    """Give what tells a class: where the status differs, nothing else is worth telling."""
    status = [found for found in places if found[0] == "status"]
    if not status:
        return places
    bodies = [found for found in places if found[0] in ("body.details", "body.message")]
    return [*status, *bodies]


def _classes(step: Step, place: str, theirs: Any, ours: Any) -> list[str]:
    form = step.headers.get("content-type", "").partition("/")[2]
    if place == "body.details":  # one class for each cause, whatever the request was
        found = [("theirs", each) for each in _causes(theirs)] + [("ours", each) for each in _causes(ours)]
        return [f"only {side}: {each}" for side, each in found]
    if place.startswith("body.details.causes."):
        kind = step.body.get("kind") if isinstance(step.body, dict) else ""
        side = "ours" if theirs == "<absent>" else "theirs"
        return [f"only {side}: {kind} {_blurred(place.removeprefix('body.details.causes.'))[:CAUSE]}"]
    if place in ("status", "body.message") and {theirs, ours} & {422, "<causes>"}:
        return []  # told by the causes
    return [f"{step.method} {form} {_blurred(place)}: {_shown(theirs)} / {_shown(ours)}"]


def _causes(details: Any) -> list[str]:
    if not isinstance(details, dict):
        return []
    kind = details.get("kind")
    return [f"{kind} {_blurred(each)[:CAUSE]}" for each in details.get("causes") or ["none"]]


def _blurred(text: str) -> str:
    return _QUOTED.sub("_", _INDEX.sub("", text))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return _blurred(value)[:_SHOWN]
    if isinstance(value, (dict, list)):
        return type(value).__name__
    return json.dumps(value)


@cache
def accepted() -> tuple[dict[str, Any], ...]:
    """Give the accepted differences: patterns of place, status and texts, each with its reason."""
    found = yaml.safe_load(ACCEPTED.read_text()) or []
    return tuple(found)


def is_accepted(step: Step, theirs: Any, ours: Any, found: tuple[str, Any, Any]) -> bool:
    """Say whether an entry explains one difference in the answers to a step."""
    place, one, other = found
    return any(
        _fits(entry.get("do"), step.title)
        and _fits(entry.get("type"), step.headers.get("content-type", ""))
        and str(theirs["status"]) in str(entry.get("status", theirs["status"])).split()
        and str(ours["status"]) in str(entry.get("ours-status", ours["status"])).split()
        and any(fnmatchcase(place, each) for each in str(entry.get("at", "*")).split(" | "))
        and re.search(str(entry.get("theirs", "")), _text(one) + _message(theirs)) is not None
        and re.search(str(entry.get("ours", "")), _text(other)) is not None
        for entry in accepted()
    )


def _fits(pattern: Any, text: str) -> bool:
    return pattern is None or fnmatchcase(text, str(pattern))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _message(entry: dict[str, Any]) -> str:
    body = entry.get("body")
    return "\n" + str(body.get("message", "")) if isinstance(body, dict) else ""
