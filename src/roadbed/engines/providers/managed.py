"""The managed reconciler: brings one external resource to what its object says, whatever the cloud.

Run by a ``Controller`` per kind; workers reconcile different objects concurrently, never one object twice at
once. Everything is read again each time. What must survive a crash is stored before it matters: the
intent to create (with finalizer, names and resolved references) in one write before the cloud is asked, the result
right after. The finalizer goes only when the external resource is gone. It never waits for a cloud: it
asks to be called again. TurnError ends in the Synced condition, not in a traceback.

Source: github.com/crossplane/crossplane-runtime pkg/reconciler/managed/reconciler.go (semantics, event
and condition names; other code).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from roadbed.apimachinery.conditions import Condition, find_condition, is_true
from roadbed.apimachinery.errors import ApiError, ConflictError, NotFoundError
from roadbed.apimachinery.objects import is_terminating, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_micro_time
from roadbed.client import Client
from roadbed.controller import Clock, Recorder, Request, Result

from . import connection, markers, references
from .conditions import failed, paused, ready, synced
from .external import (
    Connector,
    Creation,
    ExternalClient,
    ExternalError,
    InvalidRequestError,
    ManagedKind,
    Observation,
    UnknownOutcomeError,
    UnsupportedFieldError,
)
from .pacing import Pacing
from .policies import CREATE, LATE, UPDATE, Policy
from .turn import Turn, copied
from .waiting import Waiting, kind_key

logger = logging.getLogger(__name__)

FINALIZER = "finalizer.managedresource.crossplane.io"
SETTLING_S = 30.0  # how long a cloud may deny what it has just created; crossplane-runtime's grace period
INCOMPLETE = (
    "cannot determine creation result - remove the crossplane.io/external-create-pending annotation"
    " if it is safe to proceed"
)


class TurnError(Exception):
    """What ends a turn early: an event's reason, the words before the cause, and perhaps how ready we are."""

    def __init__(self, reason: str, prefix: str, cause: Exception, state: Condition | None = None) -> None:
        super().__init__(f"{prefix}: {cause}" if prefix else str(cause))
        self.reason = reason
        self.cause = cause
        self.state = state


@contextmanager
def telling(reason: str, prefix: str = "", state: Condition | None = None) -> Iterator[None]:
    """Turn expected errors of the step inside into ``TurnError``."""
    try:
        yield
    except (ExternalError, references.UnresolvedError, connection.PublishError) as error:
        raise TurnError(reason, prefix, error, state) from error


