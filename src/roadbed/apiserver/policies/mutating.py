"""MutatingAdmissionPolicies: expressions that give a patch or a configuration to apply, before a write is complete.

Called by ``Admission`` for every write that some bound policy names; in a second round only those that want it, and
only when the object changed after they saw it. What they set is owned by nobody.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating/{dispatcher,patch}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.errors import ApiError, Cause, ForbiddenError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.merging import merge
from roadbed.apimachinery.patch import json_patch
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.structure import Structure
from roadbed.apiserver.admission import Reinvocation
from roadbed.apiserver.matching import Cluster, name_shown

from .binding import Policies, Use
from .evaluation import Evaluation, OutOfBudgetError, Scope
from .expressions import Expression, compiled

NAME = "MutatingAdmissionPolicy"


class MutationError(Exception):
    """A mutation can't be evaluated or applied; the failure policy decides."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One step of a policy."""

    kind: Literal["ApplyConfiguration", "JSONPatch"]
    expression: Expression


@dataclass(frozen=True, slots=True)
class Body:
    """What a policy changes."""

    mutations: tuple[Mutation, ...]
    is_reinvocable: bool


class MutatingPolicies:
    """The mutator that evaluates policies."""

    def __init__(self, policies: Policies[Body], evaluation: Evaluation, cluster: Cluster) -> None:
        self._policies = policies
        self._evaluation = evaluation
        self._cluster = cluster

    def sees(self, resource: Resource) -> bool:
        """Say whether a policy could want to see writes of this resource."""
        return self._policies.sees(resource)

    async def mutate(self, request: AdmissionRequest, round_: Reinvocation) -> Object | None:
        """Give the object as the policies leave it.

        Raises:
            ForbiddenError: a policy that fails closed can't be applied.
        """
        if request.object is None:
            return None
        invoked = round_.of(NAME)
        if round_.is_second and invoked.output != request.object:
            invoked.require_all()
        faults: list[str] = []
        current = request
        for use in self._policies.uses(request):
            if use.fault:
                if use.policy.fails_closed:
                    faults.append(_blamed(use, use.fault))
                continue
            for params in use.params:
                key = _key(use, params)
                if round_.is_second and key not in invoked.again:
                    continue
                changed = await self._apply(use, params, current, faults)
                if changed is not None:
                    current = replace(current, object=changed)
                    invoked.require_all()
                    round_.wanted = True
                body = use.policy.body
                if not isinstance(body, str) and body.is_reinvocable:
                    invoked.before.add(key)
        if faults:
            raise _refused(request, faults)
        invoked.output = current.object
        return None if current is request else current.object

    async def _apply(
        self, use: Use[Body], params: Object | None, request: AdmissionRequest, faults: list[str]
    ) -> Object | None:
        """Give the object as one policy leaves it, or None if it leaves it as it was."""
        policy, body = use.policy, use.policy.body
        assert not isinstance(body, str)  # noqa: S101 - a use of such a policy has a fault
        seen = await self._evaluation.seen_as(request, use.resource)
        scope = seen.having(policy.variables, params)
        holds, trouble = await self._evaluation.decide(scope, policy.conditions.hold)
        if trouble and policy.fails_closed:
            faults.append(_blamed(use, trouble))
        if not holds:
            return None
        before = scope.object
        for mutation in body.mutations:
            try:
                changed = await self._mutated(mutation, scope, use.resource, request.kind)
            except MutationError as error:
                if policy.fails_closed:
                    faults.append(_blamed(use, str(error)))
                continue
            scope = scope.replacing(changed)
        if scope.object == before:
            return None
        return await self._cluster.taken_back(request, scope.object, use.resource)

    async def _mutated(
        self, mutation: Mutation, scope: Scope, resource: Resource, kind: GVK | None
    ) -> Object:
        try:
            value, trouble = await self._evaluation.decide(scope, lambda each: each.run(mutation.expression))
        except OutOfBudgetError as error:
            raise MutationError(str(error)) from error
        if trouble:
            raise MutationError(f"expression '{mutation.expression.text}' resulted in error: {trouble}")
        live = orjson.loads(orjson.dumps(scope.object))
        if mutation.kind == "JSONPatch":
            return _patched(live, value)
        if not isinstance(value, dict):
            raise MutationError(
                f"unsupported return type from ApplyConfiguration expression: {type(value).__name__}"
            )
        structure = self._cluster.structure(resource, kind)
        if structure is None:
            raise MutationError(f"Resource kind {resource.gvk} not found")
        applied = {**value, "apiVersion": live["apiVersion"], "kind": live["kind"]}
        undeclared = list(_undeclared(structure, applied, ""))
        if undeclared:
            text = ", ".join(f"{path}: field not declared in schema" for path in undeclared)
            raise MutationError(
                f"error applying patch: failed to convert patch object to typed object: {text}"
            )
        atomics = list(_atomics(structure, applied, ""))
        if atomics:
            raise MutationError(
                "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: "
                + ", ".join(atomics)
            )
        merged: Object = merge(structure, live, applied)
        return merged


