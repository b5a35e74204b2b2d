"""Type checking of ValidatingAdmissionPolicies: what their expressions get wrong about the kinds that they name.

``TypeChecks.run`` is a task of the server: it looks at every policy that was written since and puts what it finds into
``status.typeChecking``. What it finds changes nothing else: a policy is evaluated without types. At most ten kinds of
a policy are checked; ``variables`` and ``params`` are left to run time, so nothing is said about them.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from roadbed.apimachinery.cel_library import extensions, runtime
from roadbed.apimachinery.cel_types import RuleTypes
from roadbed.apimachinery.errors import ApiError, ConflictError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.nodes import Node
from roadbed.apimachinery.request import ApiRequest, Object
from roadbed.apiserver.registry import Registry, Served
from roadbed.apiserver.watchcache import Hub
from roadbed.storage import Event

from . import authorizer

logger = logging.getLogger(__name__)

POLICIES = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
MOST_KINDS = 10
_OPAQUE = "apiextensions.k8s.io"  # its schemas hold themselves


class TypeChecks:
    """The task and what it knows of policies that wait."""

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._registry = registry
        self._waiting: set[str] = set()
        self._wake: asyncio.Event | None = None  # while ``run`` runs
        served = registry.find(POLICIES.group, POLICIES.version, POLICIES.plural)
        self._served = served
        if served is not None:
            hub.observe(served.home, self._mark)

    async def run(self, system: Any) -> None:
        """Check until cancelled; ``system`` is a transport with every right."""
        if self._served is None:
            return
        self._wake = asyncio.Event()
        self._waiting.update(entry.path for entry in self._served.cache.entries())
        try:
            while True:
                while self._waiting:
                    await self._check(system, self._waiting.pop())
                await self._wake.wait()
                self._wake.clear()
        finally:
            self._wake = None

    def warnings(self, spec: Mapping[str, Any]) -> list[dict[str, str]]:
        """Give the expression warnings of a policy."""
        kinds = list(self._kinds(spec))[:MOST_KINDS]
        environments = [
            (served.resource, env) for served in kinds if (env := _environment(served)) is not None
        ]
        found = []
        for path, text in _expressions(spec):
            told = "\n".join(
                f"{resource.api_version}, Kind={resource.kind}: {trouble}\n"
                for resource, env in environments
                if (trouble := _trouble(env, text))
            )
            if told:
                found.append({"fieldRef": path, "warning": told})
        return found

    def _mark(self, event: Event) -> None:
        if self._wake is not None and not event.is_delete:
            self._waiting.add(event.key.rpartition("/")[2])
            self._wake.set()

    async def _check(self, system: Any, name: str) -> None:
        entry = self._served.cache.get(name) if self._served is not None else None
        if entry is None:
            return
        policy = orjson.loads(entry.value)
        generation = policy["metadata"].get("generation")
        status = policy.get("status") or {}
        if status.get("observedGeneration") == generation:
            return
        found = self.warnings(policy.get("spec") or {})
        checking: Object = {"expressionWarnings": found} if found else {}
        policy["status"] = {**status, "observedGeneration": generation, "typeChecking": checking}
        request = ApiRequest.on(
            "update",
            POLICIES,
            name=name,
            subresource="status",
            body=policy,
            options={"fieldManager": "roadbed"},
        )
        try:
            await system.call(request)
        except (ConflictError, NotFoundError):
            return  # it changed or went meanwhile; a change was marked
        except ApiError as error:
            logger.warning("cannot write type checking", extra={"policy": name, "reason": error.reason})

    def _kinds(self, spec: Mapping[str, Any]) -> Iterator[Served]:
        """Give what serves the kinds that a policy names one by one; wildcards name none."""
        for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
            for group in sorted(rule.get("apiGroups") or ()):
                for version in sorted(rule.get("apiVersions") or ()):
                    for plural in sorted(rule.get("resources") or ()):
                        served = self._registry.find(group, version, plural)
                        if served is not None and group != _OPAQUE:
                            yield served


def _expressions(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for index, each in enumerate(spec.get("validations") or ()):
        for member in ("expression", "messageExpression"):
            if each.get(member):
                yield f"spec.validations[{index}].{member}", str(each[member])


def _environment(served: Served) -> Any | None:
    """Give an environment in which ``object`` has the type of its kind."""
    if served.schema is None:
        return None
    types = RuleTypes()
    kind = types.type_of(_whole(served.schema.root))
    if kind is None:
        return None
    kinds = runtime().Type
    tagged = kinds.Map(kinds.STRING, kinds.STRING)
    names = ("request", "namespaceObject", "params", "variables")
    variables = {**dict.fromkeys(names, kinds.DYN), "object": kind, "oldObject": kind}
    variables |= {"authorizer": tagged, "authorizer.requestResource": tagged}
    return runtime().NewEnv(
        types.pool, variables=variables, extensions=[*extensions(), authorizer.extension()]
    )


def _whole(root: Node) -> Node:
    """Give a kind's schema with the metadata that every object has, where it says less."""
    text = Node(type="string")
    texts = Node(type="object", additional=text)
    numbers = dict.fromkeys(("generation", "deletionGracePeriodSeconds"), Node(type="integer"))
    strings = ("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink")
    times = ("creationTimestamp", "deletionTimestamp")
    owner = Node(
        type="object",
        properties={
            **dict.fromkeys(("apiVersion", "kind", "name", "uid"), text),
            **dict.fromkeys(("controller", "blockOwnerDeletion"), Node(type="boolean")),
        },
    )
    members = {
        **dict.fromkeys((*strings, *times), text),
        **numbers,
        **dict.fromkeys(("labels", "annotations"), texts),
        "finalizers": Node(type="array", items=text),
        "ownerReferences": Node(type="array", items=owner),
    }
    meta = Node(type="object", properties=members)
    properties = {**root.properties, "apiVersion": text, "kind": text, "metadata": meta}
    return replace(root, type="object", properties=properties)


def _trouble(env: Any, text: str) -> str:
    try:
        env.compile(text)
    except RuntimeError as error:
        return re.sub(r"^[A-Z_]+: | ?\[[A-Z_]+\]$| not found in struct 'rule\.\w+'", "", str(error))
    return ""
