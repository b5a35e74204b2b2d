"""Patch: JSON patch, merge patch, strategic merge patch and server-side apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roadbed.apimachinery.causes import go_type
from roadbed.apimachinery.errors import (
    BadRequestError,
    Cause,
    ConflictError,
    InvalidError,
    UnsupportedMediaTypeError,
)
from roadbed.apimachinery.patch import json_patch, merge_patch
from roadbed.apimachinery.request import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Answer,
    Object,
)
from roadbed.apimachinery.strategic import strategic_merge
from roadbed.apiserver import decoding, scale, writing
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.registry import Served

from . import create
from .update import ATTEMPTS, change, change_scale


async def patch(core: Core, call: Call) -> Answer:
    """Change part of one object as ``patch_type`` says.

    Raises:
        NotFoundError: there is none (server-side apply creates it).
        UnsupportedMediaTypeError: the patch type is not one of this kind's.
    """
    if call.request.patch_type == APPLY_PATCH:
        return await _apply(core, call)
    if call.request.subresource == "scale":
        return await _rescale(core, call)
    wanted = _patched(call, _patcher(call))
    return await change(core, call, wanted)


async def _rescale(core: Core, call: Call) -> Answer:
    face = scale.facing(call)
    patched = _patched(face, _patcher(call, face.served))

    def wanted(old: Object) -> Object:
        return writing.own(core, face, old, patched(old), writing.Ownership())

    return await change_scale(core, call, wanted)


def _patched(call: Call, apply_to: Callable[[Any], Any]) -> writing.Build:
    """Give what makes the wanted object of a live one."""

    def wanted(live: Object) -> Object:
        patched = apply_to(decoding.copied(live))
        if not isinstance(patched, dict):
            raise BadRequestError(f"the patch leaves {type(patched).__name__}, not an object")
        try:
            patched = decoding.decode(call, patched)
        except BadRequestError as error:
            raise _misfit(error) from error
        _keep_identity(call, patched, live)
        return patched

    return wanted


def _patcher(call: Call, target: Served | None = None) -> Callable[[Any], Any]:
    """Give what patches an object; ``target`` is served for it where that is not the call's own kind."""
    body, media_type = call.request.body, call.request.patch_type
    if media_type == JSON_PATCH:
        return lambda obj: json_patch(obj, [] if body is None else body)
    if media_type == STRATEGIC_PATCH and body is None:
        body = {}  # as Kubernetes: null patches nothing
    if not isinstance(body, dict) and not (media_type == STRATEGIC_PATCH and call.served.is_custom):
        raise _no_object(call, body)
    if media_type == MERGE_PATCH:
        return lambda obj: merge_patch(obj, body)
    if media_type == STRATEGIC_PATCH:
        schema = (target or call.served).schema
        if call.served.is_custom or schema is None:
            raise UnsupportedMediaTypeError(
                "the body of the request was in an unknown format - accepted media types include: "
                f"{JSON_PATCH}, {MERGE_PATCH}, {APPLY_PATCH}"
            )
        return lambda obj: strategic_merge(obj, body, schema.root)
    raise UnsupportedMediaTypeError(
        "the body of the request was in an unknown format - accepted media types include: "
        f"{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC_PATCH}, {APPLY_PATCH}"
    )


def _no_object(call: Call, body: Any) -> BadRequestError:
    """Say that a patch is no object, as each of its types has it."""
    text = f"json: cannot unmarshal {go_type(body)} into Go value of type map[string]interface {{}}"
    if call.request.patch_type != MERGE_PATCH:
        return BadRequestError(text)
    if body is None or call.request.options.get("fieldValidation") == "Ignore":
        return BadRequestError("Invalid JSON Patch")
    return BadRequestError(f"error decoding patch: {text}")


def _misfit(error: BadRequestError) -> InvalidError:
    """Say that what a patch leaves is no object of the kind; the object itself, maybe a secret, is not shown."""
    cause = Cause("FieldValueInvalid", f"Invalid value: what it leaves: {error.message}", "patch")
    return InvalidError(f' "" is invalid: patch: {cause.message}', causes=[cause])