def read_body(spec: Mapping[str, Any], variables: Mapping[str, str]) -> Body:
    """Compile what a policy changes.

    Raises:
        RuleError: an expression does not compile.
    """
    options: dict[str, Any] = {
        "variables": variables,
        "has_params": bool(spec.get("paramKind")),
        "makes_objects": True,
    }
    mutations = []
    for each in spec.get("mutations") or ():
        kind = each.get("patchType")
        told = (each.get("jsonPatch") if kind == "JSONPatch" else each.get("applyConfiguration")) or {}
        result = "LIST" if kind == "JSONPatch" else "MAP"
        mutations.append(
            Mutation(kind, compiled(str(told.get("expression") or "").strip(), result, **options))
        )
    return Body(tuple(mutations), spec.get("reinvocationPolicy") == "IfNeeded")


def _patched(live: Object, value: Any) -> Object:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise MutationError("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    before: Object = orjson.loads(orjson.dumps(live))
    try:
        found: Any = json_patch(live, value)
    except ApiError as error:
        if any(each.get("op") == "test" for each in value) and "test" in error.message:
            return before  # a test that fails leaves everything as it was
        raise MutationError(f"JSON Patch: {error.message}") from error
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        raise MutationError("JSON Patch: what is left is no object with metadata")
    return found


def _undeclared(structure: Structure, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and structure.is_map:
        for name, each in value.items():
            if name not in structure.fields and structure.element is None:
                yield f"{path}.{name}"
            else:
                yield from _undeclared(structure.child(name)[1], each, f"{path}.{name}")
    elif isinstance(value, list) and structure.is_list and structure.items is not None:
        for index, each in enumerate(value):
            yield from _undeclared(structure.items, each, f"{path}[{index}]")


def _atomics(structure: Structure, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        if structure.is_map_atomic:
            yield path
        elif structure.is_map:
            for name, each in value.items():
                yield from _atomics(structure.child(name)[1], each, f"{path}.{name}")
    elif isinstance(value, list):
        if structure.is_list_atomic:
            yield path
        elif structure.is_list and structure.items is not None:
            for index, each in enumerate(value):
                yield from _atomics(structure.items, each, f"{path}[{index}]")


def _key(use: Use[Body], params: Object | None) -> str:
    meta = (params or {}).get("metadata") or {}
    binding = use.binding.name if use.binding is not None else ""
    return f"{use.policy.name}/{binding}/{meta.get('namespace', '')}/{meta.get('name', '')}"


def _blamed(use: Use[Body], text: str) -> str:
    through = f" with binding '{use.binding.name}'" if use.binding is not None else ""
    return f"policy '{use.policy.name}'{through} denied request: {text}"


def _refused(request: AdmissionRequest, faults: list[str]) -> ForbiddenError:
    resource = request.resource
    error = ForbiddenError(
        faults[0],
        group=resource.group,
        kind=resource.plural,
        name=name_shown(request),
        causes=[Cause("", fault) for fault in faults],
    )
    error.reason = "Invalid"
    return error
