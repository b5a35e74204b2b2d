"""The way of every write from wanted object to stored bytes, shared by create, update, patch and apply.

System metadata, status isolation, finalizer rules, generation, field ownership, admission, validation,
and no revision for a write that changes nothing. Handlers decide what is wanted; this decides what may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest, Operation
from roadbed.apimachinery.causes import forbidden, invalid, invalid_value
from roadbed.apimachinery.errors import ConflictError
from roadbed.apimachinery.names import generate_name
from roadbed.apimachinery.request import Answer, Object

from .context import Call, Core
from .decoding import tidy, validate

_GIVEN_BY_SERVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "selfLink",
)
_FIXED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
Build = Callable[[Object], Object]
"""From the live object (not to be changed) to the wanted one (owned by the caller)."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """How field ownership is tracked: by ``update``, unless the object came out of ``apply`` with it."""

    is_applied: bool = False


async def admit(
    core: Core, call: Call, operation: Operation, obj: Object | None, old: Object | None
) -> Object | None:
    """Ask the admission chain; gives the object to go on with."""
    served = call.served
    if not core.admission.sees(served.resource.qualified):
        return obj
    named = obj or old or {}
    request = AdmissionRequest(
        operation=operation,
        resource=served.resource,
        namespace=call.request.namespace,
        name=str(named.get("metadata", {}).get("name") or call.request.name),
        user=call.user,
        object=obj,
        old=old,
        subresource=call.request.subresource,
        dry_run=call.is_dry_run,
    )
    admitted = await core.admission.admit(request)
    if admitted is not None and admitted is not obj:
        tidy(call, admitted)
    return admitted


def complete_new(core: Core, call: Call, obj: Object) -> None:
    """Give a new object its system metadata, and its name where it is generated."""
    meta = obj["metadata"]
    for member in _GIVEN_BY_SERVER:
        meta.pop(member, None)
    base = meta.get("generateName")
    if not meta.get("name") and base:
        meta["name"] = generate_name(base, core.choose)
    if call.served.resource.namespaced:
        meta["namespace"] = call.request.namespace
    meta["uid"] = core.new_uid()
    meta["creationTimestamp"] = core.now()
    if call.served.has_status:
        obj.pop("status", None)
    call.served.strategy.prepare_create(obj)
    if call.served.strategy.has_generation:
        meta["generation"] = 1


async def store_new(core: Core, call: Call, obj: Object, ownership: Ownership) -> Answer:
    """Admit, own, validate and store a new object whose metadata is complete."""
    served = call.served
    admitted = await admit(core, call, "CREATE", obj, None)
    obj = obj if admitted is None else admitted
    obj = own(core, call, None, obj, ownership)
    validate(call, obj, None)
    if call.is_dry_run:
        core.store.refuse_taken(served, served.path(call.request.namespace, obj["metadata"]["name"]))
        return Answer(201, orjson.dumps(served.ordered(obj)), tuple(call.warnings))
    path = served.path(call.request.namespace, obj["metadata"]["name"])
    return Answer(201, await core.store.create(served, path, obj), tuple(call.warnings))


async def store_changed(core: Core, call: Call, old: Object, new: Object, ownership: Ownership) -> Answer:
    """Bring a wanted change of a live object to storage; both are owned by this function."""
    served = call.served
    subresource = call.request.subresource
    check_preconditions(call, old, new)
    _keep_fixed(old, new)
    if subresource == "status":
        new = _only_status(old, new)
    elif subresource == "":
        if served.has_status:
            _keep(old, new, "status")
        served.strategy.prepare_update(new, old)
        _check_finalizers(call, old, new)
    # subresource finalize and scale prepare the object in their handlers
    admitted = await admit(core, call, "UPDATE", new, old)
    new = new if admitted is None else admitted
    new = own(core, call, old, new, ownership)
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    if new == old:  # nothing to judge and nothing to write
        return Answer(200, orjson.dumps(served.ordered(old)), tuple(call.warnings))
    validate(call, new, old)
    if served.strategy.has_generation and subresource != "status" and served.strategy.spec_changed(new, old):
        new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1
    return await commit(core, call, old, new)


async def commit(core: Core, call: Call, old: Object, new: Object) -> Answer:
    """Store a changed object, or delete it where nothing holds it any more."""
    served = call.served
    path = call.path
    revision = old["metadata"]["resourceVersion"]
    warnings = tuple(call.warnings)
    if call.is_dry_run:
        return Answer(200, orjson.dumps(served.ordered(new)), warnings)
    if new["metadata"].get("deletionTimestamp") and is_free(served.strategy, new):
        return Answer(200, await core.store.delete(served, path, new, expected=revision), warnings)
    return Answer(200, await core.store.update(served, path, new, expected=revision), warnings)


def is_free(strategy: Any, obj: Object) -> bool:
    """Say whether nothing holds a deleted object back."""
    return not obj["metadata"].get("finalizers") and not strategy.is_held(obj)


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
        raise invalid(resource.gvk, call.request.name, [cause])


def _keep_fixed(old: Object, new: Object) -> None:
    meta, live = new["metadata"], old["metadata"]
    for member in (*_FIXED, "name", "namespace", "generateName"):
        if member in live:
            meta[member] = live[member]
        elif member != "generateName":
            meta.pop(member, None)
    meta.pop("selfLink", None)
    if "managedFields" not in meta and "managedFields" in live:
        meta["managedFields"] = live["managedFields"]


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
    if "managedFields" in new["metadata"]:
        changed["metadata"]["managedFields"] = new["metadata"]["managedFields"]
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