class ManagedReconciler:
    """Reconciles the objects of one kind through the ``ExternalClient`` that its connector gives."""

    def __init__(
        self,
        kind: ManagedKind,
        connector: Connector,
        *,
        client: Client,
        recorder: Recorder,
        clock: Clock,
        pacing: Pacing | None = None,
    ) -> None:
        self._kind = kind
        self._connector = connector
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._pacing = pacing or Pacing()
        self._configs = [kind_key(resource.gvk) for resource in connector.configs]
        self._targets = [kind_key(reference.to) for reference in kind.references]
        self.waiting = Waiting()

    async def reconcile(self, request: Request) -> Result:
        """Look at one object and its external resource, and take the next step."""
        obj = await self._client.find(self._kind.resource, request.name, request.namespace)
        if obj is None:
            self._pacing.forget(request)
            return Result()
        policy = Policy.of(obj["spec"], legacy=self._kind.legacy)
        turn = Turn(obj, self._kind, self._client, self._recorder, self._clock)
        if markers.is_paused(obj) or policy.is_paused:
            return await self._pause(turn, request)
        await turn.note_request()
        if fault := policy.fault():
            await turn.warn("CannotUseInvalidManagementPolicy", fault)
            await turn.conclude(failed(fault))
            return Result()  # only an edit can help
        if is_terminating(obj) and not policy.deletes:
            return await self._release(turn, request)
        try:
            return await self._converge(turn, request, policy)
        except TurnError as trouble:
            return await self._tell(turn, request, trouble)
        except ConflictError:
            raise  # someone wrote in between; the controller comes back at once
        except ApiError as error:
            failure = ExternalError(f"cannot update managed resource: {error}")
            return await self._tell(turn, request, TurnError("CannotUpdateManagedResource", "", failure))

    async def _converge(self, turn: Turn, request: Request, policy: Policy) -> Result:
        obj = turn.obj
        terminating = is_terminating(obj)
        if not markers.external_name(obj) and (name := self._kind.initial_name(obj)):
            markers.annotate(obj, markers.EXTERNAL_NAME, name)
        if not terminating:
            with telling("CannotInitializeManagedResource"):
                if fault := self._kind.fault(obj):
                    raise UnsupportedFieldError(fault)
            if not policy.only_observes:
                self._kind.initialize(obj)
            await self._resolve(obj, request)
        # Until the cloud has answered, a better config may be what it takes.
        self.waiting.add(self._configs, request)
        with telling("CannotConnectToProvider", "connect failed"):
            external = await self._connector.connect(obj)
        if markers.pending_since(obj) is not None and not self._kind.deterministic:
            result = await self._recover(turn, request, external)
            if result is not None:
                return result
        with telling("CannotObserveExternalResource", "observe failed"):
            seen = await external.observe(obj)
        self.waiting.discard(self._configs, request)
        turn.observe(seen)
        if terminating:
            return await self._delete(turn, request, external, seen)
        return await self._maintain(turn, request, policy, external, seen)

    async def _resolve(self, obj: Object, request: Request) -> None:
        # Before looking: what appears while we look must wake us.
        needed = references.unfilled(obj, self._kind.references)
        self.waiting.add(map(kind_key, needed), request)
        with telling("CannotResolveResourceReferences"):
            await references.resolve(self._client, obj, self._kind.references)

    async def _maintain(
        self, turn: Turn, request: Request, policy: Policy, external: ExternalClient, seen: Observation
    ) -> Result:
        if not seen.exists and policy.only_observes:
            message = "external resource does not exist"
            await turn.warn("CannotObserveExternalResource", message)
            await turn.conclude(failed(f"observe failed: {message}"))
            return Result(self._pacing.steady_s(request, turn.obj))
        if not seen.exists and self._may_be_settling(turn.obj):
            await turn.tell(
                "PendingExternalResource", "Waiting for external resource existence to be confirmed"
            )
            return Result(self._pacing.settle_s(request))
        with telling("CannotPublishConnectionDetails"):
            await connection.publish(self._client, turn.obj, seen.connection)
        finalizers = metadata(turn.obj).get("finalizers") or []
        if FINALIZER not in finalizers:
            turn.obj["metadata"]["finalizers"] = [*finalizers, FINALIZER]
        if not seen.exists and policy.allows(CREATE):
            return await self._create(turn, request, external)
        if seen.exists and policy.allows(LATE):
            turn.late_initialize(seen.late_init)
        await turn.store()
        if not seen.exists:
            # Creation is not allowed: as upstream, that is no error; somebody else may create it.
            await turn.conclude(synced(), ready("Unavailable", "external resource does not exist"))
            return Result(self._pacing.steady_s(request, turn.obj))
        if not seen.up_to_date and policy.allows(UPDATE):
            return await self._update(turn, request, external, seen)
        return await self._rest(turn, request, seen)

    async def _rest(self, turn: Turn, request: Request, seen: Observation) -> Result:
        await turn.conclude(synced(), ready(seen.readiness, seen.message))
        if seen.readiness == "Available":
            return Result(self._pacing.steady_s(request, turn.obj))
        return Result(self._pacing.settle_s(request))

    async def _create(self, turn: Turn, request: Request, external: ExternalClient) -> Result:
        markers.annotate(turn.obj, markers.CREATE_PENDING, format_micro_time(self._clock.now()))
        # A plain update on purpose: it must fail if what we read is not the newest.
        await turn.store()
        with telling("CannotCreateExternalResource", "create failed", ready("Creating")):
            creation = await self._asked(turn, request, external)
        await turn.remember(
            {
                markers.EXTERNAL_NAME: creation.external_name,
                markers.CREATE_SUCCEEDED: format_micro_time(self._clock.now()),
            }
        )
        with telling("CannotPublishConnectionDetails", state=ready("Creating")):
            await connection.publish(self._client, turn.obj, creation.connection)
        logger.info("created external resource", extra=self._facts(turn.obj))
        await turn.tell("CreatedExternalResource", "Successfully requested creation of external resource")
        await turn.conclude(synced(), ready("Creating"))
        return Result(self._pacing.settle_s(request))

    async def _asked(self, turn: Turn, request: Request, external: ExternalClient) -> Creation:
        try:
            return await external.create(turn.obj)
        except UnknownOutcomeError:
            raise  # neither succeeded nor failed is stored: the next turn finds out what became of it
        except ExternalError:
            await turn.remember({markers.CREATE_FAILED: format_micro_time(self._clock.now())})
            self.waiting.add(self._targets, request)  # perhaps what it refers to is only on its way
            raise

    async def _recover(self, turn: Turn, request: Request, external: ExternalClient) -> Result | None:
        """Find out what an interrupted creation left; None means go on."""
        began = markers.pending_since(turn.obj)
        with telling("CannotObserveExternalResource", "observe failed"):
            name = await external.recover(turn.obj)
        if name is None:
            await turn.warn("CannotInitializeManagedResource", INCOMPLETE)
            await turn.conclude(failed(INCOMPLETE), ready("Creating"))
            # Only a person can tell. Removing the annotation wakes us; what else they write is seen at the next poll.
            return Result(self._pacing.steady_s(request, turn.obj))
        now = self._clock.now()
        if name:
            await turn.remember(
                {markers.EXTERNAL_NAME: name, markers.CREATE_SUCCEEDED: format_micro_time(now)}
            )
            logger.info("recovered external resource", extra=self._facts(turn.obj))
        elif began is not None and (now - began).total_seconds() < SETTLING_S:
            await turn.tell(
                "PendingExternalResource", "Finding out whether an interrupted creation left a resource"
            )
            await turn.conclude(synced(), ready("Creating", "checking what an interrupted creation left"))
            return Result(self._pacing.settle_s(request))
        return None

    async def _update(
        self, turn: Turn, request: Request, external: ExternalClient, seen: Observation
    ) -> Result:
        state = ready(seen.readiness, seen.message)
        with telling("CannotUpdateExternalResource", "update failed", state):
            details = await external.update(turn.obj)
        with telling("CannotPublishConnectionDetails"):
            await connection.publish(self._client, turn.obj, details)
        logger.info(
            "updated external resource", extra={**self._facts(turn.obj), "changes": list(seen.differences)}
        )
        await turn.tell("UpdatedExternalResource", "Successfully requested update of external resource")
        await turn.conclude(synced(), state)
        return Result(self._pacing.settle_s(request))  # soon, so that status shows what came of it

    async def _delete(
        self, turn: Turn, request: Request, external: ExternalClient, seen: Observation
    ) -> Result:
        others = [name for name in metadata(turn.obj).get("finalizers") or () if name != FINALIZER]
        if others:
            # Someone still needs the external resource; their letting go wakes us.
            await turn.conclude(ready("Deleting", f"waiting for finalizers: {', '.join(others)}"))
            return Result(self._pacing.settle_s(request))
        if not seen.exists:
            return await self._release(turn, request)
        # Waiting before asking: what is in the way may go while we ask.
        users = [kind_key(gvk) for gvk in self._kind.users]
        self.waiting.add(users, request)
        with telling("CannotDeleteExternalResource", "delete failed", ready("Deleting")):
            await external.delete(turn.obj)
        self.waiting.discard(users, request)
        logger.info("deleted external resource", extra=self._facts(turn.obj))
        await turn.tell("DeletedExternalResource", "Successfully requested deletion of external resource")
        await turn.conclude(synced(), ready("Deleting"))
        return Result(self._pacing.settle_s(request))

    async def _release(self, turn: Turn, request: Request) -> Result:
        finalizers = metadata(turn.obj).get("finalizers") or []
        if FINALIZER in finalizers:
            freed = copied(turn.stored)
            freed["metadata"]["finalizers"] = [name for name in finalizers if name != FINALIZER]
            try:
                await self._client.update(self._kind.resource, freed)
            except NotFoundError:
                logger.debug("object was gone already", extra=self._facts(turn.obj))
        self._pacing.forget(request)
        return Result()

    async def _pause(self, turn: Turn, request: Request) -> Result:
        self._pacing.forget(request)
        condition = paused()
        before = find_condition(turn.obj, "Synced")
        if before is None or before.get("reason") != condition.reason:
            await turn.tell("ReconciliationPaused", condition.message)
        await turn.conclude(condition)
        return Result()  # an edit wakes us

    async def _tell(self, turn: Turn, request: Request, trouble: TurnError) -> Result:
        """Say what went wrong, and come back: ever later, or at the next poll if asking again can't help."""
        await turn.warn(trouble.reason, str(trouble.cause))
        await turn.conclude(failed(str(trouble)), *([trouble.state] if trouble.state else []))
        if isinstance(trouble.cause, InvalidRequestError):
            return Result(self._pacing.steady_s(request, turn.obj))
        wish_s = trouble.cause.retry_after_s if isinstance(trouble.cause, ExternalError) else 0.0
        return Result(self._pacing.retry_s(request, at_least_s=wish_s))

    def _may_be_settling(self, obj: Object) -> bool:
        created = markers.created_at(obj)
        if created is None or is_true(obj, "Ready"):
            return False  # never created, created again in vain, or seen before: then it is gone
        return (self._clock.now() - created).total_seconds() < SETTLING_S

    def _facts(self, obj: Object) -> dict[str, str]:
        return {
            "kind": self._kind.resource.qualified,
            "namespace": namespace_of(obj),
            "object": name_of(obj),
            "external_name": markers.external_name(obj),
        }
