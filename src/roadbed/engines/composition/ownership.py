"""Telling from an object's managedFields whether applying would change nothing.

Pure, used by ``writing`` for objects that were applied before this process began: without it every restart
would apply everything once more, only for the server to find that all is as it was.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#serialization
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from roadbed.apimachinery.objects import metadata
from roadbed.apimachinery.request import Object

from .compose import covers

Path = tuple[str, ...]

# The server never counts these as anybody's.
_UNOWNED = frozenset(
    {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "uid")}
)


def is_settled(live: Object, wanted: Object, manager: str, *, subresource: str = "") -> bool:
    """Say whether ``manager`` applied exactly the wanted fields, and all of them hold what is wanted.

    Lists count as one field. May say no where applying would change nothing, never yes where it would.
    """
    for entry in metadata(live).get("managedFields") or ():
        is_ours = entry.get("manager") == manager and entry.get("operation") == "Apply"
        if is_ours and (entry.get("subresource") or "") == subresource:
            return set(_owned(entry.get("fieldsV1") or {})) == set(_fields(wanted)) and covers(live, wanted)
    return False


def _owned(fields: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    nested = {name[2:]: value for name, value in fields.items() if name.startswith("f:")}
    if not nested:
        yield path
    for name, value in nested.items():
        yield from _owned(value, (*path, name))


def _fields(value: Any, path: Path = ()) -> Iterator[Path]:
    if path in _UNOWNED:
        return
    if not isinstance(value, dict) or not value:
        yield path
        return
    for name, member in value.items():
        yield from _fields(member, (*path, name))
