"""Readiness checks and connection details of patch-and-transform, read off one observed resource.

Called by ``patch_and_transform``. Both are parsed (and so checked) before the first resource is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from roadbed.apimachinery import fieldpath
from roadbed.apimachinery.request import Object

from .inputs import Reader, invalid, required


@dataclass(frozen=True, slots=True)
class Check:
    """One readiness check; ``expected`` is the value, or (type, status) for a condition."""

    type: str
    path: str = ""
    expected: Any = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One connection detail: where its value comes from."""

    name: str
    type: str
    source: str


def parse_checks(reader: Reader) -> tuple[Check, ...]:
    """Parse ``readinessChecks``.

    Raises:
        InputError: a check is wrong.
    """
    return tuple(_check(check) for check in reader.children("readinessChecks"))


def parse_details(reader: Reader) -> tuple[Detail, ...]:
    """Parse ``connectionDetails``.

    Raises:
        InputError: a detail is wrong.
    """
    return tuple(_detail(detail) for detail in reader.children("connectionDetails"))


def is_ready(checks: tuple[Check, ...], observed: Object) -> bool:
    """Say whether all checks hold; without any, whether the condition Ready is True.

    Raises:
        fieldpath.FieldPathError: a check meets a value of another type.
    """
    if not checks:
        return condition_status(observed, "Ready") == "True"
    for index, check in enumerate(checks):
        try:
            if not _holds(check, observed):
                return False
        except fieldpath.FieldNotFoundError:
            return False
        except fieldpath.FieldPathError as error:
            raise fieldpath.FieldPathError(f"cannot run readiness check at index {index}: {error}") from error
    return True


def condition_status(obj: Object, kind: str) -> str:
    """Give the status of a condition, Unknown where it is not there."""
    status = obj.get("status")
    for condition in (status.get("conditions") if isinstance(status, dict) else None) or ():
        if isinstance(condition, dict) and condition.get("type") == kind:
            return str(condition.get("status", "Unknown"))
    return "Unknown"


def extract(
    details: tuple[Detail, ...], observed: Object, connection: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Give the details whose source is there; the others may come later."""
    found: dict[str, bytes] = {}
    for detail in details:
        if detail.type == "FromValue":
            found[detail.name] = detail.source.encode()
        elif detail.type == "FromConnectionSecretKey":
            if detail.source in connection:
                found[detail.name] = connection[detail.source]
        else:
            try:
                value = fieldpath.get(observed, detail.source)
            except fieldpath.FieldPathError:
                continue
            found[detail.name] = value.encode() if isinstance(value, str) else orjson.dumps(value)
    return found


_NEEDS = {
    "NonEmpty": "",
    "MatchString": "matchString",
    "MatchInteger": "matchInteger",
    "MatchTrue": "",
    "MatchFalse": "",
}
_SOURCES = {
    "FromValue": "value",
    "FromConnectionSecretKey": "fromConnectionSecretKey",
    "FromFieldPath": "fromFieldPath",
}


def _check(reader: Reader) -> Check:
    kind = reader.text("type")
    if kind == "None":
        return Check(kind)
    if kind == "MatchCondition":
        condition = reader.child("matchCondition")
        if condition is None:
            raise required(reader.at("matchCondition"), "cannot be nil for type MatchCondition")
        for name in ("type", "status"):
            if not condition.text(name):
                raise required(condition.at(name), "cannot be empty for type MatchCondition")
        return Check(kind, expected=(condition.text("type"), condition.text("status")))
    if kind not in _NEEDS:
        raise invalid(reader.at("type"), kind, "unknown readiness check type")
    needed = _NEEDS[kind]
    if needed and not reader.has(needed):
        raise required(reader.at(needed), f"cannot be nil for type {kind}")
    text = reader.text("fieldPath")
    if not text:
        raise required(reader.at("fieldPath"), "cannot be empty")
    expected = reader.integer(needed) if kind == "MatchInteger" else reader.value.get(needed)
    return Check(kind, text, expected)


def _holds(check: Check, observed: Object) -> bool:
    if check.type == "None":
        return True
    if check.type == "MatchCondition":
        kind, status = check.expected
        return bool(condition_status(observed, kind) == status)
    value = fieldpath.get(observed, check.path)
    if check.type == "NonEmpty":
        return True
    if check.type == "MatchString":
        return bool(_typed(value, str, check, "a string") == check.expected)
    if check.type == "MatchInteger":
        return bool(_typed(value, int, check, "a (int64) number") == check.expected)
    return bool(_typed(value, bool, check, "a bool") is (check.type == "MatchTrue"))


def _typed(value: Any, kind: type, check: Check, wanted: str) -> Any:
    if isinstance(value, float) and kind is int and value.is_integer():
        value = int(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise fieldpath.FieldPathError(f"{check.path}: not {wanted}")
    return value


def _detail(reader: Reader) -> Detail:
    kind = reader.text("type")
    if not kind:
        raise required(reader.at("type"), "connection detail type is required")
    field = _SOURCES.get(kind)
    if field is None:
        raise invalid(reader.at("type"), kind, "unknown connection detail type")
    if not reader.text("name"):
        raise required(reader.at("name"), "name is required")
    if not reader.has(field):
        raise required(reader.at(field), f"{kind} connection detail requires {field}")
    return Detail(reader.text("name"), kind, reader.text(field))
