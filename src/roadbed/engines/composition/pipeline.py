"""Running a Composition's pipeline: each function sees what the one before it desired.

Called by the composite reconciler; awaits functions and the ``Sources`` it is handed, and decides nothing
else. A function that asks for objects is asked again with them, until it asks for nothing new. The first
fatal result ends the run; what was said before it is kept.

Source: Crossplane's composition functions specification, and its bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from roadbed.apimachinery.request import Object

from .functions.protocol import (
    Capability,
    Condition,
    Function,
    FunctionError,
    RequestMeta,
    Requirements,
    Resource,
    ResourceSelector,
    Result,
    RunFunctionRequest,
    RunFunctionResponse,
    Severity,
    State,
)

ITERATIONS = 5  # how often one step may ask for more; Crossplane's own bound

CAPABILITIES = (
    Capability.CAPABILITIES,
    Capability.REQUIRED_RESOURCES,
    Capability.CREDENTIALS,
    Capability.CONDITIONS,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a revision; ``credentials`` are (name, namespace, secret), ``bootstrap`` is given at once."""

    name: str
    function: str
    input: Object | None = None
    credentials: tuple[tuple[str, str, str], ...] = ()
    bootstrap: Mapping[str, ResourceSelector] = field(default_factory=dict)


class Sources(Protocol):
    """Where the pipeline gets what it can't know by itself."""

    def function(self, name: str) -> Function:
        """Give the function behind a ``functionRef``.

        Raises:
            FunctionError: it is not installed or can't be called; the message says what to do.
        """
        ...

    async def resources(self, selector: ResourceSelector) -> tuple[Resource, ...] | None:
        """Give the selected objects in order of namespace and name; None where a named one is not there."""
        ...

    async def credentials(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Give a Secret's data.

        Raises:
            ApiError: it can't be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """A result and the step it came from."""

    step: str
    result: Result


@dataclass(slots=True)
class Outcome:
    """What a pipeline desires and has said. ``ttl_s`` is the smallest that a function gave, 0 for none."""

    desired: State
    said: list[Said] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    required: list[ResourceSelector] = field(default_factory=list)
    ttl_s: float = 0.0
    fatal: Said | None = None


class PipelineError(Exception):
    """A step could not be run; the message names it."""


def steps_of(revision: Object) -> tuple[Step, ...]:
    """Read the steps of a CompositionRevision; its schema has checked them."""
    return tuple(_step(step) for step in (revision.get("spec") or {}).get("pipeline") or ())


async def run(steps: Sequence[Step], observed: State, sources: Sources) -> Outcome:
    """Run all steps, or up to the first fatal result.

    Raises:
        PipelineError: a function is missing, fails to answer, or never stops asking.
        ApiError: a Secret or a required object can't be read.
    """
    outcome = Outcome(State(Resource({})))
    context: Mapping[str, Any] = {}
    for step in steps:
        try:
            response = await _run_step(step, observed, outcome.desired, context, sources)
        except FunctionError as error:
            raise PipelineError(f'cannot run Composition pipeline step "{step.name}": {error}') from error
        outcome.required.extend((*step.bootstrap.values(), *response.requirements.resources.values()))
        if response.meta.ttl_s > 0 and (not outcome.ttl_s or response.meta.ttl_s < outcome.ttl_s):
            outcome.ttl_s = response.meta.ttl_s
        outcome.conditions.extend(response.conditions)
        for result in response.results:
            if result.severity is Severity.FATAL:
                outcome.fatal = Said(step.name, result)
                return outcome
            outcome.said.append(Said(step.name, result))
        outcome.desired, context = response.desired, response.context
    return outcome


async def _run_step(
    step: Step, observed: State, desired: State, context: Mapping[str, Any], sources: Sources
) -> RunFunctionResponse:
    function = sources.function(step.function)
    given = {name: await sources.resources(selector) for name, selector in step.bootstrap.items()}
    request = RunFunctionRequest(
        observed=observed,
        desired=desired,
        meta=RequestMeta(capabilities=CAPABILITIES),
        input=step.input,
        context=context,
        credentials={
            name: await sources.credentials(namespace, secret) for name, namespace, secret in step.credentials
        },
        required_resources=given,
    )
    asked: Requirements | None = None
    for _ in range(ITERATIONS + 1):
        response = await function.run(request)
        if any(result.severity is Severity.FATAL for result in response.results):
            return response
        if response.requirements.schemas:
            raise FunctionError("it requires OpenAPI schemas, which can't be handed to functions yet")
        if response.requirements == (asked or Requirements()):
            return response
        asked = response.requirements
        found = {name: await sources.resources(selector) for name, selector in asked.resources.items()}
        if {**given, **found} == request.required_resources:
            return response  # it has seen all it asks for, so the same call would give the same answer
        request = replace(request, required_resources={**given, **found}, context=response.context)
    raise FunctionError(
        f"requirements didn't stabilize after the maximum number of iterations ({ITERATIONS})"
    )


def _step(step: dict[str, Any]) -> Step:
    requirements = step.get("requirements") or {}
    return Step(
        name=step["step"],
        function=step["functionRef"]["name"],
        input=step.get("input"),
        credentials=tuple(
            (item["name"], item["secretRef"]["namespace"], item["secretRef"]["name"])
            for item in step.get("credentials") or ()
            if item.get("source") == "Secret" and item.get("secretRef")
        ),
        bootstrap={
            item["requirementName"]: ResourceSelector(
                item["apiVersion"],
                item["kind"],
                item.get("name"),
                item.get("matchLabels"),
                item.get("namespace"),
            )
            for item in requirements.get("requiredResources") or ()
        },
    )
