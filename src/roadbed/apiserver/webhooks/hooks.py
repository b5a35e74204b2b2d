"""The webhooks of all configurations of one kind, compiled and in order, and which of them a write concerns.

Held by ``mutating`` and ``validating``; asked on every write. Configurations are in order of their names, webhooks
in order of their configuration.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/generic/webhook.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apiserver.matching import CONFIGURATION_GROUP, Cluster, Criteria, covering, is_exempt, refusal
from roadbed.apiserver.policies.conditions import Conditions
from roadbed.apiserver.policies.evaluation import Evaluation
from roadbed.apiserver.registry import Registry
from roadbed.apiserver.snapshots import Seen, Snapshot
from roadbed.apiserver.watchcache import Hub

from .target import Target


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of one configuration; ``key`` is unlike any other's."""

    configuration: str
    name: str
    key: str
    target: Target | str  # or why there is none
    criteria: Criteria
    conditions: Conditions
    fails_closed: bool
    timeout_s: float
    review_versions: tuple[str, ...]
    allows_dry_run: bool
    is_reinvocable: bool


@dataclass(frozen=True, slots=True)
class Invocation:
    """One webhook to call, and the resource as which it wants to see the write."""

    hook: Hook
    resource: Resource


class Hooks:
    """The webhooks of one kind of configuration."""

    def __init__(self, registry: Registry, hub: Hub, plural: str, cluster: Cluster) -> None:
        self.cluster = cluster
        self._registry = registry
        self._snapshot = Snapshot(registry, hub, [(CONFIGURATION_GROUP, "v1", plural)], _read)
        self._seen = Seen()

    def sees(self, resource: Resource) -> bool:
        """Say whether a webhook could want to see a write of this resource."""
        hooks = self._snapshot.value
        if not hooks or is_exempt(resource):
            return False
        generations = (self._snapshot.generation, self._registry.generation)
        return self._seen.ask(
            resource,
            generations,
            lambda: any(covering(resource, hook.criteria.rules, self.cluster) for hook in hooks),
        )

    def all(self) -> tuple[Hook, ...]:
        """Give every webhook in order."""
        return self._snapshot.value

    async def invocation(
        self, hook: Hook, request: AdmissionRequest, evaluation: Evaluation
    ) -> Invocation | None:
        """Say whether, and how, a webhook is to be called for a write.

        Raises:
            ForbiddenError: its conditions can't be evaluated and it fails closed.
            ApiError: the write can't be shown as what it wants to see.
        """
        resource = hook.criteria.match(request, self.cluster)
        if resource is None:
            return None
        if hook.conditions.is_empty:
            return Invocation(hook, resource)
        seen = await evaluation.seen_as(request, resource)
        verdict, trouble = await evaluation.decide(seen, hook.conditions.hold)
        if trouble and hook.fails_closed:
            raise refusal(request, trouble)
        return Invocation(hook, resource) if verdict else None


def _read(found: list[list[Object]]) -> tuple[Hook, ...]:
    hooks = []
    for configuration in found[0]:
        seen: dict[str, int] = {}
        for told in configuration.get("webhooks") or ():
            name = str(told.get("name"))
            seen[name] = seen.get(name, -1) + 1
            hooks.append(_hook(configuration, told, seen[name]))
    return tuple(hooks)


def _hook(configuration: Object, told: Mapping[str, Any], index: int) -> Hook:
    owner, name = str(configuration["metadata"]["name"]), str(told.get("name"))
    target: Target | str
    try:
        target = Target.read(told.get("clientConfig") or {})
    except ValueError as error:
        target = str(error)
    return Hook(
        configuration=owner,
        name=name,
        key=f"{owner}/{name}/{index}",
        target=target,
        criteria=Criteria.read(told),
        conditions=Conditions.read(told.get("matchConditions") or ()),
        fails_closed=told.get("failurePolicy", "Fail") != "Ignore",
        timeout_s=float(told.get("timeoutSeconds") or 10),
        review_versions=tuple(told.get("admissionReviewVersions") or ()),
        allows_dry_run=told.get("sideEffects") in ("None", "NoneOnDryRun"),
        is_reinvocable=told.get("reinvocationPolicy") == "IfNeeded",
    )
