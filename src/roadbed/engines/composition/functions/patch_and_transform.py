"""function-patch-and-transform, built in: composed resources from templates and patches.

Called by the pipeline through the function protocol. Stateless but for a cache of parsed inputs, keyed
by the input object itself, which the engine keeps for as long as it keeps the Composition's revision.

Its answer depends on the request alone, so it asks for no time to live: Roadbed looks again when something
observed changes, not when a minute has passed.

Source: https://github.com/crossplane-contrib/function-patch-and-transform (documented behaviour).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from roadbed.apimachinery import fieldpath
from roadbed.apimachinery.defaulting import copy_json
from roadbed.apimachinery.objects import name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import CONNECTION_SECRET_TYPE

from . import connection, patches, readiness
from .inputs import InputError, Reader, required
from .protocol import (
    ENVIRONMENT_KEY,
    Ready,
    Resource,
    ResponseMeta,
    Result,
    RunFunctionRequest,
    RunFunctionResponse,
    Severity,
    State,
    fatal,
)
from .transforms import TransformError

CACHED_INPUTS = 256  # parsed inputs: one per pipeline step of a live revision

_PROBLEMS = (fieldpath.FieldPathError, TransformError)


@dataclass(frozen=True, slots=True)
class Template:
    """One composed resource: ``base`` is its JSON, None to work on what an earlier step desired."""

    name: str
    base: bytes | None
    patches: tuple[patches.Patch, ...]
    details: tuple[readiness.Detail, ...]
    checks: tuple[readiness.Check, ...]


@dataclass(frozen=True, slots=True)
class Resources:
    """A checked input."""

    templates: tuple[Template, ...]
    environment: tuple[patches.Patch, ...]
    secret: connection.SecretTemplate


class PatchAndTransform:
    """The function. One instance serves all pipelines."""

    def __init__(self) -> None:
        self._parsed: OrderedDict[int, tuple[Object, Resources]] = OrderedDict()

    async def run(self, request: RunFunctionRequest) -> RunFunctionResponse:
        """Render every template and patch between composite, composed resources and environment."""
        try:
            resources = self._input(request.input or {})
        except InputError as error:
            return fatal(request, f"invalid Function input: {error}")
        return _Run(request, resources).answer()

    def _input(self, value: Object) -> Resources:
        cached = self._parsed.get(id(value))
        if cached is not None and cached[0] is value:
            self._parsed.move_to_end(id(value))
            return cached[1]
        parsed = parse_input(value)
        self._parsed[id(value)] = (value, parsed)
        if len(self._parsed) > CACHED_INPUTS:
            self._parsed.popitem(last=False)
        return parsed


def parse_input(value: Object) -> Resources:
    """Check and parse an input of kind ``Resources``.

    Raises:
        InputError: a field is missing or wrong.
    """
    reader = Reader(value)
    sets: dict[str, tuple[patches.Patch, ...]] = {}
    for patch_set in reader.children("patchSets"):
        if not patch_set.text("name"):
            raise required(patch_set.at("name"), "name is required")
        sets[patch_set.text("name")] = tuple(map(patches.parse, patch_set.children("patches")))
    templates = tuple(_template(template, sets) for template in reader.children("resources"))
    environment = reader.child("environment")
    parsed = patches.parse_environment(environment) if environment else ()
    if not templates and not parsed:
        raise required("resources", "resources or environment patches are required")
    return Resources(templates, parsed, connection.parse(reader.child("writeConnectionSecretToRef")))


def _template(reader: Reader, sets: Mapping[str, tuple[patches.Patch, ...]]) -> Template:
    name = reader.text("name")
    if not name:
        raise required(reader.at("name"), "name is required")
    base = reader.child("base")
    return Template(
        name,
        None if base is None else orjson.dumps(base.value),
        patches.parse_all(reader, sets),
        readiness.parse_details(reader),
        readiness.parse_checks(reader),
    )


class _FatalError(Exception):
    """Ends the run; the message is the result."""


class _SkipError(Exception):
    """The template's resource is not composed yet; the message says what it waits for."""


