"""Which writes a webhook or a policy wants to see: rules, selectors, and the same resource in other versions.

Pure but for the registry that it reads namespaces and versions from; used by ``webhooks`` and ``policies`` on every
write of a resource that some rule names.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/{generic,predicates}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.errors import ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.structure import Structure

from .registry import Registry, Served

ALL = "*"
CONFIGURATION_GROUP = "admissionregistration.k8s.io"  # never intercepted, or nobody could repair a bad one


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``rules``; ``names`` only in policies."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    scope: str = ALL
    names: frozenset[str] = frozenset()

    @classmethod
    def read(cls, rule: Mapping[str, Any]) -> Rule:
        """Read one rule of a configuration."""
        split = (str(each).partition("/") for each in rule.get("resources") or ())
        return cls(
            operations=frozenset(rule.get("operations") or ()),
            groups=frozenset(rule.get("apiGroups") or ()),
            versions=frozenset(rule.get("apiVersions") or ()),
            resources=tuple((plural, subresource) for plural, _, subresource in split),
            scope=rule.get("scope") or ALL,
            names=frozenset(rule.get("resourceNames") or ()),
        )

    def covers(self, resource: Resource) -> bool:
        """Say whether some write of this resource could fit."""
        return (
            (ALL in self.groups or resource.group in self.groups)
            and (ALL in self.versions or resource.version in self.versions)
            and any(plural in (ALL, resource.plural) for plural, _ in self.resources)
        )

    def fits(self, request: AdmissionRequest, resource: Resource) -> bool:
        """Say whether a write, taken as one of ``resource``, is meant."""
        return (
            (ALL in self.operations or request.operation in self.operations)
            and self.covers(resource)
            and any(
                plural in (ALL, resource.plural) and subresource in (ALL, request.subresource)
                for plural, subresource in self.resources
            )
            and self._fits_scope(request, resource)
            and (not self.names or request.name in self.names)
        )

    def _fits_scope(self, request: AdmissionRequest, resource: Resource) -> bool:
        if self.scope == ALL:
            return True
        is_in_namespace = resource.qualified != "namespaces" and bool(request.namespace)
        return is_in_namespace if self.scope == "Namespaced" else not is_in_namespace


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that decides whether a webhook or policy sees a write, but for its CEL conditions."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...] = ()
    namespaces: Selector = field(default_factory=lambda: Selector.of({}))
    objects: Selector = field(default_factory=lambda: Selector.of({}))
    is_equivalent: bool = True
    may_lack_rules: bool = False  # and then means every resource

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Criteria:
        """Read the members of a webhook."""
        return cls._read(told, "rules", "")

    @classmethod
    def of_policy(cls, told: Mapping[str, Any] | None) -> Criteria:
        """Read ``matchConstraints`` of a policy or ``matchResources`` of a binding."""
        found = cls._read(told or {}, "resourceRules", "excludeResourceRules")
        return replace(found, may_lack_rules=True)

    @classmethod
    def _read(cls, told: Mapping[str, Any], rules: str, excluded: str) -> Criteria:
        return cls(
            rules=tuple(Rule.read(each) for each in told.get(rules) or ()),
            excluded=tuple(Rule.read(each) for each in told.get(excluded) or ()),
            namespaces=Selector.of(told.get("namespaceSelector") or {}),
            objects=Selector.of(told.get("objectSelector") or {}),
            is_equivalent=told.get("matchPolicy", "Equivalent") != "Exact",
        )

    def match(self, request: AdmissionRequest, cluster: Cluster) -> Resource | None:
        """Give the resource as which the write is meant (its own or an equivalent one), or None.

        Raises:
            NotFoundError: the namespace that a selector asks for is gone.
        """
        if self.excluded and self._found(self.excluded, request, cluster) is not None:
            return None
        if self.may_lack_rules and not self.rules:
            found: Resource | None = request.resource
        else:
            found = self._found(self.rules, request, cluster)
        if found is None or not self._selects_object(request):
            return None
        if not self.namespaces.is_everything:
            labels = cluster.namespace_labels(request)
            if labels is not None and not self.namespaces.matches(labels):
                return None
        return found

    def _found(self, rules: Sequence[Rule], request: AdmissionRequest, cluster: Cluster) -> Resource | None:
        if any(rule.fits(request, request.resource) for rule in rules):
            return request.resource
        if self.is_equivalent:
            others = cluster.equivalents(request.resource)
            for rule in rules if others else ():
                for other in others:
                    if rule.fits(request, other):
                        return other
        return None

    def _selects_object(self, request: AdmissionRequest) -> bool:
        if self.objects.is_everything:
            return True
        found = (each for each in (request.object, request.old) if each is not None)
        return any(self.objects.matches((each.get("metadata") or {}).get("labels") or {}) for each in found)


class Cluster:
    """What matching reads of the rest of the server."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = 0
        self._equivalents: dict[Resource, tuple[Resource, ...]] = {}

    def namespace(self, name: str) -> Object | None:
        """Give a Namespace, or None."""
        entry = self._registry.get("", "v1", "namespaces").cache.get(name)
        found: Object | None = None if entry is None else orjson.loads(entry.value)
        return found

    def namespace_labels(self, request: AdmissionRequest) -> Mapping[str, str] | None:
        """Give the labels of the namespace a write happens in; None for a write outside any.

        Raises:
            NotFoundError: there is no such namespace.
        """
        name = namespace_of(request)
        if not name:
            return None
        if (
            request.resource.qualified == "namespaces"
            and not request.subresource
            and request.object is not None
        ):
            return (request.object.get("metadata") or {}).get("labels") or {}
        entry = self._registry.get("", "v1", "namespaces").cache.get(name)
        if entry is None:
            raise NotFoundError(f'namespaces "{name}" not found', kind="namespaces", name=name)
        return entry.labels

    def served(self, resource: Resource) -> Served | None:
        """Give what serves a resource."""
        return self._registry.find(resource.group, resource.version, resource.plural)

    def structure(self, resource: Resource, kind: GVK | None) -> Structure | None:
        """Give how objects merge that are written at a resource; ``kind`` where they are not of its own."""
        if kind is not None:
            from .builtin import compiled_of  # it makes the strategies, some of which judge policies

            return compiled_of(kind).structure
        served = self.served(resource)
        return None if served is None else served.compiled.structure

    def equivalents(self, resource: Resource) -> tuple[Resource, ...]:
        """Give the other resources under which the same objects are served."""
        if self._generation != self._registry.generation:
            self._generation = self._registry.generation
            self._equivalents.clear()
        found = self._equivalents.get(resource)
        if found is None:
            served = self.served(resource)
            home = served.home if served is not None else ""
            others = (each.resource for each in self._registry.all() if each.home == home)
            found = tuple(each for each in others if each != resource)
            self._equivalents[resource] = found
        return found

    async def shown(self, request: AdmissionRequest, obj: Object | None, wanted: Resource) -> Object | None:
        """Give an object of a write as an equivalent resource shows it.

        Raises:
            ApiError: the conversion webhook of its kind did not answer, or not as it must.
        """
        return obj if request.kind is not None else await self.convert(obj, request.resource, wanted)

    async def taken_back(self, request: AdmissionRequest, obj: Object, seen: Resource) -> Object:
        """Give what ``shown`` gave, changed or not, as an object of the write again.

        Raises:
            ApiError: as ``shown``.
        """
        if request.kind is not None:
            return obj
        found = await self.convert(obj, seen, request.resource)
        assert found is not None  # noqa: S101 - only None becomes None
        return found

    async def convert(self, obj: Object | None, resource: Resource, wanted: Resource) -> Object | None:
        """Give an object of one resource as an equivalent one shows it; the same where they are the same."""
        if obj is None or resource == wanted:
            return obj
        source, target = self.served(resource), self.served(wanted)
        if source is None or target is None:
            raise NotFoundError(
                "the server could not find the requested resource", group=wanted.group, kind=wanted.plural
            )
        if source.converter is not None:
            (converted,) = await source.converter.convert([obj], wanted.api_version)
            return converted
        stored = source.to_storage(obj, orjson.dumps(source.ordered(obj)))
        found: Object = orjson.loads(target.from_storage(target.home, stored, False))
        return found


def namespace_of(request: AdmissionRequest) -> str:
    """Give the namespace of a write as Kubernetes sees it: a namespace is in itself."""
    return request.name if request.resource.qualified == "namespaces" else request.namespace


def is_exempt(resource: Resource) -> bool:
    """Say whether a resource configures admission itself."""
    return resource.group == CONFIGURATION_GROUP


def covering(resource: Resource, rules: Iterable[Rule], cluster: Cluster) -> bool:
    """Say whether a rule could fit a resource or an equivalent of it."""
    candidates = (resource, *cluster.equivalents(resource))
    return any(rule.covers(each) for rule in rules for each in candidates)


def name_shown(request: AdmissionRequest) -> str:
    """Give the name that a refusal shows: of an object that has none yet, what it is generated from."""
    if request.name:
        return request.name
    meta: Object = (request.object or {}).get("metadata") or {}
    return str(meta.get("name") or meta.get("generateName") or "Unknown")


def refusal(request: AdmissionRequest, text: str) -> ForbiddenError:
    """Give the error by which admission refuses a write."""
    resource, name = request.resource, name_shown(request)
    message = f'{resource.qualified} "{name}" is forbidden: {text}'
    return ForbiddenError(message, group=resource.group, kind=resource.plural, name=name)
