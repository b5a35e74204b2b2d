"""``roadbed fsck``: everything in a data folder's store read, decoded and judged; nothing is changed.

Runs in the command's process, on one moment of the store, beside a platform or without one. Secrets are opened to
see that they do, and what they hold is dropped at once: no finding ever quotes a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from roadbed.apis import kubernetes
from roadbed.apiserver import AesSealer, KeyFileError, SealError
from roadbed.interfaces.cli import PlatformError
from roadbed.interfaces.cli.maintenance import CheckReport, Finding, Tell
from roadbed.storage import Record, StorageError
from roadbed.storage.maintenance import inspect_store

from . import judgement
from .backup import STORE
from .judgement import DEFINITIONS, RESTORE, Kept, Place

KEY_FILE = "secrets.key"
OBJECTS_PER_WORD = 2_000


def check(data_dir: Path, tell: Tell) -> CheckReport:
    """Look at the store.

    Raises:
        PlatformError: there is none, it can't be read at all, or a newer Roadbed wrote it.
    """
    path = data_dir / STORE
    tell("reading every page and checksum")
    try:
        found = inspect_store(path)
    except StorageError as error:
        raise PlatformError(
            f"cannot check {path}: {error}", "name the folder of `roadbed up` with --data-dir"
        ) from error
    damage = [Finding("error", str(path), text, "restore a backup") for text in found.damage]
    findings = _Reader(data_dir, tell).read(found.records)
    return CheckReport(
        store=path,
        objects=len(found.records),
        revision=found.summary.revision,
        compacted=found.summary.compacted,
        size_bytes=found.size_bytes,
        findings=tuple(judgement.shortened([*damage, *findings])),
    )


class _Reader:
    """Decodes one store's records, remembering of each what the checks across objects need."""

    def __init__(self, data_dir: Path, tell: Tell) -> None:
        self._tell = tell
        self._kept: list[Kept] = []
        self._definitions: list[tuple[Place, Mapping[str, Any]]] = []
        self._key_trouble = ""
        self._sealer: AesSealer | None = None
        try:
            if (data_dir / KEY_FILE).exists():  # opening would make one
                self._sealer = AesSealer.open_folder(data_dir)
            else:
                self._key_trouble = f"there is no {KEY_FILE} in {data_dir}"
        except KeyFileError as error:
            self._key_trouble = str(error)

    def read(self, records: Mapping[str, Record]) -> Iterator[Finding]:
        """Give every finding about the objects."""
        for number, record in enumerate(records.values()):
            if number % OBJECTS_PER_WORD == 0:
                self._tell(f"decoding objects: {100 * number // max(len(records), 1)} %")
            yield from self._one(record)
        self._tell("comparing objects with each other")
        yield from self._across()

    def _one(self, record: Record) -> Iterator[Finding]:
        place = Place.of(record.key)
        if place is None:
            yield Finding("error", record.key, "is no place of an object", RESTORE)
            return
        try:
            obj = orjson.loads(self._opened(record))
        except SealError as error:
            yield Finding("error", record.key, f"does not open: {error}", f"restore {KEY_FILE} from a backup")
            return
        except orjson.JSONDecodeError:
            yield Finding("error", record.key, "does not decode: it is no JSON", RESTORE)
            return
        if not isinstance(obj, dict):
            yield Finding("error", record.key, "does not decode: it is no object", RESTORE)
            return
        troubles = list(judgement.of_object(place, record.revision, obj))
        yield from troubles
        meta = obj.get("metadata")
        if not isinstance(meta, dict):
            return
        version = str(obj.get("apiVersion", "")).rpartition("/")[2]
        owners = tuple(each for each in meta.get("ownerReferences") or () if isinstance(each, dict))
        is_terminating = bool(meta.get("deletionTimestamp"))
        self._kept.append(Kept(place, version, str(meta.get("uid") or ""), owners, is_terminating))
        if (place.group, place.plural) == DEFINITIONS:
            self._definitions.append((place, obj))

    def _opened(self, record: Record) -> bytes:
        if self._sealer is not None:
            return self._sealer.open(record.value, context=record.key)
        if record.value.startswith(b"\x00"):
            raise SealError(self._key_trouble)
        return record.value

    def _across(self) -> Iterator[Finding]:
        resources = {(each.group, each.plural): each.namespaced for each in kubernetes.SERVED}
        kinds = {(each.group, each.kind): each.plural for each in kubernetes.SERVED}
        used: dict[tuple[str, str], set[str]] = {}
        for kept in self._kept:
            used.setdefault((kept.place.group, kept.place.plural), set()).add(kept.version)
        for place, obj in self._definitions:
            spec = obj.get("spec") or {}
            names = spec.get("names") or {}
            home = (str(spec.get("group")), str(names.get("plural")))
            resources[home] = spec.get("scope") == "Namespaced"
            kinds[home[0], str(names.get("kind"))] = home[1]
            yield from judgement.of_definition(place, obj, used.get(home, ()))
        yield from judgement.of_uids(self._kept)
        yield from judgement.of_homes(self._kept, resources)
        yield from judgement.of_owners(self._kept, kinds)
