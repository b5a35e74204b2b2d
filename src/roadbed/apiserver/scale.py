"""The scale subresource: replicas by the paths that a definition, or a built-in kind, names."""

from __future__ import annotations

from typing import Any

import orjson

from roadbed.apimachinery.causes import invalid, invalid_value
from roadbed.apimachinery.errors import BadRequestError, NotFoundError
from roadbed.apimachinery.request import Answer, Object

from .columns import AGE, NAME, Cell, Column
from .context import Call
from .kinds.columns.cells import selector_text
from .registry import Scale


def _number(*names: str) -> Cell:
    return lambda obj, _now: _at(obj, names)


COLUMNS = (
    NAME,
    Column("Desired", _number("spec", "replicas"), type="integer"),
    Column("Available", _number("status", "replicas"), type="integer"),
    AGE,
)


def paths(call: Call) -> Scale:
    """Give where the numbers are.

    Raises:
        NotFoundError: the kind has no scale.
    """
    found = call.served.definition.scale
    if found is None:
        raise NotFoundError("the server could not find the requested resource")
    return found


def view(call: Call, obj: Object) -> Object:
    """Give the ``autoscaling/v1`` Scale of an object."""
    where = paths(call)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: dict[str, Any] = {"replicas": _at(obj, where.status_path) or 0}
    selector = _at(obj, where.selector_path) if where.selector_path else None
    if selector:
        status["selector"] = selector_text(selector) if isinstance(selector, dict) else str(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in kept if name in obj["metadata"]},
        "spec": {"replicas": _at(obj, where.spec_path) or 0},
        "status": status,
    }


def read(call: Call, value: bytes) -> bytes:
    """Give the encoded Scale of an encoded object."""
    return orjson.dumps(view(call, orjson.loads(value)))


def answer(call: Call, written_answer: Answer) -> Answer:
    """Give the Scale of the object in an answer."""
    return Answer(written_answer.status, read(call, written_answer.body), written_answer.warnings)


def written(call: Call, live: Object, body: Any) -> Object:
    """Give the live object with the replicas of a Scale.

    Raises:
        BadRequestError: the body is no Scale.
        InvalidError: fewer replicas than none.
    """
    if not isinstance(body, dict) or body.get("kind", "Scale") != "Scale":
        raise BadRequestError("the body must be a Scale of autoscaling/v1")
    spec, sent = body.get("spec") or {}, body.get("metadata") or {}
    if not isinstance(spec, dict) or not isinstance(sent, dict):
        raise BadRequestError("spec and metadata of a Scale must be objects")
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise BadRequestError("spec.replicas must be a whole number")
    if replicas < 0:
        cause = invalid_value(".spec.replicas", replicas, "should be a non-negative integer")
        raise invalid(call.served.resource.gvk, call.request.name, [cause])
    new: Object = orjson.loads(orjson.dumps(live))
    place = new
    *parents, last = paths(call).spec_path
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = replicas
    new["metadata"]["resourceVersion"] = sent.get("resourceVersion") or live["metadata"]["resourceVersion"]
    return new


def _at(obj: Object, names: tuple[str, ...]) -> Any:
    value: Any = obj
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
