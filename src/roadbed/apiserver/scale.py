"""The scale subresource: replicas by the paths that a definition, or a built-in kind, names.

Read and written as an object of a kind of its own, ``autoscaling/v1`` Scale: ``facing`` gives the call on that kind,
so that decoding, patches and field ownership are those of every other kind. ``written`` then moves what was wanted,
and who owns it now, into the object itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import orjson

from roadbed.apimachinery import scaleowners
from roadbed.apimachinery.causes import invalid, invalid_value
from roadbed.apimachinery.errors import BadRequestError, ConflictError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, Object

from . import builtin, kinds
from .columns import AGE, NAME, Cell, Column
from .context import Call
from .kinds.columns.cells import selector_text
from .registry import Definition, Scale
from .strategy import Strategy

SCALES = Resource("autoscaling", "v1", "scales", "Scale")


def _number(*names: str) -> Cell:
    return lambda obj, _now: _at(obj, names)


COLUMNS = (
    replace(NAME, format=""),
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


@cache
def _definition() -> Definition:
    return Definition(
        resource=SCALES,
        strategy=Strategy(),
        compile=partial(builtin.compiled_of, SCALES.gvk),
        settle=partial(kinds.settle_of, SCALES),
        empty=partial(kinds.empty_of, SCALES),
        has_status=True,
    )


def facing(call: Call) -> Call:
    """Give the call as one on the scale itself; it shares warnings with the original."""
    return replace(call, served=call.served.beside(_definition()))


def view(call: Call, obj: Object) -> Object:
    """Give the ``autoscaling/v1`` Scale of an object."""
    where = paths(call)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: dict[str, Any] = {"replicas": _at(obj, where.status_path) or 0}
    selector = _at(obj, where.selector_path) if where.selector_path else None
    if selector:
        status["selector"] = selector_text(selector) if isinstance(selector, dict) else str(selector)
    replicas = _at(obj, where.spec_path)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in kept if name in obj["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},  # none are left out, as Go does
        "status": status,
    }


def read(call: Call, value: bytes) -> bytes:
    """Give the encoded Scale of an encoded object."""
    return orjson.dumps(view(call, orjson.loads(value)))


def answer(call: Call, written_answer: Answer) -> Answer:
    """Give the Scale of the object in an answer."""
    return Answer(written_answer.status, read(call, written_answer.body), written_answer.warnings)


def written(call: Call, live: Object, build: Callable[[Object], Object]) -> Object:
    """Give the live object with what ``build`` makes of its Scale: replicas, owners, preconditions.

    Both Scales have their own ``metadata.managedFields``.

    Raises:
        ConflictError: the scale was meant for an object with another uid.
        InvalidError: fewer replicas than none.
    """
    old = view(call, live)
    entries = live["metadata"].get("managedFields")
    try:
        old["metadata"]["managedFields"] = scaleowners.of_scale(entries, call.served.replicas)
        scale = build(old)
        owners = scale["metadata"].get("managedFields")
        api_version = call.served.resource.api_version
        managed = scaleowners.of_object(entries, owners, call.served.replicas, api_version)
    except ValueError as error:
        raise BadRequestError(f"failed to decode managed fields: {error}") from error
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    _judge(call, scale, replicas)
    new = _with_replicas(call, live, replicas)
    sent, meta = scale["metadata"], new["metadata"]
    if managed:
        meta["managedFields"] = managed
    else:
        meta.pop("managedFields", None)
    meta["resourceVersion"] = sent.get("resourceVersion") or ""
    if sent.get("uid") and call.request.verb == "patch" and sent["uid"] != meta["uid"]:
        _refuse_uid(call, sent["uid"], meta["uid"])
    meta["uid"] = sent.get("uid") or meta["uid"]
    return new


def rescaled(call: Call, obj: Object, scale: Object) -> Object:
    """Give an object with the replicas of a Scale that admission changed."""
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    _judge(call, scale, replicas)
    return _with_replicas(call, obj, replicas)


def _with_replicas(call: Call, obj: Object, replicas: int) -> Object:
    new: Object = orjson.loads(orjson.dumps(obj))
    place = new
    *parents, last = paths(call).spec_path
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = replicas
    return new


def _judge(call: Call, scale: Object, replicas: int) -> None:
    if replicas >= 0:
        return
    if call.served.is_custom:  # judged as the object that it makes
        cause = invalid_value(".spec.replicas", replicas, "should be a non-negative integer")
        raise invalid(call.served.resource.gvk, call.request.name, [cause])
    cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
    raise invalid(SCALES.gvk, str(scale["metadata"].get("name") or call.request.name), [cause])


def _refuse_uid(call: Call, sent: str, live: str) -> None:
    resource = call.served.resource
    kind = f"{resource.plural}/scale"
    shown = f"{kind}.{resource.group}" if resource.group else kind
    raise ConflictError(
        f'Operation cannot be fulfilled on {shown} "{call.request.name}": Precondition failed: UID in precondition: '
        f"{sent}, UID in object meta: {live}",
        group=resource.group,
        kind=kind,
        name=call.request.name,
    )


def _at(obj: Object, names: tuple[str, ...]) -> Any:
    value: Any = obj
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
