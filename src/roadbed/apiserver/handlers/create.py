"""Create: a new object of any kind, or the answer to a review."""

from __future__ import annotations

from roadbed.apimachinery.causes import invalid, required
from roadbed.apimachinery.errors import (
    BadRequestError,
    Cause,
    ForbiddenError,
    NotFoundError,
)
from roadbed.apimachinery.request import Answer, Object
from roadbed.apiserver import decoding, writing
from roadbed.apiserver.context import Call, Core


async def create(core: Core, call: Call) -> Answer:
    """Store the object in the body; gives it as stored, with status 201.

    Raises:
        AlreadyExistsError: the name is taken, or generateName found none free in eight attempts.
    """
    served = call.served
    obj = decoding.decode(call, call.request.body)
    check_names(call, obj)
    if served.definition.refusal:
        raise refused(call, str(obj["metadata"].get("name") or ""))
    if obj["metadata"].get("resourceVersion"):
        raise BadRequestError("resourceVersion should not be set on objects to be created")
    check_namespace(core, call)
    return await writing.create_new(core, call, obj, writing.Ownership())


def refused(call: Call, name: str) -> ForbiddenError:
    """Say why nothing of this kind can be created now."""
    resource = call.served.resource
    return ForbiddenError(
        f'{resource.qualified} "{name}" is forbidden: {call.served.definition.refusal}',
        **call.served.details(name),
    )


def check_names(call: Call, obj: Object) -> None:
    """Bring names in body and address together.

    Raises:
        BadRequestError: they differ.
        InvalidError: no name at all.
    """
    meta = obj["metadata"]
    request = call.request
    if call.served.resource.namespaced:
        if meta.get("namespace") and request.namespace and meta["namespace"] != request.namespace:
            raise BadRequestError(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if not request.namespace:
            raise BadRequestError(
                f"an empty namespace may not be set during creation of {call.served.resource.qualified}"
            )
        meta["namespace"] = request.namespace
    if request.name and not meta.get("name"):
        raise BadRequestError(
            f"the name of the object ({request.name} based on URL) was undeterminable: name must be provided"
        )
    if request.name and meta["name"] != request.name:
        raise BadRequestError(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({request.name})"
        )
    if not meta.get("name") and not meta.get("generateName"):
        cause = required("metadata.name", "name or generateName is required")
        raise invalid(call.served.resource.gvk, "", [cause])


def check_namespace(core: Core, call: Call) -> None:
    """Hold the namespace of a new object to exist and to live.

    Raises:
        NotFoundError: it does not exist.
        ForbiddenError: it is terminating.
    """
    name = call.request.namespace
    if not call.served.resource.namespaced:
        return
    entry = core.registry.get("", "v1", "namespaces").cache.get(name)
    if entry is None:
        raise NotFoundError(f'namespaces "{name}" not found', kind="namespaces", name=name)
    if entry.fields["status.phase"] == "Terminating":
        resource = call.served.resource
        named = str(call.request.name or (call.request.body.get("metadata") or {}).get("name") or "")
        raise ForbiddenError(
            f'{resource.qualified} "{named}" is forbidden: unable to create new content in namespace {name} '
            "because it is being terminated",
            group=resource.group,
            kind=resource.plural,
            name=named,
            causes=[
                Cause("NamespaceTerminating", f"namespace {name} is being terminated", "metadata.namespace")
            ],
        )