def _keep_identity(call: Call, patched: Object, live: Object) -> None:
    """A patch may not rename; a revision or uid that it sets is a precondition."""
    meta = patched["metadata"]
    create.check_names(call, patched)
    body = call.request.body
    sent = (body.get("metadata") or {}) if isinstance(body, dict) else {}
    names_revision = bool(isinstance(sent, dict) and sent.get("resourceVersion"))
    if not names_revision and meta.get("resourceVersion") == live["metadata"]["resourceVersion"]:
        meta.pop("resourceVersion", None)


async def _apply(core: Core, call: Call) -> Answer:
    """Server-side apply; creates the object where it does not exist."""
    served = call.served
    if call.request.subresource == "scale":
        return await _apply_scale(core, call)
    body = _applied(call)
    manager = served.managers[call.request.subresource]
    options: dict[str, Any] = {
        "manager": call.request.options["fieldManager"],
        "force": call.flag("force"),
        "now": core.now(),
    }
    for attempt in range(ATTEMPTS):
        async with core.alone(call):
            live = await core.store.live(served, call.path)
            if live is None:
                return await _apply_new(core, call, manager.apply(None, body, **options))
            wanted = manager.apply(live, body, **options)
            wanted = {**wanted, "metadata": dict(wanted["metadata"])}
            wanted["metadata"]["resourceVersion"] = body["metadata"].get("resourceVersion", "")
            wanted["metadata"]["uid"] = body["metadata"].get("uid", "")
            decoding.tidy(call, wanted)
            try:
                return await writing.store_changed(
                    core, call, live, wanted, writing.Ownership(is_applied=True)
                )
            except ConflictError:
                if body["metadata"].get("resourceVersion") or attempt == ATTEMPTS - 1:
                    raise
    raise AssertionError  # the last attempt returned or raised


async def _apply_scale(core: Core, call: Call) -> Answer:
    face = scale.facing(call)
    body = _applied(face)
    manager = face.served.managers["scale"]
    options: dict[str, Any] = {
        "manager": call.request.options["fieldManager"],
        "force": call.flag("force"),
        "now": core.now(),
    }

    def wanted(old: Object) -> Object:
        scale_now = manager.apply(old, body, **options)
        named = {name: body["metadata"].get(name, "") for name in ("uid", "resourceVersion")}
        scale_now = {**scale_now, "metadata": {**scale_now["metadata"], **named}}
        decoding.tidy(face, scale_now)
        return scale_now

    return await change_scale(core, call, wanted)


def _applied(call: Call) -> Object:
    """Give the body of an apply, its kind and names judged."""
    body = decoding.copied(call.request.body)
    if not isinstance(body, dict):
        raise BadRequestError("an apply body must be an object")
    _check_kind(call, body)
    decoding.check_types(call, body)
    has_namespace = bool(body["metadata"].get("namespace"))
    create.check_names(call, body)
    if not has_namespace:  # what is applied is what was sent
        body["metadata"].pop("namespace", None)
    return body


async def _apply_new(core: Core, call: Call, obj: Object) -> Answer:
    if call.request.subresource:
        raise call.not_found()
    resource = call.served.resource
    sent = call.request.body.get("metadata") or {}
    if sent.get("uid"):
        # Whoever names a uid means an object that exists; it is gone.
        raise ConflictError(
            f'Operation cannot be fulfilled on {resource.qualified} "{call.request.name}": uid mismatch: the '
            f"provided object specified uid {sent.get('uid', '')}, and no existing object was found",
            group=resource.group,
            kind=resource.plural,
            name=call.request.name,
        )
    if call.served.definition.refusal:
        raise create.refused(call, call.request.name)
    core.check(call, "create")
    create.check_namespace(core, call)
    decoding.tidy(call, obj)
    return await writing.create_new(core, call, obj, writing.Ownership(is_applied=True))


def _check_kind(call: Call, body: Object) -> None:
    """An apply says what it applies, in full."""
    resource = call.served.resource
    api_version, kind = str(body.get("apiVersion") or ""), str(body.get("kind") or "")
    if (api_version, kind) != (resource.api_version, resource.kind):
        shown = api_version if "/" in api_version or not api_version else f"/{api_version}"
        raise BadRequestError(f"invalid object type: {shown or '/'}, Kind={kind}")
