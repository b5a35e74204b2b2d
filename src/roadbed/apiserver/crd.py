"""CustomResourceDefinitions made real: compiled to definitions, installed when committed, cleaned up when deleted.

``CrdInstaller`` hears of every committed definition before its writer's request returns, so a client that
sees its CRD stored can use it and find it in discovery. Its ``clean`` task, owned by the server, deletes the
instances of a deleted definition and lets it go when none is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from roadbed.apimachinery.cel import CelRules
from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.structure import Structure
from roadbed.storage import Event

from .columns import AGE, NAME, Column
from .crdcolumns import column_of
from .definitions.converting import Webhook
from .definitions.scaled import ScaledStrategy
from .definitions.stored import Versions
from .registry import Compiled, Definition, Registry, Scale, Served, version_rank
from .strategy import CustomStrategy
from .watchcache import Hub
from .webhooks import Caller

logger = logging.getLogger(__name__)

HOME = "/apiextensions.k8s.io/customresourcedefinitions/"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
RETRY_S = 5.0  # instances that could not be deleted are tried again; their finalizers wake us earlier
# In the order in which Kubernetes tells them for custom resources; for its own kinds it sorts them.
_VERBS: tuple[str, ...] = (
    "delete", "deletecollection", "get", "list", "patch", "create", "update", "watch",
)  # fmt: skip
_TERMINATING = "create not allowed while custom resource definition is terminating"


_COMPILED: OrderedDict[bytes, Compiled] = OrderedDict()
_COMPILED_MAX = 64  # between validation and installation, and again for equal schemas


def compile_schema(openapi: Mapping[str, Any]) -> Compiled:
    """Compile one version's ``openAPIV3Schema``, remembered by content.

    Raises:
        ValueError, ApiError: it can't be compiled.
    """
    key = orjson.dumps(openapi)
    found = _COMPILED.pop(key, None)
    if found is None:
        schema = Schema.compile(openapi)
        found = Compiled(schema, CelRules.compile(schema.root), Structure.of(schema.root))
    _COMPILED[key] = found
    while len(_COMPILED) > _COMPILED_MAX:
        _COMPILED.popitem(last=False)
    return found


def definitions(crd: Object, caller: Caller | None = None) -> list[Definition]:
    """Give one definition for each served version of an accepted CRD; ``caller`` asks its webhook."""
    conversion = crd["spec"].get("conversion") or {}
    converter = None
    if conversion.get("strategy") == "Webhook" and caller is not None:
        converter = Webhook(caller, conversion)
    group = crd["spec"]["group"]
    schemas = {f"{group}/{each['name']}": _openapi(each) for each in crd["spec"]["versions"]}
    versions = Versions(schemas, compile_schema)
    served = [each for each in crd["spec"]["versions"] if each["served"]]
    return [replace(_definition(crd, each), converter=converter, versions=versions) for each in served]


def _siblings(crd: Object, name: str) -> Mapping[str, Structure]:
    spec = crd["spec"]
    others = (each for each in spec["versions"] if each["name"] != name)
    return {f"{spec['group']}/{each['name']}": compile_schema(_openapi(each)).structure for each in others}


def _definition(crd: Object, version: Mapping[str, Any]) -> Definition:
    spec = crd["spec"]
    names = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    subresources = version.get("subresources") or {}
    stored = next(each["name"] for each in spec["versions"] if each["storage"])
    resource = Resource(
        spec["group"],
        version["name"],
        names["plural"],
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular", ""),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=_VERBS,
        subresources=tuple(name for name in ("status", "scale") if name in subresources),
    )
    field_paths = {
        each["jsonPath"].lstrip("."): tuple(each["jsonPath"].lstrip(".").split("."))
        for each in version.get("selectableFields") or ()
    }
    has_status = "status" in subresources
    scale = _scale(subresources.get("scale"))
    strategy = (
        CustomStrategy(has_status=has_status, field_paths=field_paths)
        if scale is None
        else ScaledStrategy(scale, has_status=has_status, field_paths=field_paths)
    )
    columns = version.get("additionalPrinterColumns")
    return Definition(
        resource=resource,
        strategy=strategy,
        compile=partial(compile_schema, _openapi(version)),
        siblings=partial(_siblings, crd, version["name"]),
        openapi=_openapi(version),
        columns=_columns(columns, names["kind"]),
        list_kind=names.get("listKind", ""),
        is_custom=True,
        has_status=has_status,
        scale=scale,
        replicas=_replicas(crd),
        has_versions=len(spec["versions"]) > 1,
        storage_version=f"{spec['group']}/{stored}",
        deprecation=_deprecation(spec, version, names["kind"]),
        refusal=_TERMINATING if crd["metadata"].get("deletionTimestamp") else "",
    )


_DEFAULT_COLUMNS: tuple[Column, ...] = (NAME, replace(AGE, type="date"))


def _columns(columns: Any, kind: str) -> tuple[Column, ...]:
    """Give a version's columns; the plain ones where its own can't be read, as Kubernetes does."""
    try:
        return (NAME, *map(column_of, columns)) if columns else _DEFAULT_COLUMNS
    except ValueError as error:
        logger.warning(
            "columns cannot be read, plain ones are shown", extra={"kind": kind, "why": str(error)}
        )
        return _DEFAULT_COLUMNS


def _openapi(version: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return found


def _deprecation(spec: Mapping[str, Any], version: Mapping[str, Any], kind: str) -> str:
    """Give what users of a version are warned of: its own text, or one that names the best version to use."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning"):
        return str(version["deprecationWarning"])
    text = f"{spec['group']}/{version['name']} {kind} is deprecated"
    ranked = sorted((each for each in spec["versions"] if each["served"]), key=_version_rank)
    better = ranked[: [each["name"] for each in ranked].index(version["name"])]
    good = next((each["name"] for each in better if not each.get("deprecated")), "")
    return f"{text}; use {spec['group']}/{good} {kind}" if good else text


