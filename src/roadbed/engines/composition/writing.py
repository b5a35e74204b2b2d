"""Writing what a plan says, in the order that survives a crash at any point.

Used by the composite reconciler. Garbage goes before references are forgotten, references are stored
before anything is made, resources are applied before the status speaks of them. Every write is
server-side apply with Crossplane's manager names, forced, and is left out when the object already holds
it. Answers go straight into the informers' caches, so that the next read sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.conditions import conditions_of
from roadbed.apimachinery.errors import ApiError, ConflictError, InvalidError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import (
    controller_of,
    gvk_of,
    is_terminating,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Label
from roadbed.client import Client
from roadbed.controller import Informers

from .compose import Composed, ComposeError, Plan, covers, digest
from .naming import MANAGER_COMPOSITE, MANAGER_SELECTION, composed_manager
from .ownership import is_settled
from .tracking import State

_OWNED_LABELS = (Label.COMPOSITE, Label.CLAIM_NAME, Label.CLAIM_NAMESPACE)


@dataclass(frozen=True, slots=True)
class Applied:
    """How applying went: live objects by name, what the server refused, and whether anything changed."""

    live: Mapping[str, Object]
    refused: Mapping[str, str]
    changed: bool


class Writer:
    """Writes one kind of composite and what it composes."""

    def __init__(
        self, client: Client, composite: Resource, informers: Callable[[], Informers], *, legacy: bool
    ) -> None:
        self._client = client
        self._crossplane = Client(client.transport, field_manager=MANAGER_SELECTION)
        self._composite = composite
        self._informers = informers
        self._legacy = legacy

    async def patch(self, composite: Object, patch: Mapping[str, Any], state: State) -> Object:
        """Change the composite itself, unless it was written meanwhile.

        Raises:
            ConflictError: it was; the watch brings the news.
        """
        meta = {**(patch.get("metadata") or {}), "resourceVersion": revision_of(composite)}
        body = {**patch, "metadata": meta}
        answer = await self._crossplane.patch(
            self._composite, name_of(composite), body, namespace=namespace_of(composite)
        )
        return self._took(self._composite, answer, state)

    async def collect(self, garbage: Mapping[str, Object], kinds: Mapping[GVK, Resource]) -> None:
        """Delete composed resources that are no longer desired, bottom up.

        Raises:
            ComposeError: one can't be deleted.
        """
        for name, obj in garbage.items():
            if is_terminating(obj):
                continue
            kind = kinds[gvk_of(obj)]
            labels = dict.fromkeys(label for label in _OWNED_LABELS if label in labels_of(obj))
            try:
                if labels:  # so that garbage can be told from the remains of a deleted composite
                    await self._crossplane.patch(
                        kind, name_of(obj), {"metadata": {"labels": labels}}, namespace=namespace_of(obj)
                    )
                await self.delete(kind, obj)
            except NotFoundError:
                continue
            except ApiError as error:
                raise ComposeError(
                    f'cannot garbage collect composed resources that are no longer desired: cannot delete "{name}" '
                    f"(a {kind.kind} named {name_of(obj)}): {error}"
                ) from error

    async def delete(self, kind: Resource, obj: Object) -> None:
        """Delete one composed resource in the foreground, if it is still the same one."""
        await self._client.delete(
            kind, name_of(obj), namespace_of(obj), propagation="Foreground", uid=uid_of(obj)
        )

    async def refer(self, composite: Object, plan: Plan, present: list[Any], state: State) -> Object:
        """Store references to everything that will exist; gives the composite as it is then."""
        if present == plan.references:
            return composite
        machinery = {"resourceRefs": plan.references}
        body = self._identity(composite)
        body["spec"] = machinery if self._legacy else {"crossplane": machinery}
        answer = await self._client.apply(self._composite, body, manager=MANAGER_COMPOSITE)
        return self._took(self._composite, answer, state)

    async def apply(
        self, composite: Object, plan: Plan, observed: Mapping[str, Object], state: State
    ) -> Applied:
        """Apply what differs, all at once; one that the server refuses does not hold up the others.

        Raises:
            ComposeError: applying failed for another reason than the object's content.
        """
        manager = composed_manager(name_of(composite), gvk_of(composite))
        due = [item for item in plan.composed if _is_due(item, observed.get(item.name), manager, state)]
        answers = await asyncio.gather(
            *(self._apply_one(composite, item, observed, manager) for item in due), return_exceptions=True
        )
        live = {item.name: observed[item.name] for item in plan.composed if item.name in observed}
        refused: dict[str, str] = {}
        changed = False
        for item, answer in zip(due, answers, strict=True):
            if isinstance(answer, InvalidError | _TakenError):
                refused[item.name] = (
                    f'cannot apply composed resource "{item.name}": {_without_secrets(item, answer)}'
                )
                state.applied.pop(item.name, None)
            elif isinstance(answer, ConflictError):
                raise answer
            elif isinstance(answer, ApiError):
                raise ComposeError(
                    f'cannot apply composed resource "{item.name}" (a {item.resource.kind} named '
                    f"{item.key}): {_without_secrets(item, answer)}"
                ) from answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                before = observed.get(item.name)
                changed = changed or before is None or revision_of(before) != revision_of(answer)
                live[item.name] = self._took(item.resource, answer, state)
                state.applied[item.name] = (item.digest, revision_of(answer))
        return Applied(live, refused, changed)

    async def status(self, composite: Object, status: dict[str, Any], state: State) -> Object:
        """Apply the composite's status, unless it says the same already."""
        wanted = digest(status)
        if state.status == (wanted, revision_of(composite)):
            return composite
        body = self._identity(composite)
        body["status"] = status
        is_known = state.status[0] == wanted
        if (
            covers(composite.get("status") or {}, status)
            if is_known
            else is_settled(composite, body, MANAGER_COMPOSITE, subresource="status")
        ) and not _says_more(composite, status):
            state.status = (wanted, revision_of(composite))
            return composite
        answer = await self._client.apply(
            self._composite, body, manager=MANAGER_COMPOSITE, subresource="status"
        )
        if _says_more(answer, status):
            answer = await self._replace_conditions(answer, status["conditions"])
        state.status = (wanted, revision_of(answer))
        return self._took(self._composite, answer, state)

    async def conditions(self, composite: Object, conditions: list[dict[str, Any]], state: State) -> Object:
        """Write conditions and leave the rest of the status as it is; for reconciles that failed."""
        if covers(composite.get("status") or {}, {"conditions": conditions}):
            return composite
        return self._took(self._composite, await self._replace_conditions(composite, conditions), state)

    async def _replace_conditions(self, composite: Object, conditions: list[dict[str, Any]]) -> Object:
        return await self._crossplane.patch(
            self._composite,
            name_of(composite),
            {"metadata": {"uid": uid_of(composite)}, "status": {"conditions": conditions}},
            namespace=namespace_of(composite),
            subresource="status",
        )

    async def _apply_one(
        self, composite: Object, item: Composed, observed: Mapping[str, Object], manager: str
    ) -> Object:
        if item.name not in observed:
            taken = self._cached(item)
            controller = controller_of(taken) if taken else None
            if controller is not None and controller.get("uid") != uid_of(composite):
                raise _TakenError(
                    f"{item.resource.kind} {item.key} is controlled by {controller.get('kind')} "
                    f'"{controller.get("name")}": give this one another metadata.name'
                )
        return await self._client.apply(item.resource, item.object, manager=manager)

    def _cached(self, item: Composed) -> Object | None:
        try:
            return self._informers().of(item.resource).get(item.key)
        except KeyError:
            return None

    def _took(self, resource: Resource, answer: Object, state: State) -> Object:
        state.wrote(answer)
        with suppress(KeyError):  # not watched yet: the list will bring it
            self._informers().of(resource).observe(answer)
        return answer

    def _identity(self, composite: Object) -> Object:
        meta = {name: metadata(composite)[name] for name in ("name", "uid")}
        if namespace := namespace_of(composite):
            meta["namespace"] = namespace
        return {"apiVersion": composite["apiVersion"], "kind": composite["kind"], "metadata": meta}


