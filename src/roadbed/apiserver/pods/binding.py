"""Bindings: a scheduler puts a pod on a node by a create on ``pods/<name>/binding``, or of a Binding.

The pod gets the node's name, what the binding says in labels and annotations, and the condition PodScheduled; no new
generation, and no owner of these fields. A pod is bound once, by whoever comes first.

Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/storage.go (BindingREST).
"""

from __future__ import annotations

from typing import Final

import orjson

from roadbed.apimachinery.errors import BadRequestError, ConflictError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.request import Answer, ApiRequest, Object, User
from roadbed.apis.kubernetes import SERVED
from roadbed.apiserver.context import Call, Core
from roadbed.apiserver.handlers.create import check_namespace
from roadbed.apiserver.store import OvertakenError
from roadbed.apiserver.writing import judge_answer

from . import changes

KIND: Final = GVK("", "v1", "Binding")
_ATTEMPTS = 5


async def bind(core: Core, call: Call) -> Answer:
    """Put the named pod on the node that the body names.

    Raises:
        BadRequestError: the body is no Binding of this pod to a node.
        NotFoundError: there is no such pod.
        ConflictError: it is bound, is being deleted, waits at a gate, or is another one than the body means.
    """
    body = changes.body_of(call, KIND, (KIND,))
    if body["metadata"].get("name") != call.request.name:
        raise BadRequestError("name in URL does not match name in Binding object")
    _judge(body)
    check_namespace(core, call)
    body = await judge_answer(core, call, KIND, body, lambda _: None)
    for attempt in range(_ATTEMPTS):
        try:
            async with core.alone(call):
                await _assign(core, call, body)
            break
        except OvertakenError:
            if attempt == _ATTEMPTS - 1:
                raise
    return changes.success(call)


class Bindings:
    """Answers a create of a Binding as such: what schedulers did before there were subresources."""

    resource = next(each for each in SERVED if each.gvk == KIND)

    def __init__(self, core: Core) -> None:
        self._core = core

    async def review(self, question: Object, user: User) -> Object:
        """Bind the pod that a Binding names.

        Raises:
            ApiError: as ``bind``.
        """
        meta, pods = question["metadata"], self._core.registry.get("", "v1", "pods")
        place = {"namespace": str(meta.get("namespace") or ""), "name": str(meta.get("name") or "")}
        request = ApiRequest.on("create", pods.resource, subresource="binding", body=question, **place)
        answer = await bind(self._core, Call(pods, user, request))
        status: Object = orjson.loads(answer.body)
        return status


async def _assign(core: Core, call: Call, body: Object) -> None:
    served = call.served
    pod = await core.store.live(served, call.path)
    if pod is None:
        raise call.not_found()
    meta, revision = body["metadata"], pod["metadata"]["resourceVersion"]
    for member, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        found = pod["metadata"][member]
        if meta.get(member) and meta[member] != found:
            text = (
                f"Precondition failed: {word} in precondition: {meta[member]}, {word} in object meta: {found}"
            )
            raise _conflict("pods", call.request.name, text)
    problem = _unassignable(pod)
    if problem:
        raise _conflict("pods/binding", call.request.name, problem)
    if call.is_dry_run:
        return
    pod["spec"]["nodeName"] = body["target"]["name"]
    for member in ("annotations", "labels"):
        if meta.get(member):
            pod["metadata"][member] = {**(pod["metadata"].get(member) or {}), **meta[member]}
    pod.setdefault("status", {}).pop("nominatedNodeName", None)
    changes.set_condition(pod, {"type": "PodScheduled", "status": "True"}, core.now())
    await core.store.update(served, call.path, pod, expected=revision)


def _unassignable(pod: Object) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    if pod["metadata"].get("deletionTimestamp"):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if spec.get("nodeName"):
        return f"pod {name} is already assigned to node {orjson.dumps(spec['nodeName']).decode()}"
    if spec.get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def _judge(body: Object) -> None:
    target = body.get("target")
    target = target if isinstance(target, dict) else {}
    problems = []
    if target.get("kind") not in (None, "", "Node"):
        kind = orjson.dumps(target["kind"]).decode()
        problems.append(f'target.kind: Unsupported value: {kind}: supported values: "Node", "<empty>"')
    if not target.get("name") or not isinstance(target["name"], str):
        problems.append("target.name: Required value")
    if problems:
        raise BadRequestError(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _conflict(plural: str, name: str, text: str) -> ConflictError:
    message = f'Operation cannot be fulfilled on {plural} "{name}": {text}'
    return ConflictError(message, kind=plural, name=name)
