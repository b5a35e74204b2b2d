"""From a request body to an object of the served kind: identity checked, pruned, defaulted, judged.

Used by create, update, patch and apply. Bodies are copied here, so callers' objects stay as they were.
"""

from __future__ import annotations

from typing import Any

import orjson

from roadbed.apimachinery.causes import ROOT, invalid, invalid_value, text_of
from roadbed.apimachinery.cel import CelRules
from roadbed.apimachinery.errors import BadRequestError, Cause
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.names import validate_metadata
from roadbed.apimachinery.request import Object

from .context import Call, Core

# Groups of servers of their own in Kubernetes: they judge finalizers as those of custom resources.
_LENIENT = ("apiextensions.k8s.io", "apiregistration.k8s.io")
_STRICTNESS = ("Ignore", "Warn", "Strict")
MAX_DEPTH = 128  # nested deeper than any schema; keeps recursion over objects safe


def decode(call: Call, body: Any) -> Object:
    """Give an object of the call's kind from a body: pruned and defaulted, system metadata untouched.

    Raises:
        BadRequestError: not an object, another kind, or unknown fields under ``fieldValidation=Strict``.
    """
    obj = copied(body)
    if not isinstance(obj, dict):
        raise BadRequestError(
            f"the object provided is unrecognized (must be of type {_kind(call)}): couldn't get version/kind; it is "
            f"{'nothing' if obj is None else f'of type {type(obj).__name__}'}"
        )
    check_kind(call, obj)
    check_types(call, obj)
    tidy(call, obj)
    return obj


def copied(body: Any) -> Any:
    """Give a deep copy of JSON, refusing what JSON can't say.

    Raises:
        BadRequestError: the body holds something that is not JSON, or is nested too deep.
    """
    try:
        return orjson.loads(orjson.dumps(body))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error


def check_kind(call: Call, obj: Object) -> None:
    """Fill in an absent kind of a built-in object; refuse another kind than the served one."""
    resource = call.served.resource
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if api_version == resource.api_version and kind == resource.kind:
        return
    if not call.served.is_custom and kind in (None, "", resource.kind) and not api_version:
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        return
    if not call.served.is_custom and not kind and api_version == resource.api_version:
        obj["kind"] = resource.kind
        return
    if kind and api_version == resource.api_version and call.served.is_custom and isinstance(kind, str):
        gvk = GVK(resource.group, resource.version, kind)
        meta = obj.get("metadata")
        name = str(meta.get("name", "")) if isinstance(meta, dict) else ""
        raise invalid(gvk, name, [invalid_value("kind", kind, f"must be {resource.kind}")])
    if not kind:
        raise BadRequestError(f"Object 'Kind' is missing in a body for {resource.qualified}; set kind")
    if not api_version:
        raise BadRequestError(f"Object 'apiVersion' is missing in a {kind}; set {resource.api_version}")
    if api_version != resource.api_version:
        raise BadRequestError(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    raise BadRequestError(
        f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: the kind in the data '
        f"({kind}) does not match the expected kind ({resource.kind})"
    )


_MAPS = ("labels", "annotations")
_LISTS = ("ownerReferences", "finalizers", "managedFields")
_TEXTS = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
)


def check_types(call: Call, obj: Object) -> None:
    """Hold metadata to its JSON types and drop its nulls.

    Raises:
        BadRequestError: a member of metadata has another type.
    """
    meta = obj.get("metadata")
    if meta is None:
        obj["metadata"] = {}
        return
    if not isinstance(meta, dict):
        raise _mistyped(call, "metadata", "object")
    for name in [name for name, value in meta.items() if value is None]:
        del meta[name]
    for name in _TEXTS:
        if name in meta and not isinstance(meta[name], str):
            raise _mistyped(call, f"metadata.{name}", "string")
    for name in _MAPS:
        found = meta.get(name)
        if found is None:
            continue
        if not isinstance(found, dict):
            raise _mistyped(call, f"metadata.{name}", "map of strings")
        for key, value in found.items():
            if value is None:
                found[key] = ""
            elif not isinstance(value, str):
                raise _mistyped(call, f"metadata.{name}[{key}]", "string")
    for name in _LISTS:
        member = str if name == "finalizers" else dict
        found = meta.get(name)
        if found is not None and not (isinstance(found, list) and all(isinstance(e, member) for e in found)):
            raise _mistyped(
                call, f"metadata.{name}", "list of strings" if member is str else "list of objects"
            )
    if "generation" in meta and not isinstance(meta["generation"], int):
        raise _mistyped(call, "metadata.generation", "integer")


