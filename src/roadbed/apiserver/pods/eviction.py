"""Evictions: a create on ``pods/<name>/eviction`` deletes a pod, if its disruption budget has room for that.

The budget's numbers are its controller's; an eviction takes one from ``disruptionsAllowed`` and notes the pod in
``disruptedPods``, under the budget's lock, so that two evictions never take the same one. Pods that are pending or
ended, or on their way out, are no disruption.

Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from roadbed.apimachinery.causes import invalid, invalid_value
from roadbed.apimachinery.errors import (
    ApiError,
    BadRequestError,
    Cause,
    ConflictError,
    ForbiddenError,
    TooManyRequestsError,
)
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import Answer, ApiRequest, Object, User
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.handlers import delete, update
from roadbed.apiserver.handlers.create import check_namespace
from roadbed.apiserver.registry import Served
from roadbed.apiserver.store import OvertakenError
from roadbed.apiserver.writing import judge_answer

from . import changes

KIND: Final = GVK("policy", "v1", "Eviction")
_ACCEPTED: Final = (KIND, GVK("policy", "v1beta1", "Eviction"))
_NOTED_AT_MOST: Final = 2_000  # pods that a budget's controller has not seen go yet
_AGAIN_S: Final = 10  # when to try again while a budget is behind
_ATTEMPTS = 5
_ENDED = ("Succeeded", "Failed")
_SERVER = User("system:apiserver", ("system:masters", "system:authenticated"))
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(core: Core, call: Call) -> Answer:
    """Delete the named pod unless its budget forbids.

    Raises:
        BadRequestError: the body is no Eviction of this pod.
        NotFoundError: there is no such pod.
        TooManyRequestsError: its budget allows no disruption now; the cause says why.
        ConflictError: a precondition of the deletion fails.
    """
    body = changes.body_of(call, KIND, _ACCEPTED)
    if body["metadata"].get("name") != call.request.name:
        raise BadRequestError("name in URL does not match name in Eviction object")
    call, options = _options(call, body)
    check_namespace(core, call)
    await judge_answer(core, call, KIND, body, lambda _: None)
    pod = await _live(core, call)
    budget = None if _is_no_disruption(pod) else _budget(core, pod)
    watched = _is_no_disruption(pod) and not _is_going(pod)
    if budget is not None:
        watched = _is_spared(pod, budget)
        if not watched:
            await _take(core, call, budget["metadata"]["name"])
    if watched and not (options.get("preconditions") or {}).get("resourceVersion"):
        # It must not have become ready since it was looked at.
        return await _remove_unchanged(core, call, options, pod, budget)
    await _remove(core, call, options)
    return changes.success(call)


async def _live(core: Core, call: Call) -> Object:
    pod = await core.store.live(call.served, call.path)
    if pod is None:
        raise call.not_found()
    return pod


def _options(call: Call, body: Object) -> tuple[Call, dict[str, Any]]:
    """Give the options of the deletion, and the call as they make it: a dry run in either is one of both."""
    options = body.get("deleteOptions") or {}
    if not isinstance(options, dict):
        raise BadRequestError("deleteOptions must be an object")
    if options.get("ignoreStoreReadErrorWithClusterBreakingPotential"):
        text = "can not be set for pod eviction, try after removing the option"
        path = "deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential"
        raise invalid(KIND, call.request.name, [invalid_value(path, value=True, detail=text)])
    options = delete.judged({**options, "kind": "DeleteOptions"})
    if options.get("dryRun"):
        query = {**call.request.options, "dryRun": "All"}
        call = replace(call, request=replace(call.request, options=query))
    return call, options


def _is_going(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase in _ENDED or bool(pod["metadata"].get("deletionTimestamp"))


def _is_no_disruption(pod: Object) -> bool:
    return _is_going(pod) or (pod.get("status") or {}).get("phase") == "Pending"


def _is_spared(pod: Object, budget: Object) -> bool:
    """Say whether a pod that is not ready may go without taking from the budget."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    wanted = status.get("desiredHealthy") or 0
    return wanted > 0 and (status.get("currentHealthy") or 0) >= wanted


def _budget(core: Core, pod: Object) -> Object | None:
    """Give the disruption budget that selects a pod, if one does.

    Raises:
        ApiError: several do.
    """
    labels = pod["metadata"].get("labels") or {}
    cache = core.registry.get("policy", "v1", "poddisruptionbudgets").cache
    stored = (orjson.loads(entry.value) for entry in cache.entries(pod["metadata"]["namespace"]))
    found = [each for each in stored if _selects(each, labels)]
    if len(found) > 1:
        error = ApiError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
        error.reason = ""
        raise error
    return found[0] if found else None


def _selects(budget: Object, labels: dict[str, str]) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    try:
        return Selector.of(selector).matches(labels)
    except ApiError:
        return False  # it selects nothing


