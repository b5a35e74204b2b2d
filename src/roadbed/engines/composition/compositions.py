"""The reconcilers of Compositions and their revisions.

Called by two controllers. The first keeps one CompositionRevision per state that a Composition has been
in; the second says whether a revision's functions can all be called, which composites wait for.

Source: Crossplane v2's composition and revision controllers.
"""

from __future__ import annotations

from contextlib import suppress

from roadbed.apimachinery.conditions import Condition
from roadbed.apimachinery.errors import AlreadyExistsError, NotFoundError
from roadbed.apimachinery.objects import is_terminating, name_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import COMPOSITION_REVISIONS
from roadbed.client import Client
from roadbed.controller import Clock, Recorder, Request, Result

from . import conditions, pipeline, revisions
from .builtin import Functions
from .mirrors import Mirrors
from .naming import MANAGER_SELECTION


class CompositionReconciler:
    """Keeps the newest revision of a Composition equal to it."""

    def __init__(self, client: Client, mirrors: Mirrors, recorder: Recorder) -> None:
        self._client = client
        self._mirrors = mirrors
        self._recorder = recorder

    async def reconcile(self, request: Request) -> Result:
        """Create or renumber revisions."""
        composition = self._mirrors.compositions.get(request.name)
        if composition is None or is_terminating(composition):
            return Result()
        plan = revisions.plan(composition, list(self._mirrors.revisions_of(request.name).values()))
        for revision in plan.update:
            await self._client.update(COMPOSITION_REVISIONS, revision)
        if plan.create is not None:
            with suppress(AlreadyExistsError):  # made by us a moment ago; the cache does not have it yet
                await self._client.create(COMPOSITION_REVISIONS, plan.create)
                number = revisions.number_of(plan.create)
                await self._recorder.event(
                    composition, "Normal", "CreateRevision", f"Created new revision {number}"
                )
        return Result()


class RevisionReconciler:
    """Says whether a revision's pipeline can run."""

    def __init__(self, client: Client, mirrors: Mirrors, functions: Functions, clock: Clock) -> None:
        self._client = client
        self._mirrors = mirrors
        self._functions = functions
        self._clock = clock

    async def reconcile(self, request: Request) -> Result:
        """Write the condition ValidPipeline."""
        revision = self._mirrors.revisions.get(request.name)
        if revision is None or is_terminating(revision):
            return Result()
        changes = [conditions.RECONCILED, self._verdict(revision)]
        merged = conditions.merged(revision, changes, self._clock.now())
        if (revision.get("status") or {}).get("conditions") == merged:
            return Result()
        body: Object = {
            "apiVersion": COMPOSITION_REVISIONS.api_version,
            "kind": COMPOSITION_REVISIONS.kind,
            "metadata": {"name": name_of(revision), "uid": uid_of(revision)},
            "status": {"conditions": merged},
        }
        with suppress(NotFoundError):  # deleted meanwhile
            await self._client.apply(
                COMPOSITION_REVISIONS, body, manager=MANAGER_SELECTION, subresource="status"
            )
        return Result()

    def _verdict(self, revision: Object) -> Condition:
        problems = [
            f'step "{step.name}": {problem}'
            for step in pipeline.steps_of(revision)
            if (problem := self._functions.problem(step.function))
        ]
        if problems:
            return Condition("ValidPipeline", "False", "MissingCapabilities", "; ".join(problems))
        return Condition("ValidPipeline", "True", "ValidPipeline")
