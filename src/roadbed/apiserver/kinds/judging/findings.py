"""The checks that many kinds share, each giving causes in Kubernetes' words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from roadbed.apimachinery.causes import invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.names import NameRule
from roadbed.apimachinery.request import Object

PROTOCOLS = ("TCP", "UDP", "SCTP")


def part(obj: Any, *names: str) -> dict[str, Any]:
    """Give the object at a path of members; an empty one where there is none."""
    for name in names:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def items(obj: Mapping[str, Any], member: str, path: str = "") -> Iterable[tuple[str, Any]]:
    """Give each item of a list with its path."""
    place = f"{path}.{member}" if path else member
    return [(f"{place}[{index}]", each) for index, each in enumerate(obj.get(member) or ())]


def invalid_struct(path: str, value: Mapping[str, Any], detail: str) -> Cause:
    """Say that a struct is malformed, its members shown in the order given, as Go prints its types."""
    return Cause("FieldValueInvalid", f"Invalid value: {orjson.dumps(value).decode()}: {detail}", path)


def unsupported_struct(path: str, value: Mapping[str, Any], known: Sequence[str]) -> Cause:
    """Say that a struct names none of an enumeration."""
    listed = ", ".join(f'"{each}"' for each in known)
    shown = orjson.dumps(value).decode()
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {listed}", path)


def not_negative(obj: Mapping[str, Any], path: str, *members: str) -> list[Cause]:
    """Refuse negative numbers in members that are set."""
    return [
        invalid_value(f"{path}.{member}", obj[member], "must be greater than or equal to 0")
        for member in members
        if isinstance(obj.get(member), int) and obj[member] < 0
    ]


def one_of(
    obj: Mapping[str, Any], path: str, member: str, known: Sequence[str], *, shown: Sequence[str] = ()
) -> list[Cause]:
    """Refuse a value outside an enumeration; ``shown`` is its order in the message, sorted where not given."""
    found = obj.get(member)
    if found is None or found in known:
        return []
    return [not_supported(f"{path}.{member}" if path else member, found, shown or sorted(known))]


def needed(obj: Mapping[str, Any], path: str, member: str, detail: str = "") -> list[Cause]:
    """Refuse an empty member."""
    prefix = f"{path}." if path else ""
    return [] if obj.get(member) else [required(f"{prefix}{member}", detail)]


def named(text: str, path: str, rule: NameRule) -> list[Cause]:
    """Hold a name to a rule."""
    return [invalid_value(path, text, error) for error in rule(text)]


def port(value: Any, path: str) -> list[Cause]:
    """Hold a number to be a port."""
    if isinstance(value, int) and not 1 <= value <= 65_535:
        return [invalid_value(path, value, "must be between 1 and 65535, inclusive")]
    return []


def unchanged(new: Object, old: Object | None, path: str, detail: str = "field is immutable") -> list[Cause]:
    """Refuse a change of what is at a dotted path."""
    if old is None:
        return []
    before, after = _at(old, path), _at(new, path)
    if before == after:
        return []
    if isinstance(after, dict):
        order = ("metadata", "matchLabels", "matchExpressions")  # as the Go types have them
        first = {name: after[name] for name in order if name in after}
        return [invalid_struct(path, first | after, detail)]
    return [invalid_value(path, after, detail)]


def selected(
    spec: Mapping[str, Any], template: Mapping[str, Any], kind: str, *, refuses_empty: bool = True
) -> tuple[list[Cause], list[Cause]]:
    """Judge a selector by itself, and against its template's labels."""
    chosen = spec.get("selector")
    labels = part(template, "metadata").get("labels")
    mismatch = invalid_value(
        "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"
    )
    if chosen is None:
        return [required("spec.selector")], [mismatch]
    is_empty = not chosen.get("matchLabels") and not chosen.get("matchExpressions")
    own = (
        [invalid_value("spec.selector", chosen, f"empty selector is invalid for {kind}")] if is_empty else []
    )
    try:
        matches = Selector.of(chosen).matches(labels or {})
    except Exception:  # noqa: BLE001 - whatever is wrong with the selector, this is how it is told
        return [invalid_value("spec.selector", chosen, "invalid label selector")], []
    return own, [] if matches or (is_empty and refuses_empty) else [mismatch]


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj
