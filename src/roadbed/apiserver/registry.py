"""What is served: one ``Served`` for every resource and version, built-in kinds and CRDs alike.

Filled by ``builtin`` at start and by ``crd`` whenever a definition changes; read by every request,
discovery and OpenAPI. A ``Served`` is never changed: a new schema is a new ``Served`` with a cache of its
own, and watches on the old one end in good order, so that clients resume on the new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from roadbed.apimachinery import scaleowners
from roadbed.apimachinery.apply import FieldManager
from roadbed.apimachinery.cel import CelRules
from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.structure import Structure

from .columns import PLAIN, Column
from .openapi import Published
from .strategy import Strategy
from .watchcache import Entry, Hub, WatchCache

if TYPE_CHECKING:
    from .definitions.converting import Converter
    from .definitions.stored import Versions

_KEPT = 64  # converted objects remembered beyond twice the live ones
Convert = Callable[[Object], Object]
Open = Callable[[bytes, str], bytes]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a kind keeps the numbers of its scale subresource."""

    spec_path: tuple[str, ...]
    status_path: tuple[str, ...]
    selector_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A schema in all the forms that requests need."""

    schema: Schema | None
    rules: CelRules | None
    structure: Structure


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Definition:
    """What makes a resource what it is: all that ``Served`` is built from."""

    resource: Resource
    strategy: Strategy
    compile: Callable[[], Compiled]  # asked on first use: a platform has many kinds and uses few
    settle: Callable[[], Callable[[Object], None] | None] = _nothing  # what Go types make of an object
    empty: Callable[[], Object] = dict  # an object before anything in it is set
    openapi: Mapping[str, Any] | None = None  # a CRD's own schema; built-in kinds have theirs as data
    siblings: Callable[[], Mapping[str, Structure]] = dict  # the other versions' structures by apiVersion
    columns: Sequence[Column] = PLAIN
    list_kind: str = ""
    home: str = ""
    is_custom: bool = False
    is_sealed: bool = False
    has_status: bool = False
    scale: Scale | None = None
    replicas: scaleowners.Places = field(default_factory=dict)  # of scales in the other versions
    storage_version: str = ""
    to_storage: Convert | None = None  # None: only apiVersion differs
    from_storage: Convert | None = None
    converter: Converter | None = None  # None: versions differ in name only
    versions: Versions | None = None  # what stored objects of a custom kind become
    has_versions: bool = False  # objects may be stored in another version than is stored now
    deprecation: str = ""  # what users of this version are warned of
    refusal: str = ""  # why nothing can be created now


class Served:
    """One resource in one version, ready for requests."""

    def __init__(self, definition: Definition, hub: Hub, open_value: Open) -> None:
        resource = definition.resource
        self.definition = definition
        self.resource = resource
        self.strategy = definition.strategy
        self.columns = definition.columns
        self.is_custom = definition.is_custom
        self.is_sealed = definition.is_sealed
        self.has_status = definition.has_status
        self.list_kind = definition.list_kind or f"{resource.kind}List"
        self.home = definition.home or f"/{resource.group or 'core'}/{resource.plural}/"
        self.storage_version = definition.storage_version or resource.api_version
        # What is on its way to disk, by path: the cache need not decode what the writer has just encoded.
        self.fresh: dict[str, tuple[bytes, Object]] = {}
        self.converter = definition.converter
        self._shown: dict[str, tuple[Entry, Entry]] = {}  # what was stored, and how it shows in this version
        self._hub = hub
        self._open = open_value
        self._prefix = b'{"apiVersion":"%b"' % resource.api_version.encode()
        self.has_versions = definition.has_versions
        self.storage_prefix = b'{"apiVersion":"%b"' % self.storage_version.encode()
        zeros = definition.strategy.field_zeros
        self._field_paths = tuple(
            (label, path, zeros.get(label, "")) for label, path in definition.strategy.field_paths.items()
        )
        self._substitutes = tuple(definition.strategy.field_substitutes.items())
        self._is_plain = definition.from_storage is None
        self._versions = definition.versions

    @cached_property
    def compiled(self) -> Compiled:
        """The schema, its rules and its structure; compiled on first use."""
        return self.definition.compile()

    @cached_property
    def settle(self) -> Callable[[Object], None] | None:
        """What brings an object into the form that its Go types give it; None for custom resources."""
        return self.definition.settle()

    @cached_property
    def managers(self) -> Mapping[str, FieldManager]:
        """Who tracks field ownership, by subresource."""
        return {name: self._manager(name) for name in ("", "status", "scale", "finalize", "approval")}

    @property
    def schema(self) -> Schema | None:
        """What objects must look like; None says nothing."""
        return self.compiled.schema

    @property
    def rules(self) -> CelRules | None:
        """The schema's validation rules."""
        return self.compiled.rules

    @cached_property
    def cache(self) -> WatchCache:
        """The live objects; loaded from storage on first use."""
        return WatchCache(self._hub, self.home, self.from_storage, self.index)

    @cached_property
    def replicas(self) -> scaleowners.Places:
        """Where the replicas are that a scale sets, in each version of the kind."""
        definition = self.definition
        own = None if definition.scale is None else definition.scale.spec_path
        return {**definition.replicas, self.resource.api_version: own}

    def beside(self, definition: Definition) -> Served:
        """Give what serves another view of the same objects, with the same parts."""
        return Served(definition, self._hub, self._open)

    @property
    def is_loaded(self) -> bool:
        """Say whether the cache is in use."""
        return "cache" in self.__dict__

    @property
    def fields(self) -> frozenset[str]:
        """The fields that a field selector may name."""
        return frozenset({"metadata.name", "metadata.namespace", *self.strategy.field_paths})

    def details(self, name: str) -> dict[str, Any]:
        """Give what an error about one object says of where it happened."""
        return {"group": self.resource.group, "kind": self.resource.plural, "name": name}

    def path(self, namespace: str, name: str) -> str:
        """Give the key of an object below ``home``."""
        return f"{namespace}/{name}" if self.resource.namespaced else name

    def ordered(self, obj: Object) -> Object:
        """Give the object with kind and metadata first, as it is encoded and recognised."""
        head = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        head["metadata"] = obj["metadata"]
        return head | {name: value for name, value in obj.items() if name not in head}

    def to_storage(self, obj: Object, encoded: bytes) -> bytes:
        """Give the bytes to store for an object whose bytes in this version are ``encoded``."""
        if self.definition.to_storage is not None:
            return orjson.dumps(self.definition.to_storage(obj))
        if self.storage_version == self.resource.api_version:
            return encoded
        if self._versions is None:
            return orjson.dumps({**obj, "apiVersion": self.storage_version})
        moved = orjson.loads(encoded)
        self._versions.move(moved, self.storage_version)
        return orjson.dumps(moved)

    def as_stored(self, path: str, encoded: bytes, stored: bytes) -> bytes:
        """Give what was just written as a read of it would, from its bytes in this version and in storage."""
        if self._versions is None or self.storage_version == self.resource.api_version:
            return encoded
        return self.from_storage(self.home + path, stored, False)

    def from_storage(self, key: str, value: bytes, is_fresh: bool) -> bytes:
        """Give the bytes in this version; what was not written just now gets today's defaults."""
        if self.is_sealed:
            value = self._open(value, key)
        if self.converter is not None:
            return value  # ``shown`` brings it into this version, which takes a webhook
        is_ours = self._is_plain and value.startswith(self._prefix)
        if is_ours and (self._versions is None or (is_fresh and self._is_written_here(key, value))):
            return value
        obj = orjson.loads(value)
        if self._versions is not None:
            is_changed = self._versions.restore(obj)
            if is_ours and not is_changed:
                return value
            self._versions.move(obj, self.resource.api_version)
            return orjson.dumps(obj)
        if self.definition.from_storage is not None:
            obj = self.definition.from_storage(obj)
        obj["apiVersion"] = self.resource.api_version
        return orjson.dumps(obj)

    def _is_written_here(self, key: str, value: bytes) -> bool:
        """Say whether what was just written went through this version, whose defaults it then has."""
        if not self.has_versions:
            return True
        found = self.fresh.get(key[len(self.home) :])
        return found is not None and found[0] is value

    async def shown(self, entries: Sequence[Entry]) -> list[Entry]:
        """Give cached entries as this version shows them; one call of the webhook for all that need it.

        Raises:
            ApiError: the conversion webhook did not answer, or not as it must.
        """
        if self.converter is None:
            return list(entries)
        known = self._shown
        wanted = []
        for entry in entries:
            found = known.get(entry.path)
            if found is None or found[0] is not entry:
                wanted.append(entry)
        values = await self.converted([entry.value for entry in wanted])
        fresh = {
            id(entry): self.index(entry.path, value, entry.revision)
            for entry, value in zip(wanted, values, strict=True)
        }
        found_entries = [fresh.get(id(entry)) or known[entry.path][1] for entry in entries]
        if len(known) > 2 * len(self.cache) + _KEPT:
            known.clear()  # mostly of objects that are gone
        known.update((entry.path, (entry, fresh[id(entry)])) for entry in wanted)
        return found_entries

    async def converted(self, values: Sequence[bytes]) -> list[bytes]:
        """Give stored objects in this version; with a conversion webhook only.

        Raises:
            ApiError: as ``shown``.
        """
        objects = [orjson.loads(value) for value in values]
        if self._versions is not None:
            for obj in objects:
                self._versions.restore(obj)
        if self.converter is not None:
            objects = await self.converter.convert(objects, self.resource.api_version)
        if self._versions is not None:
            for obj in objects:
                self._versions.trim(obj)
        return [orjson.dumps(self.ordered(obj)) for obj in objects]

    async def stored_form(self, obj: Object) -> Object | None:
        """Give an object as it will be stored, where that takes a webhook; None where it does not.

        Raises:
            ApiError: as ``shown``.
        """
        if self.converter is None:
            return None
        (found,) = await self.converter.convert([obj], self.storage_version)
        if found is not obj and self._versions is not None:
            self._versions.trim(found)
        head: Object = {"apiVersion": self.storage_version, "kind": self.resource.kind}
        head["metadata"] = {**found["metadata"]}
        return head | {name: value for name, value in found.items() if name not in head}

    def index(self, path: str, value: bytes, revision: int) -> Entry:
        """Give the cache entry of an object: its labels and selectable fields."""
        fresh = self.fresh.pop(path, None)
        obj = fresh[1] if fresh is not None and fresh[0] is value else orjson.loads(value)
        namespace, _, name = path.rpartition("/")
        fields = {"metadata.name": name, "metadata.namespace": namespace}
        for label, names, zero in self._field_paths:
            fields[label] = _text_at(obj, names) or zero
        for label, other in self._substitutes:
            fields[label] = fields[label] or fields[other]
        return Entry(path, value, revision, obj["metadata"].get("labels") or {}, fields)

    def _manager(self, subresource: str) -> FieldManager:
        definition = self.definition
        resets: list[tuple[str, ...]] = []
        if definition.has_status and subresource in ("", "scale"):
            resets = [("status",), *definition.strategy.resets]
        if subresource == "status":
            resets = list(definition.strategy.status_resets)
        if subresource == "approval":
            resets = [("spec",), ("status", "certificate")]
        return FieldManager(
            structure=self.compiled.structure,
            api_version=self.resource.api_version,
            subresource=subresource,
            reset=resets,
            versions=definition.siblings(),
            zero=definition.empty,
        )


class Registry:
    """All that is served, by group, version and plural; ``generation`` grows with every change."""

    def __init__(self, hub: Hub, open_value: Open) -> None:
        self._hub = hub
        self._open = open_value
        self._served: dict[tuple[str, str, str], Served] = {}
        self.generation = 1

    def install(self, definition: Definition) -> Served:
        """Serve a resource, in place of what had its name before."""
        resource = definition.resource
        served = Served(definition, self._hub, self._open)
        self._retire((resource.group, resource.version, resource.plural))
        self._served[resource.group, resource.version, resource.plural] = served
        self.generation += 1
        return served

    def remove(self, resource: Resource) -> None:
        """Serve it no longer; its watches end."""
        key = (resource.group, resource.version, resource.plural)
        self._retire(key)
        if self._served.pop(key, None) is not None:
            self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """Give what serves a resource, or None."""
        return self._served.get((group, version, plural))

    def get(self, group: str, version: str, plural: str) -> Served:
        """Give what serves a resource.

        Raises:
            NotFoundError: nothing does.
        """
        found = self._served.get((group, version, plural))
        if found is None:
            raise NotFoundError("the server could not find the requested resource", group=group, kind=plural)
        return found

    def all(self) -> Iterable[Served]:
        """Give everything served, in the order it was installed."""
        return tuple(self._served.values())

    def resources(self) -> list[Resource]:
        """Give every resource, each group's preferred version first."""
        return sorted((each.resource for each in self._served.values()), key=_rank)

    def published(self) -> Iterable[Published]:
        """Give what OpenAPI documents describe."""
        return [Published(each.resource, each.definition.openapi) for each in self._served.values()]

    def _retire(self, key: tuple[str, str, str]) -> None:
        old = self._served.get(key)
        if old is not None and old.is_loaded:
            old.cache.close()


def _rank(resource: Resource) -> tuple[str, tuple[int, int, int, str], str]:
    return (resource.group, version_rank(resource.version), resource.plural)


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Give the sort key by which Kubernetes orders versions: GA before beta before alpha, high before low."""
    rest = version[1:] if version.startswith("v") else ""
    for stage, word in ((1, "beta"), (2, "alpha")):
        major, found, minor = rest.partition(word)
        if found and major.isdigit() and minor.isdigit():
            return (stage, -int(major), -int(minor), "")
    if rest.isdigit():
        return (0, -int(rest), 0, "")
    return (3, 0, 0, version)


def _text_at(obj: Object, names: tuple[str, ...]) -> str:
    value: Any = obj
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, dict | list) else str(value)
