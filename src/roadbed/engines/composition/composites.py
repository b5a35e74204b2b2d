"""The composite reconciler: one per kind that a definition offers, all with this code.

Called by the kind's controller, several workers at once, never two for one composite. It reads the
composite and what it is composed of, runs the pipeline, and writes the difference; then it waits for news.
It ends with its controller, which the definition reconciler starts and stops.

Runs are repeated within one reconcile while they create things (a function should see what now exists), so
a composite of plain objects is ready in one go. What can't succeed before something changes ends in a
``TerminalError``: everything it could wait for is watched, so nothing here polls.

Source: Crossplane v2 (order, conditions, events). On purpose different: deleting waits for what was
composed; see docs/reference/composition.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from roadbed.apimachinery.conditions import find_condition
from roadbed.apimachinery.errors import ApiError, ConflictError, InvalidError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import (
    ObjectKey,
    annotations_of,
    controller_of,
    gvk_of,
    is_terminating,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation, Label, machinery
from roadbed.controller import Clock, Request, Result, TerminalError

from . import compose, conditions, pipeline, selection, verdicts
from .functions.protocol import Resource as PipelineResource
from .functions.protocol import State as PipelineState
from .mirrors import Mirrors
from .publishing import Publisher
from .sources import Reader
from .telling import Teller, responsive
from .tracking import State, Tracker
from .verdicts import Note
from .writing import Applied, Writer

FINALIZER = "composite.apiextensions.crossplane.io"
ORPHAN_FINALIZER = "orphan"  # the user asked to keep what was composed
RUNS = 3  # within one reconcile; what still changes after that is looked at again by its own events
NESTING_LIMIT = 16  # composites that compose composites that …: deeper is taken for a cycle


@dataclass(frozen=True, slots=True)
class Tools:
    """What the reconciler of one kind works with. ``definition`` is the name of the kind's definition."""

    definition: str
    composite: Resource
    legacy: bool
    mirrors: Mirrors
    reader: Reader
    writer: Writer
    publisher: Publisher
    tracker: Tracker
    teller: Teller
    clock: Clock
    require: Callable[[Request, list[Any]], Awaitable[None]]
    watch: Callable[[Resource], Awaitable[None]]
    gone: Callable[[], None]


@dataclass(slots=True)
class _Composition:
    """The outcome of composing once."""

    composite: Object
    outcome: pipeline.Outcome
    plan: compose.Plan
    applied: Applied
    notes: list[Note] = field(default_factory=list)


