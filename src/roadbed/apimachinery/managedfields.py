"""``metadata.managedFields``: its entries read, written, sorted, capped, and conflicts between them told.

Called by ``apply`` only. A ``Managed`` is a plain dict from *who* to *what*, in no order; it is built
from an object for one write and dropped afterwards. Field sets inside are shared with the object.

Source: k8s.io/apimachinery/pkg/util/managedfields
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from . import fieldset
from .errors import Cause, ConflictError
from .fieldset import Path, Trie

Operation = Literal["Apply", "Update"]

MAX_UPDATERS: Final = 10  # as Kubernetes: controllers with a name per version would pile up entries
ANCIENT: Final = "ancient-changes"


class Who(NamedTuple):
    """What tells one entry from another; an applier keeps its entry when it changes version."""

    manager: str
    operation: Operation
    api_version: str  # empty for Apply
    subresource: str


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one entry; ``time`` is RFC 3339 or empty."""

    fields: Trie
    api_version: str
    time: str = ""


Managed = dict[Who, Owned]
Conflict = tuple[Who, Path]


def who(manager: str, operation: Operation, api_version: str, subresource: str) -> Who:
    """Name an entry; a write without manager is by ``unknown``."""
    return Who(manager or "unknown", operation, "" if operation == "Apply" else api_version, subresource)


def decode(entries: Any) -> Managed:
    """Read ``managedFields``; absent reads as empty.

    Raises:
        ValueError: an entry is malformed; the message says how.
    """
    managed: Managed = {}
    if entries is not None and not isinstance(entries, list):
        raise ValueError("managedFields must be a list")
    for index, entry in enumerate(entries or ()):
        if not isinstance(entry, dict):
            raise ValueError(f"managed fields entry {index} is no map")  # noqa: TRY004
        operation = entry.get("operation")
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        api_version = entry.get("apiVersion")
        if not api_version or not isinstance(api_version, str):
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            kind = entry.get("fieldsType")
            problem = f'invalid fieldsType "{kind}"' if kind else "missing fieldsType"
            raise ValueError(f"{problem} in managed fields entry {index}")
        fields = entry.get("fieldsV1") or {}
        name = who(
            str(entry.get("manager") or ""), operation, api_version, str(entry.get("subresource") or "")
        )
        managed[name] = Owned(fields, api_version, str(entry.get("time") or ""))
    return managed


def decode_untrusted(entries: Any) -> Managed:
    """Read ``managedFields`` that a client sent, field sets checked, too.

    Raises:
        ValueError: an entry is malformed; the message says how.
    """
    managed = decode(entries)
    for owned in managed.values():
        fieldset.check_trie(owned.fields)
    return managed


def encode(managed: Managed) -> list[dict[str, Any]]:
    """Write entries in Kubernetes' order: appliers first, older first, then by name."""
    ordered = sorted(
        managed.items(),
        key=lambda each: (
            each[0].operation,
            each[1].time,
            each[0].manager,
            each[1].api_version,
            each[0].subresource,
        ),
    )
    return [_entry(name, owned) for name, owned in ordered]


def _entry(name: Who, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": name.manager,
        "operation": name.operation,
        "apiVersion": owned.api_version,
    }
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = owned.fields
    if name.subresource:
        entry["subresource"] = name.subresource
    return entry


def is_reset(entries: Any) -> bool:
    """Say whether a client asks for no managedFields at all: ``[]`` or ``[{}]``."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def cap_updaters(managed: Managed) -> Managed:
    """Merge the oldest Update entries, per version, until at most ten are left."""
    updaters = [name for name in managed if name.operation == "Update"]
    surplus = len(updaters) - MAX_UPDATERS
    if surplus <= 0:
        return managed
    capped = dict(managed)
    first_of: dict[str, Who] = {}
    for name in sorted(updaters, key=lambda each: (managed[each].time, each)):
        if surplus <= 0:
            break
        owned = capped[name]
        bucket = Who(ANCIENT, "Update", owned.api_version, "")
        first = first_of.setdefault(owned.api_version, name)
        if first == name:
            continue
        if bucket not in capped:
            capped[bucket] = capped.pop(first)
        fields = fieldset.union(owned.fields, capped[bucket].fields)
        if name != bucket:
            del capped[name]
            surplus -= 1
        capped[bucket] = Owned(fields, owned.api_version, owned.time)
    return capped


def drop_fields(managed: Managed, gone: Iterable[tuple[Who, Trie]]) -> None:
    """Take fields away from entries, in place; an entry without fields goes."""
    for name, fields in gone:
        left = fieldset.difference(managed[name].fields, fields)
        if left:
            managed[name] = replace(managed[name], fields=left)
        else:
            del managed[name]


def conflict_error(conflicts: Sequence[Conflict]) -> ConflictError:
    """Give the 409 that server-side apply answers with, one cause for each field."""
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_shown(name)}", fieldset.text_of(path))
        for name, path in conflicts
    ]
    if len(conflicts) == 1:
        name, path = conflicts[0]
        text = f"Apply failed with 1 conflict: conflict with {_shown(name)}: {fieldset.text_of(path)}"
        return ConflictError(text, causes=causes)
    lines = []
    for name in sorted({name for name, _ in conflicts}):
        lines.append(f"conflicts with {_shown(name)}:")
        lines += [f"- {fieldset.text_of(path)}" for other, path in conflicts if other == name]
    text = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    return ConflictError(text, causes=causes)


def _shown(name: Who) -> str:
    shown = f'"{name.manager}"'
    if name.subresource:
        shown += f' with subresource "{name.subresource}"'
    return f"{shown} using {name.api_version}" if name.operation == "Update" else shown