def _version_rank(version: Mapping[str, Any]) -> tuple[int, int, int, str]:
    return version_rank(version["name"])


def _scale(scale: Mapping[str, str] | None) -> Scale | None:
    if scale is None:
        return None

    def path(member: str) -> tuple[str, ...]:
        text = (scale or {}).get(member) or ""
        return tuple(text.lstrip(".").split(".")) if text else ()

    return Scale(path("specReplicasPath"), path("statusReplicasPath"), path("labelSelectorPath"))


def _replicas(crd: Object) -> dict[str, tuple[str, ...] | None]:
    """Give where replicas are in every version, served or not, by apiVersion."""
    found: dict[str, tuple[str, ...] | None] = {}
    for each in crd["spec"]["versions"]:
        scale = _scale((each.get("subresources") or {}).get("scale"))
        found[f"{crd['spec']['group']}/{each['name']}"] = None if scale is None else scale.spec_path
    return found


def is_established(crd: Object) -> bool:
    """Say whether a CRD's names are accepted, so that it is served."""
    return is_true(crd, "Established")


class CrdInstaller:
    """Keeps the registry equal to the stored CRDs, and cleans up after deleted ones."""

    def __init__(self, registry: Registry, hub: Hub, caller: Caller | None = None) -> None:
        self._caller = caller
        self._registry = registry
        self._hub = hub
        self._installed: dict[str, bytes] = {}  # CRD name → what it was installed from
        self._resources: dict[str, list[Resource]] = {}
        self._terminating: dict[str, Object] = {}
        self._names: dict[str, dict[str, Object]] = {}  # group → CRD name → accepted names
        self._refused: set[str] = set()  # CRDs whose names somebody else has
        self._freed = False  # some names are free again: look at the refused
        self._wake = asyncio.Event()
        self._watched: set[str] = set()

    def start(self) -> None:
        """Install what is stored and follow what comes; built-in kinds keep their names."""
        for served in self._registry.all():
            kind = served.resource
            taken = {"plural": kind.plural, "singular": kind.singular, "shortNames": kind.short_names}
            taken |= {"kind": kind.kind, "listKind": served.list_kind}
            self._names.setdefault(kind.group, {})[f"built-in {kind.plural}"] = taken
        for record in self._hub.storage.scan(HOME):
            self._install(orjson.loads(record.value))
        self._hub.observe(HOME, self._observe)

    def names(self, group: str) -> Mapping[str, Object]:
        """Give the names that are taken in a group, by definition; built-in kinds are named as such."""
        return self._names.get(group, {})

    def _observe(self, event: Event) -> None:
        crd = orjson.loads(event.value)
        if event.is_delete:
            self._names.get(crd["spec"]["group"], {}).pop(crd["metadata"]["name"], None)
            self._uninstall(crd["metadata"]["name"])
            self._refused.discard(crd["metadata"]["name"])
            if self._refused:
                self._freed = True
                self._wake.set()
        else:
            self._install(crd)

    def _install(self, crd: Object) -> None:
        name = crd["metadata"]["name"]
        if crd["metadata"].get("deletionTimestamp"):
            self._terminating[name] = crd
            self._wake.set()
        accepted = (crd.get("status") or {}).get("acceptedNames") or {}
        self._names.setdefault(crd["spec"]["group"], {})[name] = accepted
        if is_true(crd, "NamesAccepted"):
            self._refused.discard(name)
        else:
            self._refused.add(name)
        if not is_established(crd):
            return
        source = orjson.dumps([crd["spec"], accepted, bool(crd["metadata"].get("deletionTimestamp"))])
        if self._installed.get(name) == source:
            return
        try:
            found = definitions(crd, self._caller)
        except Exception:  # an observer must not raise; the CRD was accepted, so this is our fault
            logger.exception("cannot install definition", extra={"crd": name})
            return
        served = {definition.resource for definition in found}
        for resource in self._resources.get(name, ()):
            if resource not in served:
                self._registry.remove(resource)
        for definition in found:
            self._registry.install(definition)
        self._installed[name] = source
        self._resources[name] = [definition.resource for definition in found]

    def _uninstall(self, name: str) -> None:
        self._installed.pop(name, None)
        self._terminating.pop(name, None)
        for resource in self._resources.pop(name, ()):
            self._registry.remove(resource)

    def instances(self, crd: Object) -> Served | None:
        """Give the served resource through which a CRD's instances can be reached."""
        for resource in self._resources.get(crd["metadata"]["name"], ()):
            served = self._registry.find(resource.group, resource.version, resource.plural)
            if served is not None:
                return served
        return None

    async def clean(
        self,
        delete_all: Callable[[Served], Awaitable[None]],
        release: Callable[[str], Awaitable[None]],
        reconsider: Callable[[str], Awaitable[None]],
    ) -> None:
        """Delete the instances of deleted CRDs, then let each CRD go; runs until cancelled.

        ``reconsider`` writes a CRD again whose names were refused, when names have become free.
        """
        while True:
            self._wake.clear()
            await self._reconsider_names(reconsider)
            for name, crd in list(self._terminating.items()):
                try:
                    await self._clean_one(name, crd, delete_all, release)
                except ApiError as error:  # an admitter may hold an object back; it is tried again
                    logger.warning(
                        "cannot clean up after definition yet", extra={"crd": name, "why": error.message}
                    )
                except Exception:  # the loop outlives one failing object; it is tried again
                    logger.exception("cannot clean up after definition", extra={"crd": name})
            try:
                async with asyncio.timeout(RETRY_S if self._terminating else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _reconsider_names(self, reconsider: Callable[[str], Awaitable[None]]) -> None:
        if not self._freed:
            return
        self._freed = False
        for name in sorted(self._refused):
            try:
                await reconsider(name)
            except ApiError as error:  # changed meanwhile: that write looked at the names
                logger.info("names are not reconsidered", extra={"crd": name, "why": error.message})

    async def _clean_one(
        self,
        name: str,
        crd: Object,
        delete_all: Callable[[Served], Awaitable[None]],
        release: Callable[[str], Awaitable[None]],
    ) -> None:
        if CLEANUP not in (crd["metadata"].get("finalizers") or ()):
            return
        served = self.instances(crd)
        if served is not None and len(served.cache):
            if served.home not in self._watched:
                self._watched.add(served.home)
                self._hub.observe(served.home, self._instance_changed)
            await delete_all(served)
            if len(served.cache):
                return  # finalizers hold some; their going wakes us
        await release(name)

    def _instance_changed(self, event: Event) -> None:
        if event.is_delete and self._terminating:
            self._wake.set()
