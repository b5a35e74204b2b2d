"""The messages of ``apiextensions.fn.proto.v1``, as dataclasses over plain JSON values.

Spoken by ``pipeline`` and by every function. Field names are the protocol's; a Struct is a JSON object,
bytes are bytes, a Duration is seconds. Nothing in a request may be changed by the function it is handed
to: observed objects are shared with caches. What a function desires it must build anew or hand on as it is.

Source: github.com/crossplane/crossplane, proto/fn/v1/run_function.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from roadbed.apimachinery.request import Object

ENVIRONMENT_KEY = "apiextensions.crossplane.io/environment"  # the context key that functions agreed on


class Ready(IntEnum):
    """Whether a resource counts as ready; unspecified leaves it to a later function."""

    UNSPECIFIED = 0
    TRUE = 1
    FALSE = 2


class Severity(IntEnum):
    """How bad a result is; fatal ends the pipeline."""

    UNSPECIFIED = 0
    FATAL = 1
    WARNING = 2
    NORMAL = 3


class Target(IntEnum):
    """Whom a result or condition is for."""

    UNSPECIFIED = 0
    COMPOSITE = 1
    COMPOSITE_AND_CLAIM = 2


class Capability(IntEnum):
    """What the caller can do with an answer."""

    UNSPECIFIED = 0
    CAPABILITIES = 1
    REQUIRED_RESOURCES = 2
    CREDENTIALS = 3
    CONDITIONS = 4
    REQUIRED_SCHEMAS = 5


@dataclass(frozen=True, slots=True)
class Resource:
    """One object with what is known about it beside its own fields."""

    resource: Object
    connection_details: Mapping[str, bytes] = field(default_factory=dict)
    ready: Ready = Ready.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class State:
    """A composite and what it is composed of, by the resources' names in the Composition."""

    composite: Resource
    resources: Mapping[str, Resource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestMeta:
    """``tag`` is equal for equal requests."""

    tag: str = ""
    capabilities: tuple[Capability, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseMeta:
    """``ttl_s`` is for how long the answer holds without a new look; 0 means until something changes."""

    tag: str = ""
    ttl_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """Something to tell the user."""

    severity: Severity
    message: str
    reason: str = ""
    target: Target = Target.COMPOSITE


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition for the composite's status; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str = ""
    target: Target = Target.COMPOSITE


@dataclass(frozen=True, slots=True)
class ResourceSelector:
    """Which objects a function wants: one by name, those with the labels, or all of a kind."""

    api_version: str
    kind: str
    match_name: str | None = None
    match_labels: Mapping[str, str] | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaSelector:
    """Which kind's OpenAPI schema a function wants."""

    api_version: str
    kind: str


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a function wants to see before its answer counts."""

    resources: Mapping[str, ResourceSelector] = field(default_factory=dict)
    schemas: Mapping[str, SchemaSelector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFunctionRequest:
    """All that a function may know. ``required_resources`` maps to None where nothing was found."""

    observed: State
    desired: State
    meta: RequestMeta = RequestMeta()
    input: Object | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    required_resources: Mapping[str, tuple[Resource, ...] | None] = field(default_factory=dict)
    required_schemas: Mapping[str, Object | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFunctionResponse:
    """What a function desires and has to say."""

    desired: State
    meta: ResponseMeta = ResponseMeta()
    results: tuple[Result, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    requirements: Requirements = Requirements()
    conditions: tuple[Condition, ...] = ()


class Function(Protocol):
    """Answers requests; the same request always gets the same answer."""

    async def run(self, request: RunFunctionRequest) -> RunFunctionResponse:
        """Give the desired state, results and requirements for one step.

        Raises:
            FunctionError: the function can't be reached or broke the protocol.
        """
        ...


class FunctionError(Exception):
    """A function failed to answer; an answer that reports failure is a FATAL result instead."""


def fatal(request: RunFunctionRequest, message: str) -> RunFunctionResponse:
    """Give the answer that ends the pipeline, handing on what was desired before."""
    return RunFunctionResponse(
        desired=request.desired,
        meta=ResponseMeta(request.meta.tag),
        context=request.context,
        results=(Result(Severity.FATAL, message),),
    )
