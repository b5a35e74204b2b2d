"""Mutating webhooks: asked one after the other, each about what the ones before left, before a write is complete.

Called by ``Admission`` for every write that some MutatingWebhookConfiguration names; in a second round only those
that want to be asked again, and only when the object changed after they saw it.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/{dispatcher,reinvocationcontext}.go.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.patch import json_patch
from roadbed.apimachinery.request import Object
from roadbed.apiserver.admission import Reinvocation
from roadbed.apiserver.policies.evaluation import Evaluation

from .hooks import Hook, Hooks, Invocation
from .reviews import CallFailedError, Reviewing, call_failed, internal_error

logger = logging.getLogger(__name__)

NAME = "MutatingAdmissionWebhook"
MUTATION = "mutation.webhook.admission.k8s.io/"
PATCH = "patch.webhook.admission.k8s.io/"
FAILED_OPEN = f"failed-open.{MUTATION}"


class MutatingWebhooks:
    """The mutator that asks webhooks."""

    calls_out = True

    def __init__(self, hooks: Hooks, reviewing: Reviewing, evaluation: Evaluation) -> None:
        self._hooks = hooks
        self._reviewing = reviewing
        self._evaluation = evaluation

    def sees(self, resource: Resource) -> bool:
        """Say whether a webhook could want to see writes of this resource."""
        return self._hooks.sees(resource)

    async def mutate(self, request: AdmissionRequest, round_: Reinvocation) -> Object | None:
        """Give the object as the webhooks leave it.

        Raises:
            ApiError: one denies the write, or can't be asked and fails closed.
        """
        invoked = round_.of(NAME)
        if round_.is_second and invoked.output != request.object:
            invoked.require_all()
        obj = request.object
        for index, hook in enumerate(self._hooks.all()):
            if round_.is_second and hook.key not in invoked.again:
                continue
            current = request if obj is request.object else replace(request, object=obj)
            invocation = await self._hooks.invocation(hook, current, self._evaluation)
            if invocation is None:
                continue
            changed = await self._ask(invocation, current, f"round_{int(round_.is_second)}_index_{index}")
            if changed is not None:
                obj = changed
                invoked.require_all()
                round_.wanted = True
            if hook.is_reinvocable:
                invoked.before.add(hook.key)
        invoked.output = obj
        return None if obj is request.object else obj

    async def _ask(self, invocation: Invocation, request: AdmissionRequest, mark: str) -> Object | None:
        hook = invocation.hook
        changed: Object | None = None
        try:
            verdict = await self._reviewing.ask(invocation, request, mutating=True)
            if verdict.patch:
                changed = await self._patched(invocation, request, verdict.patch)
                _annotate(request, PATCH + mark, hook, patch=verdict.patch, patchType="JSONPatch")
        except CallFailedError as error:
            if hook.fails_closed:
                raise call_failed(hook, error) from error
            logger.warning(
                "failed calling webhook, failing open", extra={"webhook": hook.name, "why": str(error)}
            )
            request.annotations[FAILED_OPEN + mark] = hook.name
        finally:  # whatever came of it
            _annotate(request, MUTATION + mark, hook, mutated=changed is not None)
        return changed

    async def _patched(
        self, invocation: Invocation, request: AdmissionRequest, patch: list[Any]
    ) -> Object | None:
        hook = invocation.hook
        if request.object is None:
            what = "attempted to modify the object, which is not supported for this operation"
            raise internal_error(f"admission webhook {go_quote(hook.name)} {what}")
        cluster = self._hooks.cluster
        seen = await cluster.shown(request, request.object, invocation.resource)
        try:
            patched = json_patch(orjson.loads(orjson.dumps(seen)), patch)
        except ApiError as error:
            raise internal_error(error.message) from error
        if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
            raise internal_error(f"admission webhook {go_quote(hook.name)} left no object with metadata")
        if patched == seen:
            return None
        return await cluster.taken_back(request, patched, invocation.resource)


def _annotate(request: AdmissionRequest, key: str, hook: Hook, **members: Any) -> None:
    value = {"configuration": hook.configuration, "webhook": hook.name, **members}
    request.annotations[key] = orjson.dumps(value).decode()
