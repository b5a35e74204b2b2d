"""Makes answers comparable: what is different in every run gets a name that is the same in every run.

Uids are numbered in order of appearance within a case, revisions of objects in their own order; times, ages,
continue tokens, generated name suffixes and revisions of the whole store become words. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .asking import Heard, at
from .corpus import Case, Step

VARIES = "<varies>"
STEM_LENGTH = 58  # of a generated name: five characters less than 63
_UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_AGE = re.compile(r"\d+s|\d+m(\d+s)?")
_HASH = re.compile(r"(?<=\?hash=)[0-9A-F]{32,}")
_CURRENT = re.compile(r"(current: |too old resource version: \d+ \()\d+")
_AFTER = re.compile(r"(?<=[^\w.:-])\d{3,}(?=[^\w.:-]|$)")
# Only what a client can act on. An ETag, a nonce or a date is compared by its presence.
HEADERS = (
    "allow",
    "cache-control",
    "content-encoding",
    "content-type",
    "etag",
    "location",
    "retry-after",
    "vary",
    "warning",
    "www-authenticate",
)
_PRESENT = ("etag",)


def normalised(case: Case, heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """Give the recording of one case: one entry for each step."""
    stems = [str(at(step.body, "metadata.generateName") or "") for step in case.steps]
    parts: list[Any] = []
    for step, each in zip(case.steps, heard, strict=True):
        parts += [at(each.body, place) for place in step.keep] if step.keep else [each.body]
        parts += each.events
    words = _Words(parts, stems)
    return [_entry(step, each, words) for step, each in zip(case.steps, heard, strict=True)]


def _entry(step: Step, heard: Heard, words: _Words) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "do": step.title,
        "status": heard.status,
        "headers": _headers(heard.headers, words),
    }
    if step.watch:
        entry["events"] = [words.replace(event) for event in heard.events]
    if heard.body is not None:
        body = _picked(heard.body, step.pick) if step.pick else heard.body
        body = words.replace(body)
        entry["body"] = {place: at(body, place) for place in step.keep} if step.keep else body
    return entry


def _picked(body: Any, pick: Mapping[str, Any]) -> Any:
    """Give the members of one list that are meant, in the order in which they are named."""
    members = at(body, pick["list"])
    if not isinstance(members, list):
        return body
    found = {str(at(member, pick["by"])): member for member in members}
    return [found.get(name, f"no {name}") for name in pick["of"]]


def _headers(pairs: Iterable[tuple[str, str]], words: _Words) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for raw, value in pairs:
        name = raw.lower()
        if name not in HEADERS:
            continue
        text = "<present>" if name in _PRESENT else words.replace(value)
        if name == "warning":
            found.setdefault(name, []).append(text)
        elif name == "vary":
            found[name] = ", ".join(sorted({*filter(None, (found.get(name), text))}))
        else:
            found[name] = text
    return found


class _Words:
    """What the varying values of one case are called."""

    def __init__(self, parts: Sequence[Any], stems: Iterable[str]) -> None:
        self._uids: dict[str, str] = {}
        known = "|".join(re.escape(stem[:STEM_LENGTH]) for stem in stems if stem)
        self._generated = re.compile(f"({known})[bcdfghjklmnpqrstvwxz2456789]{{5}}" if known else r"(?!)()")
        revisions: set[str] = set()
        for part in parts:
            self._collect(part, revisions)
        ordered = sorted(revisions, key=int)
        self._revisions = {found: f"<revision {index + 1}>" for index, found in enumerate(ordered)}

    def replace(self, value: Any, key: str = "") -> Any:
        """Give a value with everything that varies replaced."""
        if isinstance(value, dict):
            is_whole = key == "metadata" and "uid" not in value and "name" not in value
            return {
                self.replace(name): (
                    self._revision(member, is_whole=is_whole)
                    if name == "resourceVersion" and isinstance(member, str)
                    else self.replace(member, name)
                )
                for name, member in value.items()
            }
        if isinstance(value, list):
            return [self.replace(member, key) for member in value]
        return self._text(value, key) if isinstance(value, str) else value

    def _revision(self, text: str, *, is_whole: bool) -> str:
        if not text.isdigit():
            return text
        return "<revision of the store>" if is_whole else self._revisions.get(text, "<revision>")

    def _text(self, text: str, key: str) -> str:
        if key == "continue":
            return "<continue>" if text else text
        if key == "cells" and _AGE.fullmatch(text):
            return "<age>"
        text = _UID.sub(lambda found: self._uids.setdefault(found[0], f"<uid {len(self._uids) + 1}>"), text)
        text = _TIME.sub("<time>", text)
        text = _HASH.sub("<hash>", text)
        text = _CURRENT.sub(r"\1<revision>", text)
        if key in ("message", "detail"):
            text = _AFTER.sub(lambda found: self._revisions.get(found[0], found[0]), text)
        return self._generated.sub(r"\1<random>", text)

    def _collect(self, value: Any, revisions: set[str]) -> None:
        if isinstance(value, list):
            for member in value:
                self._collect(member, revisions)
        if not isinstance(value, dict):
            return
        if "resourceVersion" in value and ("uid" in value or "name" in value):
            text = value["resourceVersion"]
            if isinstance(text, str) and text.isdigit():
                revisions.add(text)
        for member in value.values():
            self._collect(member, revisions)


def merged(first: Any, second: Any) -> Any:
    """Give what two runs of the same server have in common; where they differ, the word for that."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {
            name: merged(first[name], second[name]) if name in first and name in second else VARIES
            for name in {**first, **second}
        }
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [merged(one, other) for one, other in zip(first, second, strict=True)]
    return first if first == second else VARIES


def differences(theirs: Any, ours: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    """Give every place where ours is not theirs, with both values; an absent one is ``<absent>``."""
    if theirs in (ours, VARIES):
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for name in sorted({*theirs, *ours}):
            below = f"{place}.{name}" if place else name
            found += differences(theirs.get(name, "<absent>"), ours.get(name, "<absent>"), below)
        return found
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        found = []
        for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            found += differences(one, other, f"{place}.{index}")
        return found
    return [(place, theirs, ours)]
