"""Delete: one object, or all that a selector names; finalizers hold what they hold."""

from __future__ import annotations

from typing import Any

import orjson

from roadbed.apimachinery.causes import invalid_value, not_supported
from roadbed.apimachinery.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from roadbed.apimachinery.request import Answer, ApiRequest, Object
from roadbed.apiserver import decoding, writing
from roadbed.apiserver.context import Call, Core

from . import list as listing

PROTECTED_NAMESPACES = frozenset(("default", "kube-system", "kube-public"))
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_POLICIES = ("Background", "Foreground", "Orphan")


async def delete(core: Core, call: Call) -> Answer:
    """Remove one object, or mark it deleted while finalizers hold it.

    Gives a Success Status for what is gone, the object for what waits.

    Raises:
        NotFoundError: there is none.
        ConflictError: uid or resourceVersion in the options' preconditions differ.
    """
    options = _options(call)
    resource = call.served.resource
    if resource.qualified == "namespaces" and call.request.name in PROTECTED_NAMESPACES:
        raise ForbiddenError(
            f'namespaces "{call.request.name}" is forbidden: this namespace may not be deleted',
            kind="namespaces",
            name=call.request.name,
        )
    async with core.store.alone(call.served, call.path):
        live = await core.store.live(call.served, call.path)
        if live is None:
            raise call.not_found()
        _check(call, live, options.get("preconditions") or {})
        await writing.mutate(core, call, "DELETE", None, live)
        if not core.admission.validates(resource):
            return await _remove(core, call, live, options)
        async with writing.judged(core, call, "DELETE", None, live):
            return await _remove(core, call, live, options)


async def delete_collection(core: Core, call: Call) -> Answer:
    """Delete every object that the request's namespace and selectors name; gives a Success Status."""
    _options(call)
    wanted = listing.selection(call)
    for entry in list(call.served.cache.entries(call.request.namespace)):
        if wanted is not None and not wanted(entry):
            continue
        namespace, _, name = entry.path.rpartition("/")
        request = ApiRequest(
            "delete",
            call.request.group,
            call.request.version,
            call.request.plural,
            namespace=namespace,
            name=name,
            body=call.request.body,
            options=call.request.options,
        )
        try:
            await delete(core, Call(call.served, call.user, request))
        except NotFoundError:
            continue  # someone else was quicker
    return Answer(
        200, orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
    )


async def _remove(core: Core, call: Call, live: Object, options: dict[str, Any]) -> Answer:
    finalizers = _finalizers(live, options)
    served = call.served
    revision = live["metadata"]["resourceVersion"]
    held = {**live, "metadata": {**live["metadata"], "finalizers": finalizers}}
    if not finalizers:
        del held["metadata"]["finalizers"]
    if writing.is_free(served.strategy, held):
        if not call.is_dry_run:
            await core.store.delete(served, call.path, live, expected=revision)
        return Answer(200, orjson.dumps(_success(call, live)), tuple(call.warnings))
    meta = held["metadata"]
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = core.now()
        meta["deletionGracePeriodSeconds"] = 0
        if meta.get("generation"):
            meta["generation"] += 1
        served.strategy.begin_deletion(held)
    if held == live or call.is_dry_run:
        return Answer(200, orjson.dumps(served.ordered(held)), tuple(call.warnings))
    stored = await core.store.update(served, call.path, held, expected=revision)
    return Answer(200, stored, tuple(call.warnings))


def _finalizers(live: Object, options: dict[str, Any]) -> list[str]:
    """Give the finalizers that the propagation policy leaves: it adds or removes the collector's two."""
    present = list(live["metadata"].get("finalizers") or ())
    policy = options.get("propagationPolicy")
    if policy is None and options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    if policy is None:
        return present
    kept = [each for each in present if each not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        return [*kept, ORPHAN]
    if policy == "Foreground":
        return [*kept, FOREGROUND]
    return kept


def _options(call: Call) -> dict[str, Any]:
    body = decoding.copied(call.request.body or {})
    if not isinstance(body, dict) or body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise BadRequestError("the body of a delete must be DeleteOptions or nothing")
    query = call.request.options
    if "propagationPolicy" in query:
        body["propagationPolicy"] = query["propagationPolicy"]
    if body.get("dryRun") and "dryRun" not in query:
        asked = body["dryRun"]
        value = asked[0] if isinstance(asked, list) and asked else str(asked)
        request = call.request
        call.request = ApiRequest(
            request.verb,
            request.group,
            request.version,
            request.plural,
            namespace=request.namespace,
            name=request.name,
            subresource=request.subresource,
            body=request.body,
            options={**query, "dryRun": str(value)},
        )
    policy = body.get("propagationPolicy")
    if policy is not None and policy not in _POLICIES:
        cause = not_supported("propagationPolicy", policy, (*_POLICIES, "nil"))
        raise InvalidError(
            f'DeleteOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}',
            group="meta.k8s.io",
            kind="DeleteOptions",
            causes=[cause],
        )
    if policy is not None and body.get("orphanDependents") is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        cause = invalid_value("propagationPolicy", policy, detail)
        raise InvalidError(f'DeleteOptions.meta.k8s.io "" is invalid: {cause.message}', causes=[cause])
    return body


def _check(call: Call, live: Object, preconditions: Any) -> None:
    resource = call.served.resource
    where = call.served.details(call.request.name)
    if not isinstance(preconditions, dict):
        raise BadRequestError("preconditions must be an object with uid and resourceVersion")
    for member, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = preconditions.get(member)
        if wanted and wanted != live["metadata"][member]:
            raise ConflictError(
                f'Operation cannot be fulfilled on {resource.qualified} "{call.request.name}": Precondition failed: '
                f"{word} in precondition: {wanted}, {word} in object meta: {live['metadata'][member]}",
                **where,
            )


def _success(call: Call, live: Object) -> Object:
    resource = call.served.resource
    details = {"name": live["metadata"]["name"], "kind": resource.plural, "uid": live["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