class _FatalError(Exception):
    """A function ended the pipeline."""

    def __init__(self, message: str, outcome: pipeline.Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class CompositeReconciler:
    """Brings one composite to what its Composition makes of it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def reconcile(self, request: Request) -> Result:
        """Compose, or clean up; see the module."""
        tools = self._tools
        state = tools.tracker.begin(request)
        failure: TerminalError | None = None
        result = Result()
        try:
            composite = await tools.reader.find(tools.composite, ObjectKey(request.namespace, request.name))
            if composite is None:
                tools.tracker.forget(request)
                tools.gone()
                return Result()
            tools.tracker.failing.add(request)  # until it has ended well
            result = await self._spaced(request, composite, state)
            tools.tracker.failing.discard(request)
        except TerminalError as error:
            failure = error
        finally:
            news = tools.tracker.finish(request)
        if news:  # came in meanwhile, and may be just what a failure was waiting for
            return Result(requeue_after_s=0)
        if failure is not None:
            raise failure
        return result

    async def _spaced(self, request: Request, composite: Object, state: State) -> Result:
        was_open = state.bucket.is_open
        wait_s = state.bucket.take(self._tools.clock.monotonic())
        if wait_s:
            if not was_open:
                await self._tools.teller.say(composite, state, [])
            return Result(requeue_after_s=wait_s)
        result = await self._reconcile(request, composite, state)
        if state.bucket.is_open and result.requeue_after_s is None:
            return Result(requeue_after_s=conditions.CALM_CHECK_S)  # to say that it is over
        return result

    async def _reconcile(self, request: Request, composite: Object, state: State) -> Result:
        if annotations_of(composite).get(Annotation.PAUSED) == "true":
            await self._tools.teller.say(composite, state, [conditions.PAUSED])
            message = "Reconciliation is paused via the pause annotation"
            await self._tools.teller.tell(
                composite, state, "pause", [("Normal", "ReconciliationPaused", message)]
            )
            return Result()
        await self._tools.teller.tell(composite, state, "request", _requested(composite))
        if is_terminating(composite):
            return await self._delete(composite, state)
        try:
            composite, revision = await self._select(composite, state)
            return await self._compose(request, composite, revision, state)
        except selection.UndecidedError as error:
            if find_condition(composite, "Synced") is None:
                message = f"cannot select Composition: {error}"
                await self._tools.teller.say(composite, state, [conditions.failed(message)])
            raise TerminalError(str(error)) from error  # the verdict wakes us, within milliseconds
        except selection.SelectionError as error:
            await self._fail(composite, state, "SelectComposition", f"cannot select Composition: {error}")
            raise TerminalError(str(error)) from error
        except _FatalError as error:
            message = f"cannot compose resources: {error}{_where(state)}"
            await self._fail(composite, state, "ComposeResources", message, error.outcome)
            raise TerminalError(str(error)) from error
        except pipeline.PipelineError as error:
            await self._fail(composite, state, "ComposeResources", f"cannot compose resources: {error}")
            raise TerminalError(str(error)) from error
        except compose.ComposeError as error:
            message = f"cannot compose resources: {error}{_where(state)}"
            await self._fail(composite, state, "ComposeResources", message)
            if isinstance(error.__cause__, ApiError):  # the server may think otherwise later
                raise _in_our_words(error.__cause__, error) from error
            raise TerminalError(str(error)) from error
        except ConflictError:
            raise
        except ApiError as error:
            step = ""
            if isinstance(error, InvalidError) and error.name == name_of(composite):
                step = "; its definition has changed: give it what is named"
            await self._fail(composite, state, "ComposeResources", f"cannot compose resources: {error}{step}")
            raise

    async def _select(self, composite: Object, state: State) -> tuple[Object, Object]:
        tools = self._tools
        definition = tools.mirrors.definitions.get(tools.definition) or {}
        own = dict(machinery(composite, legacy=tools.legacy))
        changes: dict[str, Any] = {}
        state.composition = state.pinned = ""
        choice = selection.composition(composite, own, definition, tools.mirrors.compositions.values())
        state.composition = choice.name
        if own.get("compositionUpdatePolicy") == "Manual":
            state.pinned = (own.get("compositionRevisionRef") or {}).get("name") or ""
        if (own.get("compositionRef") or {}).get("name") != choice.name:
            changes["compositionRef"] = own["compositionRef"] = {"name": choice.name}
        default = (definition.get("spec") or {}).get("defaultCompositionRevisionSelector")
        if default and not own.get("compositionRevisionSelector") and not own.get("compositionRevisionRef"):
            selector = {"matchLabels": default.get("matchLabels") or {}}
            changes["compositionRevisionSelector"] = own["compositionRevisionSelector"] = selector
        revision = selection.revision(
            composite,
            own,
            tools.mirrors.compositions.get(choice.name),
            tools.mirrors.revisions_of(choice.name).values(),
        )
        notes: list[Note] = [("Normal", "CompositionSelection", choice.note)] if choice.note else []
        if "compositionRef" in changes:
            message = f"Successfully selected composition: {choice.name}"
            notes.append(("Normal", "SelectComposition", message))
        if (own.get("compositionRevisionRef") or {}).get("name") != name_of(revision):
            changes["compositionRevisionRef"] = {"name": name_of(revision)}
            message = f"Selected composition revision: {name_of(revision)}"
            notes.append(("Normal", "SelectComposition", message))
        if patch := self._preparation(composite, changes):
            if controller_of(composite):
                await self._check_nesting(composite)
            composite = await tools.writer.patch(composite, patch, state)
        await self._tools.teller.tell(composite, state, "selection", notes)
        return composite, revision

    def _preparation(self, composite: Object, changes: dict[str, Any]) -> dict[str, Any]:
        patch: dict[str, Any] = {}
        finalizers = metadata(composite).get("finalizers") or []
        if FINALIZER not in finalizers:
            patch.setdefault("metadata", {})["finalizers"] = [*finalizers, FINALIZER]
        if not labels_of(composite).get(Label.COMPOSITE):
            patch.setdefault("metadata", {})["labels"] = {Label.COMPOSITE: name_of(composite)}
        if changes:
            patch["spec"] = changes if self._tools.legacy else {"crossplane": changes}
        return patch

    async def _check_nesting(self, composite: Object) -> None:
        # Only the first time a composed composite is met; a cycle of kinds would otherwise grow for ever.
        chain = [composite.get("kind", "")]
        current = composite
        while (owner := controller_of(current)) and len(chain) <= NESTING_LIMIT:
            kind = await self._tools.reader.kind(GVK.parse(str(owner["apiVersion"]), str(owner["kind"])))
            namespace = namespace_of(composite) if kind.namespaced else ""
            found = await self._tools.reader.find(kind, ObjectKey(namespace, str(owner["name"])))
            if found is None:
                return
            current = found
            chain.append(kind.kind)
        if len(chain) > NESTING_LIMIT:
            raise pipeline.PipelineError(
                f"composites are nested more than {NESTING_LIMIT} deep ({' < '.join(chain[:4])} < …): "
                "the Compositions compose each other in a cycle; take one of them out"
            )

    async def _compose(self, request: Request, composite: Object, revision: Object, state: State) -> Result:
        tools = self._tools
        references = machinery(composite, legacy=tools.legacy).get("resourceRefs") or []
        observed = await tools.reader.composed(composite, list(references))
        steps = pipeline.steps_of(revision)
        warnings: dict[str, None] = {}
        for _ in range(RUNS):
            done = await self._compose_once(request, composite, steps, observed, state)
            composite, observed = done.composite, dict(done.applied.live)
            warnings.update(dict.fromkeys(done.plan.warnings))
            if not done.applied.changed:
                break
        for name in [name for name in state.applied if name not in observed]:
            del state.applied[name]
        published = await tools.publisher.publish(
            composite, done.outcome.desired.composite.connection_details
        )
        done.notes.extend(("Warning", "NamespaceOverridden", message) for message in warnings)
        await self._report(composite, done, state, published)
        return Result(requeue_after_s=done.outcome.ttl_s or None)

    async def _compose_once(
        self,
        request: Request,
        composite: Object,
        steps: tuple[pipeline.Step, ...],
        observed: Mapping[str, Object],
        state: State,
    ) -> _Composition:
        tools = self._tools
        outcome = await pipeline.run(steps, await self._observation(composite, observed), tools.reader)
        if outcome.fatal is not None:
            raise _FatalError(
                f'pipeline step "{outcome.fatal.step}" returned a fatal result: {outcome.fatal.result.message}',
                outcome,
            )
        await tools.require(request, outcome.required)
        kinds = await self._kinds(outcome, observed)
        plan = compose.plan(composite, outcome.desired, observed, kinds)
        present = list(machinery(composite, legacy=tools.legacy).get("resourceRefs") or [])
        await tools.writer.collect(compose.garbage(composite, observed, outcome.desired.resources), kinds)
        composite = await tools.writer.refer(composite, plan, present, state)
        for item in plan.composed:
            await tools.watch(item.resource)
        applied = await tools.writer.apply(composite, plan, observed, state)
        return _Composition(composite, outcome, plan, applied)

    async def _observation(self, composite: Object, observed: Mapping[str, Object]) -> PipelineState:
        reader = self._tools.reader
        connection = await reader.connection(composite) if self._tools.legacy else {}
        return PipelineState(
            PipelineResource(composite, connection),
            {name: PipelineResource(obj, await reader.connection(obj)) for name, obj in observed.items()},
        )

    async def _kinds(self, outcome: pipeline.Outcome, observed: Mapping[str, Object]) -> dict[GVK, Resource]:
        kinds = {compose.kind_of(name, item.resource) for name, item in outcome.desired.resources.items()}
        kinds.update(gvk_of(obj) for obj in observed.values())
        return {gvk: await self._tools.reader.kind(gvk) for gvk in kinds}

    async def _report(self, composite: Object, done: _Composition, state: State, published: str) -> None:
        tools = self._tools
        desired = dict(done.outcome.desired.composite.resource.get("status") or {})
        desired.pop("conditions", None)
        if published:
            desired["connectionDetails"] = {"lastPublishedTime": published}
        refused = {name: f"{text}{_where(state)}" for name, text in done.applied.refused.items()}
        verdict = verdicts.verdict(done.outcome, done.plan.composed, refused)
        changes = [*verdicts.custom(done.outcome), *verdict, responsive(state)]
        desired["conditions"] = conditions.merged(composite, changes, tools.clock.now())
        await tools.writer.status(composite, desired, state)
        notes: list[Note] = [("Warning", "ComposeResources", message) for message in refused.values()]
        notes += [*done.notes, *verdicts.notes(done.outcome)]
        ready = next(change for change in verdict if change.type == "Ready")
        before = find_condition(composite, "Ready") or {}
        if ready.status == "True" and before.get("status") != "True":
            notes.append(("Normal", "ComposeResources", "Successfully composed resources"))
        elif ready.status != "True" and before.get("status") != "False":  # the condition tells the rest
            notes.append(("Normal", "ComposeResources", f"Not ready yet: {ready.message or ready.reason}"))
        await self._tools.teller.tell(composite, state, "outcome", notes)

    async def _delete(self, composite: Object, state: State) -> Result:
        tools = self._tools
        finalizers = list(metadata(composite).get("finalizers") or [])
        if FINALIZER not in finalizers:
            return Result()  # others hold it; we are done with it
        waiting: list[str] = []
        if ORPHAN_FINALIZER not in finalizers:
            waiting = await self._delete_composed(composite)
        if waiting:
            message = f"Waiting for composed resources to be deleted: {conditions.some_of(waiting)}"
            await self._tools.teller.say(composite, state, [conditions.deleting(message)])
            return Result()
        finalizers.remove(FINALIZER)
        with suppress(NotFoundError):
            await tools.writer.patch(composite, {"metadata": {"finalizers": finalizers}}, state)
        tools.gone()
        return Result()

    async def _delete_composed(self, composite: Object) -> list[str]:
        tools = self._tools
        references = list(machinery(composite, legacy=tools.legacy).get("resourceRefs") or [])
        try:
            observed = await tools.reader.composed(composite, references)
        except compose.ComposeError:
            return []  # nothing of it is provably ours; garbage collection follows owner references
        waiting: list[str] = []
        for name, obj in sorted(observed.items()):
            controller = controller_of(obj)
            if controller is None or controller.get("uid") != uid_of(composite):
                continue
            waiting.append(f"{name} ({obj.get('kind')} {name_of(obj)})")
            if not is_terminating(obj):
                try:
                    await tools.writer.delete(await tools.reader.kind(gvk_of(obj)), obj)
                except NotFoundError:
                    waiting.pop()
        return waiting

    async def _fail(
        self,
        composite: Object,
        state: State,
        reason: str,
        message: str,
        outcome: pipeline.Outcome | None = None,
    ) -> None:
        changes = [conditions.failed(message)]
        before = find_condition(composite, "Synced") or {}
        notes: list[Note] = [("Warning", reason, message)] if before.get("message") != message else []
        if outcome is not None:
            changes = [*verdicts.custom(outcome), *verdicts.unseen(composite, outcome), *changes]
            notes = [*verdicts.notes(outcome), *notes]
        await self._tools.teller.say(composite, state, changes)
        await self._tools.teller.tell(composite, state, "outcome", notes)


def _in_our_words(cause: ApiError, error: compose.ComposeError) -> ApiError:
    # Of the server's family, so that it counts as trouble that was to be expected: retried, and no traceback.
    return ApiError.from_status({**cause.to_status(), "message": str(error)})


def _where(state: State) -> str:
    # Whoever ordered did not write the template; this is what they hand to who did.
    return f"; see Composition {state.composition}" if state.composition else ""


def _requested(composite: Object) -> list[Note]:
    token = annotations_of(composite).get(Annotation.RECONCILE_REQUESTED_AT)
    return [("Normal", "ReconcileRequestHandled", f"Handling reconcile request {token}")] if token else []
