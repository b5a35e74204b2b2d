"""Server-side apply and the tracking of who owns which field.

Called by the API server's create, update, patch and apply handlers, once per write, with the live object
and the wanted one; pure, so callers may run it anywhere and at once. Nothing is kept between calls but
what is compiled from the schema. It neither validates nor defaults: run those on what comes back. Nor
does it keep status and spec apart: ``reset`` fields are not owned, and the strategy puts their values back.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from . import fieldset, managedfields, merging, ownership
from .errors import BadRequestError
from .fieldset import Path, Trie
from .managedfields import Conflict, Managed, Owned, Who
from .merging import Changes
from .objects import metadata, name_of, namespace_of
from .ownership import MisfitError
from .request import Object
from .structure import Structure

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
MAX_ANNOTATIONS_BYTES: Final = 256 * 1024
MAX_NAME: Final = 128

# What nobody owns: the server writes it, or it names the object.
_NEVER_OWNED: Final = fieldset.field_set(
    ("apiVersion",),
    ("kind",),
    ("metadata",),
    *(
        ("metadata", name)
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)


class _FieldConflicts(Exception):  # noqa: N818 - never leaves this module
    """Carries conflicts to where it is decided whether they count."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__()
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is applied, by whom, all its fields, and those of them that can be owned."""

    obj: Object
    name: Who
    fields: Trie
    ownable: Trie


@dataclass(frozen=True, slots=True)
class FieldManager:
    """Tracks field ownership for one served version (and one subresource) of a kind.

    ``structure`` types the fields of this version. ``versions`` types every other served version of the
    kind; entries of ``managedFields`` in a version that is in neither are dropped, as its fields can't be
    found any more (without ``versions``, all are taken to be of this one). ``reset`` names fields that a
    write through here never owns, as paths of field names: ``[("status",)]`` on the main resource when
    the kind has a status subresource, ``[("spec",), ("metadata",)]`` on the status subresource.
    """

    structure: Structure
    api_version: str
    subresource: str = ""
    reset: Sequence[Sequence[str]] = ()
    versions: Mapping[str, Structure] = field(default_factory=dict)
    zero: Callable[[], Object] = dict  # what a new object is before anything is set: its kind's empty values

    def update(self, live: Object | None, new: Object, *, manager: str, now: str) -> Object:
        """Give ``new`` with the ``metadata.managedFields`` that a create, update or patch leaves.

        ``live`` is None on create. ``manager`` is the ``fieldManager`` option or the user agent's name
        (see ``manager_name``); ``now`` is an RFC 3339 second. An update that changes no owned field
        leaves entries and their times as they are. ``new`` is not changed; the rest of it is shared.
        """
        if not isinstance(new.get("metadata"), dict):
            return new
        managed = self._managed_of(live, new)
        if live is None or managed:
            managed = self._track(live or self.zero(), new, managed, manager, now)
        return _with_entries(new, managed)

    def apply(self, live: Object | None, applied: Object, *, manager: str, force: bool, now: str) -> Object:
        """Give the object that applying ``applied`` over ``live`` makes, with its ``managedFields``.

        ``live`` is None when the object does not exist yet. If nothing changes, the result equals
        ``live``, times included, so that a no-op apply needs no write.

        Raises:
            ConflictError: fields are owned by others with other values; one cause for each.
            BadRequestError: ``applied`` has managedFields, another apiVersion, or does not fit the schema.
        """
        name = managedfields.who(manager, "Apply", self.api_version, self.subresource)
        fields = self._applied_fields(applied)
        wanted = _Wanted(applied, name, fields, fieldset.difference(fields, _NEVER_OWNED))
        try:
            managed = managedfields.decode(metadata(live or {}).get("managedFields"))
        except ValueError as error:
            raise BadRequestError(f"failed to decode managed fields: {error}") from error
        if live is not None and not managed:
            managed = self._track(self.zero(), live, {}, "before-first-apply", now)
        before = live or {}
        try:
            result, managed = self._apply(before, wanted, managed, force=force, now=now)
        except _FieldConflicts as found:
            conflicts = self._real_conflicts(found.conflicts, live, manager)
            if conflicts:
                raise managedfields.conflict_error(conflicts) from None
            result, managed = self._apply(before, wanted, managed, force=True, now=now)
        if manager == "kubectl":
            result = _renew_last_applied(result, applied)
        return _with_entries(result, managed)

    def _managed_of(self, live: Object | None, new: Object) -> Managed:
        """Read the entries to go on from: the client's, or, when it sent none or nonsense, the live ones."""
        if not self.subresource:
            sent = metadata(new).get("managedFields")
            if managedfields.is_reset(sent):
                return {}
            current = metadata(live or {}).get("managedFields")
            if sent and sent != current:
                try:
                    return managedfields.decode_untrusted(sent)
                except ValueError:
                    pass  # as Kubernetes: a client that garbles managedFields can't destroy them
        try:
            return managedfields.decode(metadata(live or {}).get("managedFields"))
        except ValueError:
            return {}

    def _track(self, old: Object, new: Object, managed: Managed, manager: str, now: str) -> Managed:
        """Give the entries after a write that was not an apply."""
        changes = self._changes(old, new)
        left = self._known_versions(managed)
        self._take_over(left, changes, None)
        fields = fieldset.difference(fieldset.union(changes.modified, changes.added), _NEVER_OWNED)
        if fields:
            name = managedfields.who(manager, "Update", self.api_version, self.subresource)
            previous = left.get(name)
            if previous is not None:
                fields = fieldset.union(previous.fields, fields)
            left[name] = Owned(fields, self.api_version, now)
        return managedfields.cap_updaters(left)

    def _apply(
        self, live: Object, wanted: _Wanted, managed: Managed, *, force: bool, now: str
    ) -> tuple[Object, Managed]:
        """Merge, prune, and settle who owns what."""
        left = self._known_versions(managed, follow=True)
        last = left.get(wanted.name)
        merged: Object = merging.merge(self.structure, live, wanted.obj)
        time = "" if last is None else last.time
        left[wanted.name] = Owned(wanted.fields, self.api_version, time)
        result = merged
        if last is not None and fieldset.difference(last.fields, wanted.ownable):
            result = self._prune(merged, left, last.fields)
        left[wanted.name] = Owned(wanted.ownable, self.api_version, time)
        if not merging.equal(result, live):
            changes = self._changes(live, result)
            conflicts = self._take_over(left, changes, wanted.name, dry=not force)
            if conflicts:
                raise _FieldConflicts(conflicts)
            left[wanted.name] = Owned(wanted.ownable, self.api_version, now)
        if not wanted.ownable:
            del left[wanted.name]
        return result, left

    def _prune(self, merged: Object, managed: Managed, last: Trie) -> Object:
        """Drop what the manager applied before, applies no more, and nobody else owns."""
        structure = self.structure
        owned: Trie = {}
        for each in managed.values():
            owned = fieldset.union(owned, each.fields)
        last = ownership.with_named(structure, last)
        everything = ownership.with_named(structure, ownership.fields_of(structure, merged))
        pruned = merging.remove(structure, merged, last) or {}
        # A list item that was removed may hold fields of others: put those, and the way to them, back.
        kept = ownership.with_named(structure, ownership.fields_of(structure, pruned))
        kept = fieldset.union(kept, ownership.with_named(structure, owned))
        unowned = fieldset.difference(everything, kept)
        pruned = merging.remove(structure, merged, unowned) or {}
        # What nobody owns (a default, say) was not ours to remove, unless its item went.
        kept = ownership.with_named(structure, ownership.fields_of(structure, pruned))
        gone = fieldset.intersection(fieldset.difference(everything, kept), last)
        result: Object = merging.remove(structure, merged, gone, owned) or {}
        return result

    def _take_over(
        self, managed: Managed, changes: Changes, applier: Who | None, *, dry: bool = False
    ) -> list[Conflict]:
        """Take changed and removed fields from all other entries, in place; with ``dry`` only tell which."""
        came = fieldset.union(changes.modified, changes.added)
        if not came and not changes.removed:
            return []
        changed = fieldset.union(came, changes.removed)
        conflicts: list[Conflict] = []
        gone: list[tuple[Who, Trie]] = []
        for name, owned in managed.items():
            if name == applier:
                continue
            fields = ownership.follow_schema(self.structure, owned.fields, changed)
            if fields is not owned.fields:
                managed[name] = replace(owned, fields=fields)
            lost = fieldset.intersection(fields, came)
            if lost and dry:
                conflicts += [(name, path) for path in fieldset.paths(lost)]
            if lost or changes.removed:
                gone.append((name, fieldset.union(lost, changes.removed)))
        if not conflicts:
            managedfields.drop_fields(managed, gone)
        return conflicts

    def _changes(self, old: Object, new: Object) -> Changes:
        """Compare two objects, managedFields and reset fields left out."""
        changes = merging.compare(self.structure, _without_entries(old), _without_entries(new))
        if not self.reset:
            return changes
        reset = self._reset_fields()
        return Changes(*(fieldset.without(each, reset) for each in changes))

    def _reset_fields(self) -> Trie:
        return fieldset.field_set(*self.reset) if self.reset else {}

    def _known_versions(self, managed: Managed, *, follow: bool = False) -> Managed:
        known = dict(managed)
        for name, owned in managed.items():
            version = owned.api_version
            if version != self.api_version and self.versions and version not in self.versions:
                del known[name]
            elif follow:
                structure = self.versions.get(version, self.structure)
                fields = ownership.follow_schema(structure, owned.fields)
                if fields is not owned.fields:
                    known[name] = replace(owned, fields=fields)
        return known

    def _applied_fields(self, applied: Object) -> Trie:
        """Judge an applied object and give the fields that its manager will own."""
        if applied.get("apiVersion") != self.api_version:
            raise BadRequestError(
                "Incorrect version specified in apply patch. Specified patch version: "
                f"{applied.get('apiVersion')}, expected: {self.api_version}"
            )
        if metadata(applied).get("managedFields") is not None:
            raise BadRequestError("metadata.managedFields must be nil")
        try:
            fields = ownership.applied_fields_of(self.structure, applied)
        except MisfitError as error:
            faults = ownership.faults(self.structure, applied)
            text = faults[0] if len(faults) == 1 else "errors:\n" + "\n".join(f"  {each}" for each in faults)
            version = self.api_version if "/" in self.api_version else f"/{self.api_version}"
            what = f"{namespace_of(applied)}/{name_of(applied)}; {version}, Kind={applied.get('kind')}"
            raise BadRequestError(f"failed to create typed patch object ({what}): {text}") from error
        return fieldset.without(fields, self._reset_fields())

    def _real_conflicts(self, conflicts: list[Conflict], live: Object | None, manager: str) -> list[Conflict]:
        """Leave out what client-side apply wrote last, when it is kubectl that moves to server-side."""
        if manager != "kubectl" or live is None:
            return conflicts
        mine = self._last_applied_fields(live)
        return [each for each in conflicts if not _has(mine, each[1])]

    def _last_applied_fields(self, live: Object) -> Trie:
        text = (metadata(live).get("annotations") or {}).get(LAST_APPLIED)
        try:
            applied = orjson.loads(text or "null")
            if not isinstance(applied, dict) or applied.get("apiVersion") != self.api_version:
                return {}
            fields = ownership.fields_of(self.structure, applied)
        except orjson.JSONDecodeError:
            return {}
        for each in merging.compare(self.structure, applied, live):
            fields = fieldset.difference(fields, each)
        return fields


