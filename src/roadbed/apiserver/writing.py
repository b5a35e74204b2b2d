"""The way of every write from wanted object to stored bytes, shared by create, update, patch and apply.

Status isolation, finalizer rules, field ownership, mutating admission, system metadata, generation, schema and
kind's rules, validating admission, in this order, and no revision for a write that changes nothing. What
admission changes is owned by nobody, as in Kubernetes. Handlers decide what is wanted; this decides what may be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest, Operation
from roadbed.apimachinery.causes import forbidden, invalid, invalid_value
from roadbed.apimachinery.errors import AlreadyExistsError, Cause, ConflictError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.names import generate_name
from roadbed.apimachinery.request import Answer, Object

from . import audit, scale
from .context import Call, Core
from .decoding import copied, tidy, validate, warn

_GIVEN_BY_SERVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "selfLink",
)
_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")
_FIXED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
GENERATE_ATTEMPTS = 8  # as Kubernetes: five characters collide rarely, and a retry costs one lookup
Build = Callable[[Object], Object]
"""From the live object (not to be changed) to the wanted one (owned by the caller)."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """How field ownership is tracked: by ``update``, unless the object came out of ``apply`` with it."""

    is_applied: bool = False


async def judge_answer(
    core: Core, call: Call, kind: GVK, obj: Object, complete: Callable[[Object], None]
) -> Object:
    """Ask admission about a create that stores nothing, of an object that is not of the resource's own kind.

    ``complete`` is between those who may change the object and those who may refuse it. Gives the completed object.
    """
    asked = replace(_asked(call, "CREATE", obj, None), kind=kind, name=call.request.name)
    admission, resource = core.admission, call.served.resource
    if admission.mutates(resource):
        obj = await admission.mutate(asked) or obj
    complete(obj)
    if admission.validates(resource):
        # Nothing is stored, so nothing that a validator held for it may stay.
        for held in await admission.validate(replace(asked, object=copied(obj))):
            held.undone()
    return obj


async def mutate(
    core: Core, call: Call, operation: Operation, obj: Object | None, old: Object | None
) -> Object | None:
    """Ask who may change a write; gives the object to go on with, the same one if nobody did."""
    if not core.admission.mutates(call.served.resource):
        return obj
    asked = _asked(call, operation, obj, old)
    try:
        admitted = await core.admission.mutate(asked)
    finally:
        _tell_audit(call)
    if asked.kind is not None and obj is not None and admitted is not None:
        return obj if admitted is asked.object else scale.rescaled(call, obj, admitted)
    if admitted is not None and admitted is not obj:
        tidy(call, admitted)
    return admitted


@asynccontextmanager
async def judged(
    core: Core, call: Call, operation: Operation, obj: Object | None, old: Object | None
) -> AsyncIterator[None]:
    """Ask who may refuse a complete write, around the storing of it; what they held is settled afterwards."""
    try:
        held = await core.admission.validate(_asked(call, operation, obj, old))
    finally:
        _tell_audit(call)
    try:
        yield
    except BaseException:
        for each in held:
            each.undone()
        raise
    for each in held:
        if call.is_dry_run:
            each.undone()
        else:
            await each.kept()


def _tell_audit(call: Call) -> None:
    """Hand what admission noted to the audit event of this request."""
    for name, value in call.annotations.items():
        audit.annotate(name, value)


def _asked(call: Call, operation: Operation, obj: Object | None, old: Object | None) -> AdmissionRequest:
    if call.request.verb == "deletecollection":
        name = ""  # the request names none
    else:
        name = str((obj or old or {}).get("metadata", {}).get("name") or call.request.name)
    is_scale = call.request.subresource == "scale"
    if is_scale:
        obj, old = (None if each is None else scale.view(call, each) for each in (obj, old))
    return AdmissionRequest(
        operation=operation,
        resource=call.served.resource,
        namespace=call.request.namespace,
        name=name,
        user=call.user,
        object=obj,
        old=old,
        subresource=call.request.subresource,
        kind=scale.SCALES.gvk if is_scale else None,
        dry_run=call.is_dry_run,
        options=_options(call, operation),
        warnings=call.warnings,
        annotations=call.annotations,
    )


def _options(call: Call, operation: Operation) -> dict[str, Any]:
    """Give the options of a request as the object that webhooks are shown."""
    request = call.request
    # As Kubernetes: that an update was asked for by a patch is not told.
    options: dict[str, Any] = {"kind": f"{operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"}
    for name in ("fieldManager", "fieldValidation", "propagationPolicy"):
        if request.options.get(name):
            options[name] = request.options[name]
    if call.is_dry_run:
        options["dryRun"] = ["All"]
    if operation == "DELETE" and isinstance(request.body, dict):
        options = {**request.body, **options}
    return options


def prepare_new(call: Call, obj: Object) -> None:
    """Take from a new object what only the server gives, and let its kind complete it."""
    meta = obj["metadata"]
    for member in _GIVEN_BY_SERVER:
        meta.pop(member, None)
    if call.served.resource.namespaced:
        meta["namespace"] = call.request.namespace
    else:
        meta.pop("namespace", None)
    if call.served.has_status:
        obj.pop("status", None)
    call.served.strategy.prepare_create(obj)


async def create_new(core: Core, call: Call, obj: Object, ownership: Ownership) -> Answer:
    """Bring a wanted new object to storage; it is owned by this function.

    Raises:
        AlreadyExistsError: the name is taken, or generateName found none free in eight attempts.
    """
    prepare_new(call, obj)
    obj = own(core, call, None, obj, ownership)
    admitted = await mutate(core, call, "CREATE", obj, None)
    if admitted is not None and admitted is not obj:
        obj = admitted
        prepare_new(call, obj)
    is_generated = not obj["metadata"].get("name")
    for attempt in range(GENERATE_ATTEMPTS):
        wanted = copied(obj) if is_generated else obj
        try:
            return await _store_new(core, call, wanted)
        except AlreadyExistsError:
            if not is_generated or attempt == GENERATE_ATTEMPTS - 1:
                raise
    raise AssertionError  # the last attempt returned or raised


async def _store_new(core: Core, call: Call, obj: Object) -> Answer:
    """Name, validate, judge and store."""
    served = call.served
    meta = obj["metadata"]
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generate_name(meta["generateName"], core.choose)
        served.strategy.prepare_create(obj)
    meta["uid"] = core.new_uid()
    meta["creationTimestamp"] = core.now()
    if served.strategy.has_generation:
        meta["generation"] = 1
    served.strategy.ask(obj, call.user)
    served.strategy.complete_create(obj)
    await validate(core, call, obj, None)
    if not core.admission.validates(served.resource):
        return await _insert(core, call, obj)
    async with judged(core, call, "CREATE", obj, None):
        return await _insert(core, call, obj)


async def _insert(core: Core, call: Call, obj: Object) -> Answer:
    served = call.served
    path = served.path(call.request.namespace, obj["metadata"]["name"])
    if call.is_dry_run:
        core.store.refuse_taken(served, path)
        return Answer(201, orjson.dumps(served.ordered(obj)), tuple(call.warnings))
    return Answer(201, await core.store.create(served, path, obj), tuple(call.warnings))


async def store_changed(core: Core, call: Call, old: Object, new: Object, ownership: Ownership) -> Answer:
    """Bring a wanted change of a live object to storage; both are owned by this function."""
    served = call.served
    check_preconditions(call, old, new)
    if not ownership.is_applied:
        _keep_owners(old, new)
    if served.is_custom and call.request.subresource in ("", "status"):
        # As Kubernetes: ownership follows what was sent, also where it is not kept (its built-in kinds vary).
        new = own(core, call, old, new, ownership)
        new = _prepare_change(core, call, old, new)
    else:
        new = _prepare_change(core, call, old, new)
        new = own(core, call, old, new, ownership)
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    admitted = await mutate(core, call, "UPDATE", new, old)
    if admitted is not None and admitted is not new:
        new = _prepare_change(core, call, old, admitted)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    is_judged = core.admission.validates(served.resource)
    is_same = new == old
    if is_same:
        warn(call, new, old)
    if is_same and not is_judged and not core.store.is_outdated(served, call.path):
        # nothing to judge and nothing to write
        return Answer(200, orjson.dumps(served.ordered(old)), tuple(call.warnings))
    if not is_same:
        await validate(core, call, new, old)
        strategy = served.strategy
        if (
            strategy.has_generation
            and call.request.subresource not in ("status", "approval")
            and strategy.spec_changed(new, old)
        ):
            new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1
    if not is_judged:
        return await commit(core, call, old, new)
    async with judged(core, call, "UPDATE", new, old):
        return await commit(core, call, old, new)


def _prepare_change(core: Core, call: Call, old: Object, new: Object) -> Object:
    """Give the wanted object with all that this request may not change as it is."""
    served = call.served
    subresource = call.request.subresource
    _check_fixed(call, old, new)
    _keep_fixed(old, new)
    if subresource in ("status", "approval"):
        if served.strategy.status_keeps is None:
            return _only_status(old, new)
        changed = _status_along(call, old, new, served.strategy.status_keeps)
        causes = served.strategy.prepare_part(changed, old, subresource, core.now())
        if causes:
            raise invalid(served.resource.gvk, call.request.name, causes)
        return changed
    if subresource == "":
        if served.has_status:
            _keep(old, new, "status")
        served.strategy.prepare_update(new, old)
        _check_finalizers(call, old, new)
    # subresource finalize and scale prepare the object in their handlers
    return new


async def commit(core: Core, call: Call, old: Object, new: Object) -> Answer:
    """Store a changed object, or delete it where nothing holds it any more."""
    served = call.served
    path = call.path
    revision = old["metadata"]["resourceVersion"]
    warnings = tuple(call.warnings)
    if call.is_dry_run or (new == old and not core.store.is_outdated(served, path)):
        return Answer(200, orjson.dumps(served.ordered(new)), warnings)
    if new["metadata"].get("deletionTimestamp") and is_free(served.strategy, new):
        # As in Kubernetes, watchers are told what was stored last, the caller what it wanted.
        await core.store.delete(served, path, old, expected=revision)
        new["metadata"]["resourceVersion"] = revision
        return Answer(200, orjson.dumps(served.ordered(new)), warnings)
    return Answer(200, await core.store.update(served, path, new, expected=revision), warnings)


def is_free(strategy: Any, obj: Object) -> bool:
    """Say whether nothing holds a deleted object back."""
    meta = obj["metadata"]
    has_time_left = bool(meta.get("deletionGracePeriodSeconds"))
    return not meta.get("finalizers") and not has_time_left and not strategy.is_held(obj)


def own(core: Core, call: Call, old: Object | None, new: Object, ownership: Ownership) -> Object:
    """Give the object with its managedFields brought up to date."""
    if ownership.is_applied:
        return new
    manager = call.served.managers[call.request.subresource]
    return manager.update(old, new, manager=call.manager, now=core.now())


def check_preconditions(call: Call, old: Object, new: Object) -> None:
    """Hold the wanted object's uid and resourceVersion, where set, to the live one's.

    Raises:
        ConflictError: they differ.
        InvalidError: no resourceVersion on the update of a kind that requires it.
    """
    resource = call.served.resource
    where = call.served.details(call.request.name)
    meta, live = new["metadata"], old["metadata"]
    problem = f'Operation cannot be fulfilled on {resource.qualified} "{call.request.name}": '
    if meta.get("uid") and meta["uid"] != live["uid"]:
        if call.request.verb == "patch":
            raise invalid(resource.gvk, call.request.name, [_immutable("uid", meta["uid"])])
        text = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {live['uid']}"
        raise ConflictError(problem + text, **where)
    revision = meta.get("resourceVersion")
    if revision and revision != "0":
        if revision != live["resourceVersion"]:
            raise ConflictError(
                problem
                + "the object has been modified; please apply your changes to the latest version and try again",
                **where,
            )
    elif call.request.verb == "update" and not call.served.strategy.allows_unconditional_update:
        cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(GVK(resource.group, resource.version, resource.plural), call.request.name, [cause])


def _immutable(member: str, value: Any) -> Cause:
    return invalid_value(f"metadata.{member}", value, "field is immutable")


def _check_fixed(call: Call, old: Object, new: Object) -> None:
    """Refuse to be told that an object is deleted, or is not: that is what deleting is for."""
    causes = [
        _immutable(member, new["metadata"][member])
        for member in _DELETION
        if new["metadata"].get(member) is not None and new["metadata"][member] != old["metadata"].get(member)
    ]
    if causes:
        raise invalid(call.served.resource.gvk, call.request.name, causes)


def _keep_fixed(old: Object, new: Object) -> None:
    meta, live = new["metadata"], old["metadata"]
    for member in (*_FIXED, "name", "namespace", "generateName"):
        if member in live:
            meta[member] = live[member]
        elif member != "generateName":
            meta.pop(member, None)
    meta.pop("selfLink", None)


def _keep_owners(old: Object, new: Object) -> None:
    """Go on from the live ``managedFields`` where a client sent none."""
    if "managedFields" not in new["metadata"] and "managedFields" in old["metadata"]:
        new["metadata"]["managedFields"] = old["metadata"]["managedFields"]


def _keep(old: Object, new: Object, member: str) -> None:
    if member in old:
        new[member] = old[member]
    else:
        new.pop(member, None)


def _only_status(old: Object, new: Object) -> Object:
    """Give the live object with the wanted status; of metadata only managedFields may change."""
    changed = {name: value for name, value in old.items() if name != "status"}
    if "status" in new:
        changed["status"] = new["status"]
    changed["metadata"] = dict(old["metadata"])
    _keep(new["metadata"], changed["metadata"], "managedFields")
    return changed


def _status_along(call: Call, old: Object, new: Object, kept: tuple[str, ...]) -> Object:
    """Give the wanted object with the live spec: most built-in kinds let metadata be written with the status."""
    changed = {**new, "metadata": {**new["metadata"]}}
    _keep(old, changed, "spec")
    for member in kept:
        _keep(old["metadata"], changed["metadata"], member)
    _check_finalizers(call, old, changed)
    return changed


def _check_finalizers(call: Call, old: Object, new: Object) -> None:
    if not old["metadata"].get("deletionTimestamp"):
        return
    known = set(old["metadata"].get("finalizers") or ())
    added = [each for each in new["metadata"].get("finalizers") or () if each not in known]
    if added:
        shown = ", ".join(f'"{each}"' for each in added)
        detail = (
            "no new finalizers can be added if the object is being deleted, found new finalizers "
            f"[]string{{{shown}}}"
        )
        cause = forbidden("metadata.finalizers", detail)
        raise invalid(call.served.resource.gvk, call.request.name, [cause])
