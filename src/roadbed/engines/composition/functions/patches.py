"""Patches of patch-and-transform: parsed once per Composition, applied on every reconcile.

``parse`` checks a patch completely, so that a wrong one is refused before anything is composed. ``apply``
copies one value (or several, combined) from a source object to a target, through the transforms. Sources
are shared with caches and never changed; what is set in the target is a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from roadbed.apimachinery import fieldpath

from . import transforms
from .goformat import as_received, as_stored, sprintf, type_name
from .inputs import Reader, invalid, required

FROM_COMPOSITE = "FromCompositeFieldPath"
PATCH_SET = "PatchSet"

# type: (source, target); the environment and the composite stand on either side
_ROUTES = {
    FROM_COMPOSITE: ("composite", "composed"),
    "CombineFromComposite": ("composite", "composed"),
    "FromEnvironmentFieldPath": ("environment", "composed"),
    "CombineFromEnvironment": ("environment", "composed"),
    "ToCompositeFieldPath": ("composed", "composite"),
    "CombineToComposite": ("composed", "composite"),
    "ToEnvironmentFieldPath": ("composed", "environment"),
    "CombineToEnvironment": ("composed", "environment"),
}
# Between composite and environment the composed side falls away; these six types have a meaning there.
_ENVIRONMENT_ROUTES = {
    FROM_COMPOSITE: ("composite", "environment"),
    "ToEnvironmentFieldPath": ("composite", "environment"),
    "CombineFromComposite": ("composite", "environment"),
    "ToCompositeFieldPath": ("environment", "composite"),
    "FromEnvironmentFieldPath": ("environment", "composite"),
    "CombineToComposite": ("environment", "composite"),
}
_MERGES: dict[str, dict[str, bool] | None] = {
    "Replace": None,
    "MergeObjects": {"keep_map_values": True},
    "MergeObject": {"keep_map_values": True},
    "MergeObjectsAppendArrays": {"keep_map_values": True, "append_slice": True},
    "ForceMergeObjects": {},
    "ForceMergeObjectsAppendArrays": {"append_slice": True},
    "AppendArray": {"append_slice": True},
}


@dataclass(frozen=True, slots=True)
class Patch:
    """One checked patch. ``sources`` are several paths when ``template`` combines them."""

    type: str
    source: str
    target: str
    sources: tuple[str, ...]
    to: str
    template: str | None
    transforms: list[dict[str, Any]]
    is_required: bool
    merge: dict[str, bool] | None


class ExpansionError(fieldpath.FieldPathError):
    """A wildcard in a target path stands for nothing."""


def parse_all(reader: Reader, sets: Mapping[str, Sequence[Patch]]) -> tuple[Patch, ...]:
    """Parse ``patches`` of a resource, patch sets put in where they are named.

    Raises:
        InputError: a patch is wrong.
    """
    found: list[Patch] = []
    for patch in reader.children("patches"):
        if patch.text("type") != PATCH_SET:
            found.append(parse(patch))
            continue
        name = patch.text("patchSetName")
        if not name:
            raise required(patch.at("patchSetName"), "patchSetName must be set for patch type PatchSet")
        if name not in sets:
            raise invalid(patch.at("patchSetName"), name, f"cannot find PatchSet by name {name}")
        found.extend(sets[name])
    return tuple(found)


def parse(reader: Reader, *, routes: Mapping[str, tuple[str, str]] = _ROUTES) -> Patch:
    """Parse one patch; ``routes`` says which types are allowed and where from and to they lead.

    Raises:
        InputError: a field is missing or wrong.
    """
    kind = reader.text("type") or FROM_COMPOSITE
    if kind not in routes:
        raise invalid(reader.at("type"), kind, "unknown patch type")
    target = reader.text("toFieldPath")
    template: str | None = None
    if kind.startswith("Combine"):
        if not reader.has("combine"):
            raise required(reader.at("combine"), f"combine must be set for patch type {kind}")
        if not target:
            raise required(reader.at("toFieldPath"), f"toFieldPath must be set for patch type {kind}")
        template, texts = _combine(reader)
    else:
        source = reader.text("fromFieldPath")
        if not source:
            raise required(reader.at("fromFieldPath"), f"fromFieldPath must be set for patch type {kind}")
        texts = [source]
        target = target or source
    is_required, merge = _policy(reader)
    return Patch(
        type=kind,
        source=routes[kind][0],
        target=routes[kind][1],
        sources=tuple(_path(reader, text) for text in texts),
        to=_path(reader, target),
        template=template,
        transforms=[_transform(transform) for transform in reader.children("transforms")],
        is_required=is_required,
        merge=merge,
    )


def parse_environment(reader: Reader) -> tuple[Patch, ...]:
    """Parse ``environment.patches``, which lead between composite and environment.

    Raises:
        InputError: a patch is wrong, or of a type that has no meaning here.
    """
    found = []
    for patch in reader.children("patches"):
        kind = patch.text("type") or FROM_COMPOSITE
        if kind not in _ENVIRONMENT_ROUTES:
            raise invalid(patch.at("type"), kind, "invalid environment patch type")
        found.append(parse(patch, routes=_ENVIRONMENT_ROUTES))
    return tuple(found)


def apply(patch: Patch, source: Any, target: Any) -> None:
    """Carry the patch's value from ``source`` into ``target``, which is changed in place.

    Raises:
        fieldpath.FieldNotFoundError: the source has no such field (yet).
        fieldpath.FieldPathError: a path meets a value of another type.
        transforms.TransformError: the value can't be transformed.
    """
    values = [fieldpath.get(source, path) for path in patch.sources]
    value = values[0]
    if patch.template is not None:
        value = sprintf(patch.template, *map(as_received, values))
    if patch.transforms:
        value = as_stored(transforms.resolve(patch.transforms, as_received(value)))
    if "[*]" not in patch.to or patch.template is not None:
        try:
            _place(patch, target, patch.to, value)
        except fieldpath.FieldPathError as error:
            raise fieldpath.FieldPathError(f"cannot patch to object: {error}") from error
        return
    expanded = fieldpath.expand_wildcards(target, patch.to)
    if not expanded:
        raise ExpansionError(f"cannot expand ToFieldPath {patch.to}")
    for path in expanded:
        _place(patch, target, path, value)


def _place(patch: Patch, target: Any, path: str, value: Any) -> None:
    if patch.merge is None:
        fieldpath.set_value(target, path, value)
        return
    found = fieldpath.find(target, path)
    if patch.merge.get("append_slice") and isinstance(value, list) and not isinstance(found, list | None):
        raise fieldpath.FieldPathError(
            f"failed to merge values: cannot append two slices with different type ([]interface {{}}, {type_name(found)})"
        )
    if found not in (None, "", [], {}) and isinstance(found, dict) != isinstance(value, dict):
        # Nothing to merge: what is there stays, unless the policy lets the patch win.
        if not patch.merge.get("keep_map_values"):
            fieldpath.set_value(target, path, value)
        return
    fieldpath.merge_value(target, path, value, **patch.merge)


def _path(reader: Reader, text: str) -> str:
    try:
        fieldpath.parse(text)
    except fieldpath.FieldPathError as error:
        raise invalid(reader.path, text, f"cannot parse path: {error}") from error
    return text


def _combine(reader: Reader) -> tuple[str, list[str]]:
    combine = reader.child("combine")
    assert combine is not None  # noqa: S101 - the caller looked
    strategy = combine.text("strategy")
    if not strategy:
        raise required(combine.at("strategy"), "a combine strategy must be provided")
    if strategy != "string":
        raise invalid(combine.at("strategy"), strategy, "unknown strategy type")
    text = combine.child("string")
    if text is None:
        raise required(combine.at("string"), "string must be set for combine strategy string")
    variables = [variable.text("fromFieldPath") for variable in combine.children("variables")]
    if not variables:
        raise required(combine.at("variables"), "at least one variable must be provided")
    for index, variable in enumerate(variables):
        if not variable:
            path = combine.at(f"variables[{index}].fromFieldPath")
            raise required(path, "fromFieldPath must be set for each combine variable")
    return text.text("fmt"), variables


def _policy(reader: Reader) -> tuple[bool, dict[str, bool] | None]:
    policy = reader.child("policy")
    if policy is None:
        return False, None
    target = policy.text("toFieldPath") or "Replace"
    if target not in _MERGES:
        raise invalid(policy.at("toFieldPath"), target, "unknown toFieldPathPolicy")
    source = policy.text("fromFieldPath") or "Optional"
    if source not in ("Optional", "Required"):
        raise invalid(policy.at("fromFieldPath"), source, "unknown fromFieldPathPolicy")
    return source == "Required", _MERGES[target]


def _transform(reader: Reader) -> dict[str, Any]:
    kind = reader.text("type")
    if kind not in _CHECKS:
        raise invalid(reader.at("type"), kind, "unknown transform type")
    settings = reader.child(kind)
    if settings is None:
        raise required(reader.at(kind), f"given transform type {kind} requires configuration")
    _CHECKS[kind](settings)
    return reader.value


def _check_math(settings: Reader) -> None:
    kind = settings.text("type")
    if not kind:
        raise required(settings.at("type"), "math transform type is required")
    field = {"Multiply": "multiply", "ClampMin": "clampMin", "ClampMax": "clampMax"}.get(kind)
    if field is None:
        raise invalid(settings.at("type"), kind, "unknown math transform type")
    if settings.integer(field) is None:
        raise required(settings.at(field), f"must specify a value if a {kind} math transform is specified")


def _check_map(settings: Reader) -> None:
    if not settings.value:
        detail = "at least one pair must be specified if a map transform is specified"
        raise required(settings.at("pairs"), detail)


def _check_match(settings: Reader) -> None:
    patterns = list(settings.children("patterns"))
    if not patterns:
        detail = "at least one pattern must be specified if a match transform is specified"
        raise required(settings.at("patterns"), detail)
    for pattern in patterns:
        kind = pattern.text("type") or "literal"
        if kind not in ("literal", "regexp"):
            raise invalid(pattern.at("type"), kind, "unknown pattern type")
        if not pattern.has(kind):
            raise required(pattern.at(kind), f"{kind} pattern type requires a {kind}")
        if kind == "regexp":
            _check_regexp(pattern, "regexp")


def _check_string(settings: Reader) -> None:
    kind = settings.text("type")
    if not kind:
        raise required(settings.at("type"), "string transform type is required")
    field = _STRING_FIELDS.get(kind)
    if field is None:
        raise invalid(settings.at("type"), kind, "unknown string transform type")
    if not settings.has(field):
        raise required(settings.at(field), f"string transform of type {kind} requires {field}")
    if kind == "Convert" and settings.text("convert") not in transforms.STRING_CONVERSIONS:
        text = settings.text("convert")
        raise invalid(settings.at("convert"), text, f"type {text} is not supported for string convert")
    nested = settings.child(field) if kind in ("Regexp", "Replace", "Join") else None
    if nested is not None and kind == "Regexp":
        if not nested.text("match"):
            raise required(nested.at("match"), "regexp transform requires a match")
        _check_regexp(nested, "match")
        nested.integer("group")
    if nested is not None and kind == "Replace" and not nested.text("search"):
        raise required(nested.at("search"), "replace transform requires a search")


_STRING_FIELDS = {
    "Format": "fmt",
    "Convert": "convert",
    "TrimPrefix": "trim",
    "TrimSuffix": "trim",
    "Regexp": "regexp",
    "Join": "join",
    "Replace": "replace",
}


def _check_convert(settings: Reader) -> None:
    form = settings.text("format") or "none"
    if form not in ("none", "quantity", "json"):
        raise invalid(settings.at("format"), form, "invalid format")
    wanted = settings.text("toType")
    if wanted not in ("string", "bool", "int", "int64", "float64", "object", "array"):
        raise invalid(settings.at("toType"), wanted, "invalid type")


def _check_regexp(reader: Reader, name: str) -> None:
    text = reader.text(name)
    try:
        transforms.compile_regexp(text)
    except re2.error as error:
        raise invalid(reader.at(name), text, f"invalid regexp: {error}") from error


_CHECKS = {
    "math": _check_math,
    "map": _check_map,
    "match": _check_match,
    "string": _check_string,
    "convert": _check_convert,
}
