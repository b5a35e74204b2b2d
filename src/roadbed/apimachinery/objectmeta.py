"""The shape of ``metadata``: which members there are, of which type, and what else is dropped.

Called by ``pruning`` for the object's own metadata and for that of every embedded resource.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go (ObjectMeta), whose decode errors are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .causes import invalid_value, text_of
from .errors import BadRequestError
from .timestamps import is_timestamp

# The Go struct and field that a decode error names, by the JSON type found.
_FOUND: Final = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}

Coerced = tuple[Any, list[str]]


class _MistypedError(Exception):
    """A member of metadata has another JSON type than its Go field."""


def coerce(metadata: Any, path: str, *, drop_invalid: bool) -> Coerced:
    """Give metadata with only known, well-typed, non-empty members, and the paths of unknown ones.

    Raises:
        BadRequestError: a member has the wrong type, and ``drop_invalid`` is off.
    """
    if not isinstance(metadata, dict):
        if drop_invalid:
            return {}, []
        raise _refused(path, metadata, f"{_found(metadata)} into Go value of type v1.ObjectMeta")
    kept: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in metadata.items():
        member = _MEMBERS.get(name)
        if member is None:
            unknown.append(f"{path}.{name}")
            continue
        if value is None or value == "":
            continue
        try:
            coerced, below = member(value, name)
        except _MistypedError as error:
            if drop_invalid:
                continue
            raise _refused(path, metadata, str(error)) from error
        unknown += [f"{path}.{each}" for each in below]
        if coerced not in ({}, []):
            kept[name] = coerced
    return kept, unknown


def _refused(path: str, metadata: Any, words: str) -> BadRequestError:
    cause = invalid_value(path, metadata, words if ":" in words else f"json: cannot unmarshal {words}")
    return BadRequestError(text_of(cause), causes=[cause])


def _found(value: Any) -> str:
    return _FOUND.get(type(value), "null")


def _mistyped(value: Any, where: str, wanted: str) -> _MistypedError:
    return _MistypedError(f"{_found(value)} into Go struct field {where} of type {wanted}")


def _string(value: Any, name: str) -> Coerced:
    if type(value) is not str:
        raise _mistyped(value, f"ObjectMeta.{name}", "types.UID" if name == "uid" else "string")
    return value, []


def _int64(value: Any, name: str) -> Coerced:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _mistyped(value, f"ObjectMeta.{name}", "int64")
    return value, []


def _time(value: Any, name: str) -> Coerced:
    if type(value) is not str:
        raise _mistyped(value, f"ObjectMeta.{name}", "string")
    if not is_timestamp(value):
        raise _MistypedError(
            f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
        )
    return value, []


def _strings(value: Any, name: str) -> Coerced:
    if type(value) is not dict:
        raise _mistyped(value, f"ObjectMeta.{name}", "map[string]string")
    for each in value.values():
        if type(each) is not str and each is not None:
            raise _mistyped(each, f"ObjectMeta.{name}", "string")
    if None in value.values():
        return {key: each or "" for key, each in value.items()}, []
    return value, []


def _list_of_strings(value: Any, name: str) -> Coerced:
    if type(value) is not list:
        raise _mistyped(value, f"ObjectMeta.{name}", "[]string")
    for each in value:
        if type(each) is not str:
            raise _mistyped(each, f"ObjectMeta.{name}", "string")
    return value, []


def _structs(go_type: str, members: dict[str, type]) -> Callable[[Any, str], Coerced]:
    """Make the check of a list of Go structs with scalar members (or, for ``dict``, any object)."""

    def check(value: Any, name: str) -> Coerced:
        if type(value) is not list:
            raise _mistyped(value, f"ObjectMeta.{name}", f"[]v1.{go_type}")
        kept, unknown = [], []
        for index, each in enumerate(value):
            if type(each) is not dict:
                raise _mistyped(each, f"ObjectMeta.{name}", f"v1.{go_type}")
            for member, found in each.items():
                wanted = members.get(member)
                if wanted is None:
                    unknown.append(f"{name}[{index}].{member}")
                elif found is not None and type(found) is not wanted:
                    raise _mistyped(found, f"{go_type}.{name}.{member}", _GO[wanted])
            if None in each.values() or not each.keys() <= members.keys():
                each = {key: found for key, found in each.items() if key in members and found is not None}  # noqa: PLW2901
            kept.append(each)
        return kept, unknown

    return check


_GO: Final[dict[type, str]] = {str: "string", bool: "bool", dict: "v1.FieldsV1"}

_OWNER: Final[dict[str, type]] = {
    "apiVersion": str, "kind": str, "name": str, "uid": str, "controller": bool, "blockOwnerDeletion": bool,
}  # fmt: skip
_MANAGED: Final[dict[str, type]] = {
    "manager": str, "operation": str, "apiVersion": str, "time": str, "fieldsType": str, "fieldsV1": dict,
    "subresource": str,
}  # fmt: skip

_MEMBERS: Final[dict[str, Callable[[Any, str], Coerced]]] = {
    "name": _string,
    "generateName": _string,
    "namespace": _string,
    "selfLink": _string,
    "uid": _string,
    "resourceVersion": _string,
    "generation": _int64,
    "creationTimestamp": _time,
    "deletionTimestamp": _time,
    "deletionGracePeriodSeconds": _int64,
    "labels": _strings,
    "annotations": _strings,
    "ownerReferences": _structs("OwnerReference", _OWNER),
    "finalizers": _list_of_strings,
    "managedFields": _structs("ManagedFieldsEntry", _MANAGED),
}