def manager_name(field_manager: str, user_agent: str) -> str:
    """Give the manager's name as Kubernetes does: the option, or the user agent up to its first slash."""
    if field_manager:
        return field_manager
    name = "".join(filter(str.isprintable, user_agent.split("/", maxsplit=1)[0]))
    return name.encode()[:MAX_NAME].decode(errors="ignore")


def _has(fields: Trie, path: Path) -> bool:
    node = fields
    for element in path:
        if element not in node:
            return False
        node = node[element]
    return fieldset.is_member(node)


def _without_entries(obj: Object) -> Object:
    found = obj.get("metadata")
    if not isinstance(found, dict) or "managedFields" not in found:
        return obj
    return {**obj, "metadata": {name: each for name, each in found.items() if name != "managedFields"}}


def _with_entries(obj: Object, managed: Managed) -> Object:
    kept: dict[str, Any] = {name: each for name, each in metadata(obj).items() if name != "managedFields"}
    if managed:
        kept["managedFields"] = managedfields.encode(managed)
    return {**obj, "metadata": kept}


def _renew_last_applied(obj: Object, applied: Object) -> Object:
    """Keep kubectl's client-side annotation in step, where the object has one."""
    annotations = metadata(obj).get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return obj
    config = dict(applied)
    if metadata(applied).get("annotations"):
        others = {k: v for k, v in applied["metadata"]["annotations"].items() if k != LAST_APPLIED}
        config["metadata"] = {**applied["metadata"], "annotations": others}
    text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    renewed = {**annotations, LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in renewed.items()) > MAX_ANNOTATIONS_BYTES:
        del renewed[LAST_APPLIED]
    return {**obj, "metadata": {**metadata(obj), "annotations": renewed}}
