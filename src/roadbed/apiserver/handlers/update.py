"""Update: replace a whole object, its status, or a namespace's finalizers."""

from __future__ import annotations

from roadbed.apimachinery.errors import ConflictError
from roadbed.apimachinery.request import Answer, Object
from roadbed.apiserver import decoding, scale, writing
from roadbed.apiserver.context import Call, Core

from . import create

ATTEMPTS = 5  # of a write that named no revision; the object is locked, unless webhooks are asked

_BY_UPDATE = writing.Ownership()


async def update(core: Core, call: Call) -> Answer:
    """Replace what the request names by the body.

    Raises:
        NotFoundError: there is none (kinds that allow it are created instead).
        ConflictError: the object changed since the body was read.
    """
    subresource = call.request.subresource
    if subresource == "scale":
        return await _rescale(core, call)
    obj = decoding.decode(call, call.request.body)
    create.check_names(call, obj)

    def wanted(live: Object) -> Object:
        del live
        copy: Object = decoding.copied(obj)
        return copy

    if subresource == "finalize":
        return await change(core, call, lambda live: _finalized(live, wanted(live)))
    return await change(
        core, call, wanted, creates=call.served.strategy.creates_on_update and not subresource
    )


async def _rescale(core: Core, call: Call) -> Answer:
    face = scale.facing(call)
    body = decoding.decode(face, call.request.body)
    create.check_names(face, body)

    def wanted(old: Object) -> Object:
        return writing.own(core, face, old, decoding.copied(body), writing.Ownership())

    return await change_scale(core, call, wanted)


async def change_scale(core: Core, call: Call, build: writing.Build) -> Answer:
    """Change an object through its Scale: ``build`` gives the wanted one from the live one, owners included."""
    answer = await change(
        core,
        call,
        lambda live: scale.written(call, live, build),
        ownership=writing.Ownership(is_applied=True),
    )
    return scale.answer(call, answer)


async def change(
    core: Core,
    call: Call,
    build: writing.Build,
    *,
    creates: bool = False,
    ownership: writing.Ownership = _BY_UPDATE,
) -> Answer:
    """Read, build what is wanted, store; again when another write came between and no revision was named."""
    for attempt in range(ATTEMPTS):
        async with core.alone(call):
            live = await core.store.live(call.served, call.path)
            if live is None:
                if not creates:
                    raise call.not_found()
                return await _create_instead(core, call, build({}))
            new = build(live)
            named_revision = bool(new["metadata"].get("resourceVersion"))
            try:
                return await writing.store_changed(core, call, live, new, ownership)
            except ConflictError:
                if named_revision or attempt == ATTEMPTS - 1:
                    raise
    raise AssertionError  # the last attempt returned or raised


async def _create_instead(core: Core, call: Call, obj: Object) -> Answer:
    if obj["metadata"].get("uid"):
        raise call.not_found()
    core.check(call, "create")
    create.check_namespace(core, call)
    return await writing.create_new(core, call, obj, writing.Ownership())


def _finalized(live: Object, body: Object) -> Object:
    """Give the body, with its ``spec.finalizers`` and the live namespace's status."""
    finalizers = (body.get("spec") or {}).get("finalizers")
    new = {**body, "spec": {**(body.get("spec") or {}), "finalizers": finalizers}}
    if not finalizers:
        del new["spec"]["finalizers"]
    name = live["metadata"]["name"]
    labels = {**(body["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}
    new["metadata"] = {**body["metadata"], "labels": labels}
    if "status" in live:
        new["status"] = live["status"]
    return new
