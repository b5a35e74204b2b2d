"""Policies with their bindings: which of them a write concerns, and with which parameters.

Shared by ``validating`` and ``mutating``. Policies are in order of their names, a policy's bindings likewise. A
policy without bindings does nothing.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.cel_expressions import RuleError
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import Object
from roadbed.apiserver.matching import CONFIGURATION_GROUP, Cluster, Criteria, covering, is_exempt
from roadbed.apiserver.registry import Registry, Served
from roadbed.apiserver.snapshots import Seen, Snapshot
from roadbed.apiserver.watchcache import Hub

from .conditions import Conditions
from .expressions import Expression, compiled

Body = TypeVar("Body")


class ConfigurationError(Exception):
    """A policy or binding can't be used as it is; the failure policy decides."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding of a policy."""

    name: str
    criteria: Criteria
    params: Mapping[str, Any] | None
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy(Generic[Body]):
    """One policy; ``body`` is what it does, or the text of why it can't."""

    name: str
    criteria: Criteria
    conditions: Conditions
    variables: Sequence[tuple[str, Expression]]
    param_kind: Mapping[str, Any] | None
    fails_closed: bool
    body: Body | str
    bindings: Sequence[Binding] = field(default=())


@dataclass(frozen=True, slots=True)
class Use(Generic[Body]):
    """One policy to apply to a write through one binding, once for each of ``params``."""

    policy: Policy[Body]
    binding: Binding | None  # None with a fault of the policy itself
    resource: Resource
    params: Sequence[Object | None] = ()
    fault: str = ""


class Policies(Generic[Body]):
    """All policies of one kind; ``read`` makes the body of one from its spec."""

    def __init__(
        self,
        registry: Registry,
        hub: Hub,
        cluster: Cluster,
        kind: tuple[str, str],  # version, and what stands before "admissionpolicies"
        read: Callable[[Mapping[str, Any], Mapping[str, str]], Body],
    ) -> None:
        version, stem = kind
        self._registry = registry
        self._cluster = cluster
        plurals = (f"{stem}admissionpolicies", f"{stem}admissionpolicybindings")
        resources = [(CONFIGURATION_GROUP, version, plural) for plural in plurals]
        self._snapshot = Snapshot(registry, hub, resources, lambda found: _read(found, read))
        self._seen = Seen()

    def sees(self, resource: Resource) -> bool:
        """Say whether a bound policy could want to see a write of this resource."""
        policies = self._snapshot.value
        if not policies or is_exempt(resource):
            return False
        generations = (self._snapshot.generation, self._registry.generation)
        return self._seen.ask(
            resource,
            generations,
            lambda: any(covering(resource, policy.criteria.rules, self._cluster) for policy in policies),
        )

    def uses(self, request: AdmissionRequest) -> Iterator[Use[Body]]:
        """Give, in order, the policies that a write concerns; a fault stands where one can't be used."""
        for policy in self._snapshot.value:
            try:
                resource = policy.criteria.match(request, self._cluster)
            except ApiError as error:
                yield Use(policy, None, request.resource, fault=f"failed to configure policy: {error}")
                continue
            if resource is None:
                continue
            if isinstance(policy.body, str):
                yield Use(policy, None, resource, fault=f"failed to configure policy: {policy.body}")
                continue
            for binding in policy.bindings:
                found = self._use(policy, binding, resource, request)
                if found is not None:
                    yield found

    def _use(
        self, policy: Policy[Body], binding: Binding, resource: Resource, request: AdmissionRequest
    ) -> Use[Body] | None:
        try:
            if binding.criteria.match(request, self._cluster) is None:
                return None
            params = self._params(policy, binding, request.namespace)
        except (ApiError, ConfigurationError) as error:
            return Use(policy, binding, resource, fault=f"failed to configure binding: {error}")
        return Use(policy, binding, resource, params)

    def _params(self, policy: Policy[Body], binding: Binding, namespace: str) -> Sequence[Object | None]:
        told = binding.params
        if policy.param_kind is None or told is None:
            return (None,)
        served = self._served(policy.param_kind)
        place = str(told.get("namespace") or "")
        if served.resource.namespaced:
            place = place or namespace
            if not place:
                raise ConfigurationError(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        elif place:
            raise ConfigurationError(
                "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
            )
        found = _found(served, place, told)
        if not found and told.get("parameterNotFoundAction") == "Deny":
            raise ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    def _served(self, kind: Mapping[str, Any]) -> Served:
        wanted = (kind.get("apiVersion"), kind.get("kind"))
        for served in self._registry.all():
            if (served.resource.api_version, served.resource.kind) == wanted:
                return served
        text = f"&ParamKind{{APIVersion:{wanted[0]},Kind:{wanted[1]},}}"
        raise ConfigurationError(f"paramKind kind `{text}` not known")


def _found(served: Served, namespace: str, told: Mapping[str, Any]) -> list[Object | None]:
    """Give the parameters that a ``paramRef`` names or selects."""
    if told.get("name"):
        entry = served.cache.get(served.path(namespace, str(told["name"])))
        return [] if entry is None else [orjson.loads(entry.value)]
    selector = Selector.of(told.get("selector") or {})
    entries = served.cache.entries(namespace)
    return [orjson.loads(entry.value) for entry in entries if selector.matches(entry.labels)]


def _read(
    found: list[list[Object]], read: Callable[[Mapping[str, Any], Mapping[str, str]], Body]
) -> tuple[Policy[Body], ...]:
    bindings: dict[str, list[Binding]] = {}
    for each in found[1]:
        spec = each.get("spec") or {}
        bindings.setdefault(str(spec.get("policyName")), []).append(
            Binding(
                each["metadata"]["name"],
                Criteria.of_policy(spec.get("matchResources")),
                spec.get("paramRef"),
                tuple(spec.get("validationActions") or ()),
            )
        )
    bound = (each for each in found[0] if each["metadata"]["name"] in bindings)
    return tuple(_policy(each, bindings[each["metadata"]["name"]], read) for each in bound)


def _policy(
    obj: Object,
    bindings: list[Binding],
    read: Callable[[Mapping[str, Any], Mapping[str, str]], Body],
) -> Policy[Body]:
    spec = obj.get("spec") or {}
    has_params = bool(spec.get("paramKind"))
    variables: list[tuple[str, Expression]] = []
    body: Body | str
    try:
        for each in spec.get("variables") or ():
            known = {name: found.kind for name, found in variables}
            found = compiled(str(each.get("expression")), variables=known, has_params=has_params)
            variables.append((str(each.get("name")), found))
        body = read(spec, {name: found.kind for name, found in variables})
    except RuleError as error:
        body = str(error)
    return Policy(
        name=obj["metadata"]["name"],
        criteria=Criteria.of_policy(spec.get("matchConstraints")),
        conditions=Conditions.read(spec.get("matchConditions") or (), has_params=has_params),
        variables=tuple(variables),
        param_kind=spec.get("paramKind"),
        fails_closed=spec.get("failurePolicy", "Fail") != "Ignore",
        body=body,
        bindings=tuple(bindings),
    )
