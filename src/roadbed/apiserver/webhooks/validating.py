"""Validating webhooks: asked about complete writes, all at once; one refusal is enough.

Called by ``Admission`` for every write that some ValidatingWebhookConfiguration names. The calls of one write run
concurrently and all end before the write goes on, so that no webhook is left half asked.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go.
"""

from __future__ import annotations

import asyncio
import logging

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apiserver.policies.evaluation import Evaluation

from .hooks import Hooks, Invocation
from .reviews import CallFailedError, Reviewing, call_failed

logger = logging.getLogger(__name__)

FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io/"


class ValidatingWebhooks:
    """The validator that asks webhooks."""

    calls_out = True

    def __init__(self, hooks: Hooks, reviewing: Reviewing, evaluation: Evaluation) -> None:
        self._hooks = hooks
        self._reviewing = reviewing
        self._evaluation = evaluation

    def sees(self, resource: Resource) -> bool:
        """Say whether a webhook could want to see writes of this resource."""
        return self._hooks.sees(resource)

    async def validate(self, request: AdmissionRequest) -> None:
        """Return when every webhook that was asked allows the write.

        Raises:
            ApiError: one denies it, or can't be asked and fails closed.
        """
        wanted = [
            found
            for hook in self._hooks.all()
            if (found := await self._hooks.invocation(hook, request, self._evaluation)) is not None
        ]
        asking = (self._ask(index, each, request) for index, each in enumerate(wanted))
        refusals = await asyncio.gather(*asking)
        for refusal in refusals:
            if refusal is not None:
                raise refusal

    async def _ask(self, index: int, invocation: Invocation, request: AdmissionRequest) -> ApiError | None:
        hook = invocation.hook
        try:
            await self._reviewing.ask(invocation, request, mutating=False)
        except CallFailedError as error:
            if hook.fails_closed:
                return call_failed(hook, error)
            logger.warning(
                "failed calling webhook, failing open", extra={"webhook": hook.name, "why": str(error)}
            )
            request.annotations[f"{FAILED_OPEN}round_0_index_{index}"] = hook.name
        except ApiError as error:
            return error
        return None