async def _take(core: Core, call: Call, name: str) -> None:
    """Take one disruption from a budget.

    Raises:
        TooManyRequestsError: none is left, or its controller has not seen its latest spec.
        ForbiddenError: its numbers make no sense.
    """
    served: Served = core.registry.get("policy", "v1", "poddisruptionbudgets")
    options = {"fieldManager": "apiserver"}
    if call.is_dry_run:
        options["dryRun"] = "All"
    place = {"namespace": call.request.namespace, "name": name, "subresource": "status", "options": options}
    request = ApiRequest.on("patch", served.resource, **place)

    def wanted(live: Object) -> Object:
        return _decremented(live, call.request.name, core.now())

    await update.change(core, Call(served, _SERVER, request), wanted)


def _decremented(budget: Object, pod: str, now: str) -> Object:
    meta, status = budget["metadata"], dict(budget.get("status") or {})
    if (status.get("observedGeneration") or 0) < (meta.get("generation") or 0):
        raise _behind(meta["name"])
    allowed, noted = status.get("disruptionsAllowed") or 0, status.get("disruptedPods") or {}
    if allowed < 0:
        raise _senseless(meta["name"], "pdb disruptions allowed is negative")
    if len(noted) > _NOTED_AT_MOST:
        text = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise _senseless(meta["name"], text)
    if allowed == 0:
        raise TooManyRequestsError(
            _VIOLATES, causes=[Cause("DisruptionBudget", _reason(meta["name"], status))]
        )
    status["disruptionsAllowed"] = allowed - 1
    if allowed == 1:
        status["conditions"] = _none_left(status, now)
    status["disruptedPods"] = {**noted, pod: now}
    # Without a revision: a write that comes between means looking again, not failing.
    unversioned = {name: value for name, value in meta.items() if name != "resourceVersion"}
    return {**budget, "metadata": unversioned, "status": status}


def _none_left(status: Object, now: str) -> list[Object]:
    others = [each for each in status.get("conditions") or () if each.get("type") != "DisruptionAllowed"]
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": status.get("observedGeneration") or 0,
        "lastTransitionTime": now,
        "reason": "InsufficientPods",
        "message": "",
    }
    return [*others, condition]


def _reason(name: str, status: Object) -> str:
    found = [each for each in status.get("conditions") or () if each.get("type") == "DisruptionAllowed"]
    condition = found[0] if found and found[0].get("status") == "False" and found[0].get("message") else None
    healthy, wanted = status.get("currentHealthy") or 0, status.get("desiredHealthy") or 0
    start = f"The disruption budget {name}"
    if condition is not None and condition.get("reason") == "SyncFailed":
        told = condition["message"]
        return f"{start} does not allow evicting pods currently because it failed sync: {told}"
    if healthy <= wanted:
        return f"{start} needs {wanted} healthy pods and has {healthy} currently"
    if condition is not None:
        return f"{start} does not allow evicting pods currently ({condition.get('reason')}): {condition['message']}"
    return f"{start} does not allow evicting pods currently"


def _behind(name: str) -> TooManyRequestsError:
    cause = Cause("DisruptionBudget", f"The disruption budget {name} is still being processed by the server.")
    return TooManyRequestsError(_VIOLATES, causes=[cause], retry_after_s=_AGAIN_S)


def _senseless(name: str, text: str) -> ForbiddenError:
    message = f'poddisruptionbudget.policy "{name}" is forbidden: {text}'
    return ForbiddenError(message, group="policy", kind="poddisruptionbudget", name=name)


async def _remove_unchanged(
    core: Core, call: Call, options: dict[str, Any], pod: Object, budget: Object | None
) -> Answer:
    """Delete a pod as it was when it was looked at; where it was changed since, its client may ask again."""
    given = options.get("preconditions") or {}
    for _ in range(_ATTEMPTS):
        seen = {**given, "resourceVersion": pod["metadata"]["resourceVersion"]}
        try:
            await _remove(core, call, {**options, "preconditions": seen})
            return changes.success(call)
        except ConflictError:
            if budget is not None:
                raise _behind(budget["metadata"]["name"]) from None
            pod = await _live(core, call)
            if not _is_no_disruption(pod):
                return await evict(core, call)
    raise OvertakenError(f'pods "{call.request.name}" changes too often to be evicted; try again')


async def _remove(core: Core, call: Call, options: dict[str, Any]) -> None:
    """Write down why the pod goes, then delete it."""
    request = replace(call.request, verb="delete", subresource="", body=options)
    one = Call(call.served, call.user, request, call.warnings, call.annotations)
    if not call.is_dry_run:
        options = await _note(core, one, options)
    await delete.remove(core, one, options)


async def _note(core: Core, call: Call, options: dict[str, Any]) -> dict[str, Any]:
    preconditions = options.get("preconditions") or {}
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    for attempt in range(_ATTEMPTS):
        pod = await _live(core, call)
        delete.check_preconditions(call, pod, preconditions)
        revision = pod["metadata"]["resourceVersion"]
        changes.set_condition(pod, condition, core.now())
        try:
            stored = await core.store.update(call.served, call.path, pod, expected=revision)
        except OvertakenError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        if preconditions.get("resourceVersion"):
            written = orjson.loads(stored)["metadata"]["resourceVersion"]
            return {**options, "preconditions": {**preconditions, "resourceVersion": written}}
        return options
    raise AssertionError  # the last attempt returned or raised
