"""The checks that many kinds share, each giving causes in Kubernetes' words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required, too_long
from roadbed.apimachinery.errors import BadRequestError, Cause
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.names import (
    NameRule,
    dns_subdomain_errors,
    label_key_errors,
    label_value_errors,
    validate_labels,
)
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


def duplicate_struct(path: str, value: Mapping[str, Any]) -> Cause:
    """Say that a struct stands twice."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {orjson.dumps(value).decode()}", path)


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


_PORT_CHARACTERS = re.compile(r"[-a-z0-9]+")


def port_or_name(value: Any, path: str) -> list[Cause]:
    """Hold a number to be a port, a text to be the name of one."""
    if not isinstance(value, str):
        return port(value, path)
    texts = []
    if len(value) > 15:
        texts.append("must be no more than 15 characters")
    if not _PORT_CHARACTERS.fullmatch(value):
        texts.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        texts.append("must contain at least one letter (a-z)")
    if "--" in value:
        texts.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        texts.append("must not begin or end with a hyphen")
    return [invalid_value(path, value, text) for text in texts]


def named_driver(name: str, path: str) -> list[Cause]:
    """Hold a storage driver's name to what domains may be called, of 63 characters at most."""
    causes = [too_long(path, 63)] if len(name) > 63 else []
    return [*causes, *named(name.lower(), path, dns_subdomain_errors)]


_VALUED = ("In", "NotIn")
_UNVALUED = ("Exists", "DoesNotExist")


def label_selector(found: Any, path: str) -> list[Cause]:
    """Judge a LabelSelector, if there is one."""
    if not isinstance(found, dict):
        return []
    causes = validate_labels(found.get("matchLabels") or {}, f"{path}.matchLabels")
    for at, each in items(found, "matchExpressions", path):
        operator, values = each.get("operator", ""), each.get("values") or ()
        if operator in _VALUED and not values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            causes.append(required(f"{at}.values", text))
        elif operator in _UNVALUED and values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{at}.values", text))
        elif operator not in (*_VALUED, *_UNVALUED):
            causes.append(invalid_value(f"{at}.operator", operator, "not a valid selector operator"))
        causes += named(str(each.get("key", "")), f"{at}.key", label_key_errors)
        for index, value in enumerate(values):
            causes += named(str(value), f"{at}.values[{index}]", label_value_errors)
    return causes


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
    spec: Mapping[str, Any], template: Mapping[str, Any], kind: str, *, detail: str = "invalid label selector"
) -> tuple[list[Cause], bool]:
    """Judge a selector by itself and against its template's labels; and say whether it can be read.

    ``detail`` is said of one that can't, where Kubernetes then looks no further.
    """
    chosen = spec.get("selector")
    labels = part(template, "metadata").get("labels")
    mismatch = invalid_value(
        "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"
    )
    if chosen is None:
        return [required("spec.selector"), mismatch], True
    causes = label_selector(chosen, "spec.selector")
    is_empty = not chosen.get("matchLabels") and not chosen.get("matchExpressions")
    if is_empty:
        causes.append(invalid_value("spec.selector", chosen, f"empty selector is invalid for {kind}"))
    try:
        is_match = is_empty or Selector.of(chosen).matches(labels or {})
    except BadRequestError:
        return [*causes, invalid_value("spec.selector", chosen, detail)], False
    return [*causes, *([] if is_match else [mismatch])], True


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj
