"""Delete: one object, or all that a selector names; finalizers hold what they hold.

Admission is asked about each object of a collection, without being told its name but by the object itself, as in
Kubernetes. What it says of all of them goes back with the one answer, and into the one audit event.

Source: k8s.io/apiserver/pkg/endpoints/handlers/delete.go, pkg/registry/generic/registry/store.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from roadbed.apimachinery.causes import go_type, invalid, invalid_value, not_supported
from roadbed.apimachinery.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.request import Answer, Object
from roadbed.apiserver import decoding, table, writing
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.kinds import grace
from roadbed.apiserver.options import whole
from roadbed.apiserver.store import OvertakenError

from . import list as listing

PROTECTED_NAMESPACES = frozenset(("default", "kube-system", "kube-public"))
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_ATTEMPTS = 5
_POLICIES = ("Foreground", "Background", "Orphan")


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
    return await _delete(core, call, options)


async def delete_collection(core: Core, call: Call, *, asks_admission: bool = True) -> Answer:
    """Delete every object that the request's namespace and selectors name; gives the list of what they were.

    Raises:
        ApiError: one may not be deleted; those before it are gone.
    """
    options = _options(call)
    page = await listing.list_page(core, call)
    for item in page.items:
        meta = orjson.loads(item)["metadata"]
        request = replace(call.request, namespace=meta.get("namespace", ""), name=meta["name"])
        one = Call(call.served, call.user, request, call.warnings, call.annotations)
        try:
            await _delete(core, one, options, asks_admission=asks_admission)
        except NotFoundError:
            continue  # someone else was quicker
    return Answer(200, table.plain_list(call.served, page), tuple(call.warnings))


async def remove(core: Core, call: Call, options: dict[str, Any]) -> Answer:
    """Delete one object as ``delete`` does, with options already read, and without asking admission again."""
    return await _delete(core, call, options, asks_admission=False)


async def _delete(core: Core, call: Call, options: dict[str, Any], *, asks_admission: bool = True) -> Answer:
    for _ in range(_ATTEMPTS - 1):
        try:
            return await _delete_once(core, call, options, asks_admission=asks_admission)
        except OvertakenError:
            continue  # only where webhooks are asked, who may write to the object meanwhile
    return await _delete_once(core, call, options, asks_admission=asks_admission)


async def _delete_once(core: Core, call: Call, options: dict[str, Any], *, asks_admission: bool) -> Answer:
    async with core.alone(call):
        live = await core.store.live(call.served, call.path)
        if live is None:
            raise call.not_found()
        check_preconditions(call, live, options.get("preconditions") or {})
        if not asks_admission:
            return await _remove(core, call, live, options)
        await writing.mutate(core, call, "DELETE", None, live)
        if not core.admission.validates(call.served.resource):
            return await _remove(core, call, live, options)
        async with writing.judged(core, call, "DELETE", None, live):
            return await _remove(core, call, live, options)


async def _remove(core: Core, call: Call, live: Object, options: dict[str, Any]) -> Answer:
    served = call.served
    finalizers = _finalizers(live, options)
    if served.strategy.orphans is not None and _says_nothing(live, options):
        finalizers.append(ORPHAN)
        if served.strategy.orphans and served.strategy.orphans not in call.warnings:
            call.warnings.append(served.strategy.orphans)
    revision = live["metadata"]["resourceVersion"]
    held = {**live, "metadata": {**live["metadata"], "finalizers": finalizers}}
    if not finalizers:
        del held["metadata"]["finalizers"]
    if served.strategy.ends_slowly:
        return await _end(core, call, live, held, options)
    if writing.is_free(served.strategy, held):
        gone = orjson.dumps(served.ordered(live))
        if not call.is_dry_run:
            gone = await core.store.delete(served, call.path, live, expected=revision)
        if served.strategy.returns_deleted:
            return Answer(200, gone, tuple(call.warnings))
        return Answer(200, orjson.dumps(_success(call, live)), tuple(call.warnings))
    meta = held["metadata"]
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = core.now()
        if served.strategy.has_grace_period:
            meta["deletionGracePeriodSeconds"] = 0
        if meta.get("generation"):
            meta["generation"] += 1
        served.strategy.begin_deletion(held)
    status = 202 if options.get("orphanDependents") is False else 200  # what is held is not gone yet
    if held == live or call.is_dry_run:
        return Answer(status, orjson.dumps(served.ordered(held)), tuple(call.warnings))
    stored = await core.store.update(served, call.path, held, expected=revision)
    return Answer(status, stored, tuple(call.warnings))


async def _end(core: Core, call: Call, live: Object, held: Object, options: dict[str, Any]) -> Answer:
    """Mark what takes time to end with the time that it has, and remove it once none is left."""
    served, place = call.served, core.registry.get("", "v1", "nodes").cache
    name = str((live.get("spec") or {}).get("nodeName") or "")
    has_node = bool(name) and place.get(name) is not None
    meta = held["metadata"] = dict(held["metadata"])
    left = meta.get("deletionGracePeriodSeconds") or 0
    is_marked = True
    if not meta.get("deletionTimestamp"):
        grace.mark(held, grace.allowed(live, options, has_node=has_node), core.clock())
    elif left:
        period_s = grace.shortened(live, options, has_node=has_node)
        if period_s is None:
            held = live  # it has as much time as it was given, and the collector what it was told
        else:
            grace.mark(held, period_s, core.clock())
    else:
        is_marked = False
    is_free = writing.is_free(served.strategy, held)
    path, stored, last = call.path, orjson.dumps(served.ordered(held)), live
    if call.is_dry_run:
        return Answer(200, stored, tuple(call.warnings))
    if held != live and (is_marked or not is_free):
        stored = await core.store.update(served, path, held, expected=live["metadata"]["resourceVersion"])
        last = orjson.loads(stored)
    if is_free:
        stored = await core.store.delete(served, path, last, expected=last["metadata"]["resourceVersion"])
    is_held = not is_free and options.get("orphanDependents") is False
    return Answer(202 if is_held else 200, stored, tuple(call.warnings))


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


def _says_nothing(live: Object, options: dict[str, Any]) -> bool:
    """Say whether neither a deletion nor the object says what becomes of its dependents."""
    if any(options.get(each) is not None for each in ("propagationPolicy", "orphanDependents")):
        return False
    return not {ORPHAN, FOREGROUND} & set(live["metadata"].get("finalizers") or ())


def _options(call: Call) -> dict[str, Any]:
    """Give the DeleteOptions: the body, or, where there is none, what the query says."""
    if call.request.body is None:
        return judged(_asked(call))
    body = decoding.copied(call.request.body)
    if not isinstance(body, dict) or body.get("kind") not in (None, "", "DeleteOptions"):
        raise BadRequestError("the body of a delete must be DeleteOptions or nothing")
    _check_types(body)
    judged(body)
    query = {name: value for name, value in call.request.options.items() if name != "dryRun"}
    if body.get("dryRun"):
        query["dryRun"] = body["dryRun"][0]
    call.request = replace(call.request, options=query)
    return body


def _asked(call: Call) -> dict[str, Any]:
    query = call.request.options
    options: dict[str, Any] = {}
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = whole(query, "gracePeriodSeconds")
    if "orphanDependents" in query:
        options["orphanDependents"] = call.flag("orphanDependents")
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    if query.get("dryRun"):
        options["dryRun"] = [query["dryRun"]]
    return options


_TYPES: Final[dict[str, tuple[type, str]]] = {
    "gracePeriodSeconds": (int, "int64"),
    "orphanDependents": (bool, "bool"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
}


def _check_types(body: dict[str, Any]) -> None:
    for member, (wanted, name) in _TYPES.items():
        if body.get(member) is not None and type(body[member]) is not wanted:
            found = go_type(body[member])
            text = (
                f"json: cannot unmarshal {found} into Go struct field DeleteOptions.{member} of type {name}"
            )
            raise BadRequestError(text)


def judged(options: dict[str, Any]) -> dict[str, Any]:
    """Give options of a deletion that make sense.

    Raises:
        InvalidError, BadRequestError: they do not.
    """
    policy, dry = options.get("propagationPolicy"), options.get("dryRun") or []
    if not isinstance(dry, list) or not all(isinstance(each, str) for each in dry):
        raise BadRequestError("dryRun of DeleteOptions must be a list of strings")
    causes = []
    if policy is not None and options.get("orphanDependents") is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid_value("propagationPolicy", policy, detail))
    if policy is not None and policy not in _POLICIES:
        causes.append(not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
    if any(each != "All" for each in dry):
        causes.append(not_supported("dryRun", dry, ("All",)))
    if causes:
        raise invalid(GVK("meta.k8s.io", "", "DeleteOptions"), "", causes)
    return options


def check_preconditions(call: Call, live: Object, preconditions: Any) -> None:
    """Hold the live object to be the one that is meant.

    Raises:
        ConflictError: it has another uid or resourceVersion.
    """
    resource = call.served.resource
    if not isinstance(preconditions, dict):
        raise BadRequestError("preconditions must be an object with uid and resourceVersion")
    for member, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = preconditions.get(member)
        if wanted is not None and wanted != live["metadata"][member]:  # an empty one matches nothing
            kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
            again = "deleted and then recreated" if member == "uid" else "modified"
            raise ConflictError(
                f'Operation cannot be fulfilled on {kind} "{call.request.name}": the {word} in the '
                f"precondition ({wanted}) does not match the {word} in record ({live['metadata'][member]}). The "
                f"object might have been {again}",
                group=resource.group,
                kind=resource.kind,
                name=call.request.name,
            )


def _success(call: Call, live: Object) -> Object:
    resource = call.served.resource
    details = {"name": live["metadata"]["name"], "kind": resource.plural, "uid": live["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