def tidy(call: Call, obj: Object) -> None:
    """Drop unknown fields (and say so, or refuse, as ``fieldValidation`` asks) and fill in defaults."""
    served = call.served
    if served.schema is None:
        return
    if not served.is_custom:
        for name in [name for name, value in obj.items() if value is None]:
            del obj[name]  # a typed decoder reads null as absent
    strictness = call.request.options.get("fieldValidation") or "Warn"
    if strictness not in _STRICTNESS:
        supported = '"Ignore", "Strict", "Warn"'
        raise BadRequestError(f'invalid fieldValidation "{strictness}": supported values: {supported}')
    # In a typed object an empty list is told from none, and asks for all owners to be forgotten.
    disowns = not served.is_custom and obj["metadata"].get("managedFields") == []
    try:
        dropped = served.schema.prune(obj, is_sorted=served.is_custom)
    except BadRequestError as error:
        kind, version = served.resource.kind, served.resource.version
        text = f'{kind} in version "{version}" cannot be handled as a {kind}: {error.message}'
        raise BadRequestError(text, causes=error.causes) from error
    if disowns:
        obj["metadata"]["managedFields"] = []
    if dropped and strictness != "Ignore":
        texts = [f'unknown field "{path}"' for path in dropped]
        if strictness == "Strict":
            raise BadRequestError(
                f'{served.resource.kind} in version "{served.resource.version}" cannot be handled as a '
                f"{served.resource.kind}: strict decoding error: {', '.join(texts)}"
            )
        call.warnings.extend(texts)
    served.schema.default(obj)
    if not served.is_custom:
        # A typed decoder refuses wrong types before anything else looks at the object.
        _refuse_mistyped(call, _discreet(call, served.schema.validate(obj)))
        if served.settle is not None:
            served.settle(obj)


async def validate(core: Core, call: Call, obj: Object, old: Object | None) -> None:
    """Hold an object to metadata rules, schema, CEL rules and its kind's own rules; its warnings are told.

    Raises:
        InvalidError: naming every field at fault.
        BadRequestError: a built-in object does not have its kind's JSON types.
    """
    served = call.served
    causes = _metadata_causes(call, obj, old)
    if served.schema is not None and not served.strategy.judges_all:
        only = "status" if served.is_custom and call.request.subresource == "status" else ""
        found = served.schema.validate(obj, old=old, part=only)
        if not served.is_custom:
            # Types were judged before; Go types have nulls where schemas don't, and no items that must be unique.
            found = [
                each for each in found if each.reason not in ("FieldValueTypeInvalid", "FieldValueDuplicate")
            ]
        causes.extend(_discreet(call, found))
    if served.rules is not None:
        causes.extend(await _ruled(core, call, (obj, old), causes))
    causes.extend(served.strategy.validate(obj, old))
    if causes:
        name = obj["metadata"].get("name") or obj["metadata"].get("generateName") or ""
        raise invalid(served.resource.gvk, name, causes)
    warn(call, obj, old)


def warn(call: Call, obj: Object, old: Object | None) -> None:
    """Tell the writer of a valid object what its kind warns of; a write of a part of it is not looked at."""
    if not call.request.subresource:
        told = call.warnings  # each once, also where a taken generated name was tried again
        told.extend(each for each in call.served.strategy.warnings(obj, old) if each not in told)


# What keeps rules from being asked: they are compiled for objects that have the right fields, of the right types.
_BLOCKING = frozenset(
    (
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    )
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to "
    "complete validation"
)


async def _ruled(
    core: Core, call: Call, change: tuple[Object, Object | None], found: list[Cause]
) -> list[Cause]:
    """Judge an object by its schema's rules; where it does not fit the schema, say that they were not asked."""
    rules: CelRules | None = call.served.rules
    assert rules is not None  # noqa: S101 - who calls looked
    if any(cause.reason in _BLOCKING for cause in found):
        return [invalid_value(ROOT, None, _UNCHECKED)]
    excused: list[Cause] = []
    causes = await core.beside.run(lambda turn: rules.validate(*change, excused, turn))
    call.warnings.extend(text_of(each) for each in excused)
    return causes


def _metadata_causes(call: Call, obj: Object, old: Object | None) -> list[Cause]:
    meta = obj["metadata"]
    if old is not None and _judged(meta) == _judged(old["metadata"]):
        return []
    return validate_metadata(
        meta,
        namespaced=call.served.resource.namespaced,
        rule=call.served.strategy.name_rule,
        is_built_in=not call.served.is_custom and call.served.resource.group not in _LENIENT,
    )


def _judged(meta: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(meta.get(name) for name in ("labels", "annotations", "ownerReferences", "finalizers"))


def _discreet(call: Call, causes: list[Cause]) -> list[Cause]:
    """Leave values out of what is said about kinds that are secret."""
    if not call.served.is_sealed:
        return causes
    return [
        Cause(cause.reason, f"{cause.message.partition(':')[0]}: the value is not shown", cause.field)
        for cause in causes
    ]


def _refuse_mistyped(call: Call, causes: list[Cause]) -> None:
    wrong = [cause for cause in causes if cause.reason == "FieldValueTypeInvalid"]
    if wrong:
        resource = call.served.resource
        raise BadRequestError(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            + "; ".join(f"{cause.field}: {cause.message}" for cause in wrong)
        )


def _mistyped(call: Call, field: str, wanted: str) -> BadRequestError:
    resource = call.served.resource
    return BadRequestError(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        f"{field} must be a {wanted}",
        causes=[Cause("FieldValueTypeInvalid", f"must be a {wanted}", field)],
    )


def _kind(call: Call) -> str:
    return call.served.resource.kind