class _Run:
    """One request being answered: the desired state as it grows."""

    def __init__(self, request: RunFunctionRequest, resources: Resources) -> None:
        self._request = request
        self._resources = resources
        self._observed = request.observed.composite.resource
        # Copied, for patches change it; what earlier steps desired of the composite is its status at most.
        self._composite: Object = copy_json(request.desired.composite.resource)
        for name in ("apiVersion", "kind"):
            self._composite[name] = self._observed.get(name)
        self._environment: dict[str, Any] = copy_json(request.context.get(ENVIRONMENT_KEY) or {})
        self._environment.setdefault("apiVersion", "internal.crossplane.io/v1alpha1")
        self._environment.setdefault("kind", "Environment")
        self._desired = dict(request.desired.resources)
        self._connection = dict(request.desired.composite.connection_details)
        self._results: list[Result] = []

    def answer(self) -> RunFunctionResponse:
        skipped = False
        try:
            self._patch_environment()
            for template in self._resources.templates:
                try:
                    self._desired[template.name] = self._render(template)
                except _SkipError as error:
                    skipped = True
                    self._warn(str(error))
            self._add_secret()
        except _FatalError as error:
            self._results.append(Result(Severity.FATAL, str(error)))
            return replace(fatal(self._request, ""), results=tuple(self._results))
        ready = Ready.FALSE if skipped else self._request.desired.composite.ready
        return RunFunctionResponse(
            desired=State(Resource(self._composite, self._connection, ready), self._desired),
            meta=ResponseMeta(self._request.meta.tag),
            results=tuple(self._results),
            context={**self._request.context, ENVIRONMENT_KEY: self._environment},
        )

    def _patch_environment(self) -> None:
        for index, patch in enumerate(self._resources.environment):
            to_environment = patch.target == "environment"
            source = self._observed if to_environment else self._environment
            target = self._environment if to_environment else self._composite
            try:
                patches.apply(patch, source, target)
            except fieldpath.FieldNotFoundError as error:
                if patch.is_required:
                    raise _FatalError(_environment_failure(patch, index, error)) from error
            except _PROBLEMS as error:
                raise _FatalError(_environment_failure(patch, index, error)) from error

    def _render(self, template: Template) -> Resource:
        observed = self._request.observed.resources.get(template.name)
        desired = self._base(template)
        ready = Ready.UNSPECIFIED
        if observed is not None:
            metadata = desired.setdefault("metadata", {})
            metadata["name"] = name_of(observed.resource)
            if namespace := namespace_of(observed.resource):
                metadata["namespace"] = namespace
            else:
                metadata.pop("namespace", None)
            self._connection.update(
                readiness.extract(template.details, observed.resource, observed.connection_details)
            )
            if self._is_ready(template, observed.resource):
                ready = Ready.TRUE
        seen = None if observed is None else observed.resource
        for index, patch in enumerate(template.patches):
            self._patch(template, index, patch, seen, desired)
        return Resource(desired, ready=ready)

    def _base(self, template: Template) -> Object:
        if template.base is not None:
            return dict(orjson.loads(template.base))
        earlier = self._desired.get(template.name)
        if earlier is None:
            raise _FatalError(
                f'composed resource "{template.name}" has no base template, '
                "and was not produced by a previous Function in the pipeline"
            )
        return dict(copy_json(earlier.resource))

    def _is_ready(self, template: Template, observed: Object) -> bool:
        try:
            return readiness.is_ready(template.checks, observed)
        except fieldpath.FieldPathError as error:
            self._warn(f'cannot check readiness of composed resource "{template.name}": {error}')
            return False

    def _patch(
        self, template: Template, index: int, patch: patches.Patch, observed: Object | None, desired: Object
    ) -> None:
        if observed is None and patch.source == "composed":
            return  # it will be patched from once it is there
        sources = {"composite": self._observed, "environment": self._environment, "composed": observed}
        targets = {"composite": self._composite, "environment": self._environment, "composed": desired}
        try:
            patches.apply(patch, sources[patch.source], targets[patch.target])
        except fieldpath.FieldNotFoundError as error:
            if patch.is_required:
                self._miss(template, index, patch, observed, error)
        except _PROBLEMS as error:
            raise _FatalError(
                f'cannot render composed resource "{template.name}" "{patch.type}" patch '
                f"at index {index}: {error}"
            ) from error

    def _miss(
        self,
        template: Template,
        index: int,
        patch: patches.Patch,
        observed: Object | None,
        error: fieldpath.FieldNotFoundError,
    ) -> None:
        # Required blocks making the resource; what is already there is not taken away.
        if patch.target == "composed" and observed is None:
            raise _SkipError(
                f'not adding new composed resource "{template.name}" to desired state because '
                f"\"{patch.type}\" patch at index {index} has 'policy.fromFieldPath: Required': {error}; give it a value, "
                "or make the patch optional"
            ) from error
        self._warn(
            f'cannot render composed resource "{template.name}" "{patch.type}" patch at index {index}: '
            "ignoring 'policy.fromFieldPath: Required' because 'to' resource already exists: "
            f"{error}"
        )

    def _add_secret(self) -> None:
        # A composite of today has no connection secret of its own, so one is composed for it.
        spec = self._observed.get("spec") or {}
        if not self._connection or "crossplane" not in spec:
            return
        try:
            reference = connection.reference(self._resources.secret, self._observed)
        except _PROBLEMS as error:
            raise _FatalError(
                "cannot compose connection secret: cannot generate connection secret reference: "
                f"cannot apply connection secret patches: {error}"
            ) from error
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {name: value for name, value in reference.items() if value},
            "data": connection.encode(self._connection),
            "type": CONNECTION_SECRET_TYPE,
        }
        self._desired[f"{name_of(self._observed)}-connection-secret"] = Resource(secret, ready=Ready.TRUE)

    def _warn(self, message: str) -> None:
        self._results.append(Result(Severity.WARNING, message))


def _environment_failure(patch: patches.Patch, index: int, error: Exception) -> str:
    return f'cannot apply the "{patch.type}" environment patch at index {index}: {error}'