def _is_due(item: Composed, live: Object | None, manager: str, state: State) -> bool:
    if live is None:
        return True
    applied = state.applied.get(item.name)
    if applied == (item.digest, revision_of(live)):
        return False
    # Applied by us before it changed elsewhere, or by a process before this one.
    is_known = applied is not None and applied[0] == item.digest
    if covers(live, item.object) if is_known else is_settled(live, item.object, manager):
        state.applied[item.name] = (item.digest, revision_of(live))
        return False
    return True


def _says_more(composite: Object, status: Mapping[str, Any]) -> bool:
    """Say whether a condition still has a member that it should not, such as the message of a failure that is over.

    What a patch wrote, applying can't take away: it belongs to another manager.
    """
    wanted = {each.get("type"): each.keys() for each in status.get("conditions") or ()}
    return any(each.keys() - wanted.get(each.get("type"), each.keys()) for each in conditions_of(composite))


def _without_secrets(item: Composed, error: Exception) -> str:
    # A server quotes what it refuses, and this goes into a condition that many may read.
    if item.resource.group or item.resource.kind != "Secret" or not isinstance(error, ApiError):
        return str(error)
    fields = ", ".join(f"{cause.field} ({cause.reason})" for cause in error.causes)
    return f"the server refused the Secret: {fields or error.reason}"


class _TakenError(Exception):
    """Another composite controls the object of that name."""
