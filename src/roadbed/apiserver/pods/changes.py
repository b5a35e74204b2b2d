"""What bindings and evictions share: reading a body of another kind than the resource's, conditions, the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.request import Answer, Object
from roadbed.apiserver import decoding
from roadbed.apiserver.context import Call


def body_of(call: Call, kind: GVK, accepted: Sequence[GVK]) -> Object:
    """Give the body of a create on a subresource, owned by the caller, with metadata that names its namespace.

    Raises:
        BadRequestError: it is no object of an accepted kind, or of another namespace.
    """
    body = decoding.copied(call.request.body)
    if not isinstance(body, dict):
        raise BadRequestError(f"the body is not an object; send one {kind.kind}")
    body.setdefault("apiVersion", kind.api_version)
    body.setdefault("kind", kind.kind)
    found = GVK.parse(str(body["apiVersion"]), str(body["kind"]))
    if found not in accepted:
        raise BadRequestError(
            f"{found.kind} in version {orjson.dumps(found.version).decode()} cannot be handled as a {kind.kind}"
        )
    meta = body.get("metadata") or {}
    if not isinstance(meta, dict):
        raise BadRequestError("metadata must be an object")
    meta = body["metadata"] = {name: value for name, value in meta.items() if value is not None}
    for member in ("labels", "annotations"):
        if not isinstance(meta.get(member, {}), dict):
            raise BadRequestError(f"metadata.{member} must be an object")
    namespace = call.request.namespace
    if meta.setdefault("namespace", namespace) != namespace:
        raise BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return body


def set_condition(pod: Object, condition: Object, now: str) -> None:
    """Put a condition of its type into a pod's status; the time of a state that lasts stays."""
    status = pod.setdefault("status", {})
    before = status.get("conditions") or []
    added = {"lastProbeTime": None, "lastTransitionTime": now, **condition}
    for index, each in enumerate(before):
        if each.get("type") == condition["type"]:
            if each.get("status") == condition["status"]:
                added["lastTransitionTime"] = each.get("lastTransitionTime")
            status["conditions"] = [*before[:index], added, *before[index + 1 :]]
            return
    status["conditions"] = [*before, added]


def success(call: Call) -> Answer:
    """Give the Status that says that it was done."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return Answer(201, orjson.dumps(status), tuple(call.warnings))
