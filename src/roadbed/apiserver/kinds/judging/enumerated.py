"""Values outside an enumeration, told for every built-in kind from the recorded enumerations. Pure.

``KindStrategy`` asks after the kind's own judge, on every write of a kind whose types have enumerations. Where the
judge said something of a field, or of what holds it, that stands; fields whose enumeration Kubernetes tells in other
words, or not at all, are left to the judge. The walk of a kind is compiled on first use, and kept.

Source: what kube-apiserver answers; the values are those of its OpenAPI documents (``tools/record_kinds.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from roadbed.apimachinery.causes import not_supported
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apis import kubernetes

_REF: Final = "#/components/schemas/"
# Told in words of their own: selectors, taints and tolerations, strategies, and fields that only status has.
_LEFT: Final = frozenset(
    (
        ("io.k8s.api.apps.v1.DaemonSetUpdateStrategy", "type"),
        ("io.k8s.api.apps.v1.DeploymentStrategy", "type"),
        ("io.k8s.api.apps.v1.StatefulSetSpec", "podManagementPolicy"),
        ("io.k8s.api.apps.v1.StatefulSetUpdateStrategy", "type"),
        ("io.k8s.api.core.v1.NodeSelectorRequirement", "operator"),
        ("io.k8s.api.core.v1.PodSpec", "restartPolicy"),
        ("io.k8s.api.core.v1.Toleration", "operator"),
    )
)


class _Walk:
    """What to look at in the values of one type."""

    __slots__ = ("below", "values")

    def __init__(self) -> None:
        self.values: dict[str, tuple[bool, tuple[str, ...]]] = {}  # by member: whether of items, and which
        self.below: dict[str, _Walk] = {}

    @property
    def is_idle(self) -> bool:
        return not self.values and not self.below

    def causes(self, obj: Mapping[str, Any], path: str) -> Iterator[Cause]:
        for member, (of_items, known) in self.values.items():
            found = obj.get(member)
            if not found:
                continue
            place = f"{path}.{member}" if path else member
            for at, each in _each(found, place) if of_items else ((place, found),):
                if isinstance(each, str) and each not in known:
                    yield not_supported(at, each, known)
        for member, walk in self.below.items():
            found = obj.get(member)
            if not found:
                continue
            place = f"{path}.{member}" if path else member
            for at, each in _each(found, place) if isinstance(found, list) else ((place, found),):
                if isinstance(each, dict):
                    yield from walk.causes(each, at)


def _each(values: Any, path: str) -> Iterator[tuple[str, Any]]:
    for index, value in enumerate(values if isinstance(values, list) else ()):
        yield f"{path}[{index}]", value


def judge(resource: Resource, obj: Object, told: list[Cause]) -> list[Cause]:
    """Give what is outside an enumeration in an object, but for what ``told`` speaks of already."""
    walk = _walk_of(resource)
    if walk is None:
        return []
    found = list(walk.causes(obj, ""))
    if not found or not told:
        return found
    spoken = {cause.field for cause in told}
    return [cause for cause in found if not any(each in spoken for each in _holders(cause.field))]


def _holders(field: str) -> Iterator[str]:
    while field:
        yield field
        field = field.rpartition(".")[0] if not field.endswith("]") else field.rpartition("[")[0]


@cache
def _walk_of(resource: Resource) -> _Walk | None:
    name = kubernetes.load().definition_name(resource.gvk)
    if name is None:
        return None
    walk = _Walk()
    for member, schema in (kubernetes.load().definitions[name].get("properties") or {}).items():
        if member not in ("apiVersion", "kind", "metadata", "status"):
            _note(walk, name, member, schema)
    return None if walk.is_idle else walk


@cache
def _walk(name: str) -> _Walk:
    walk = _Walk()
    for member, schema in (kubernetes.load().definitions[name].get("properties") or {}).items():
        _note(walk, name, member, schema)
    return walk


def _note(walk: _Walk, name: str, member: str, schema: Mapping[str, Any]) -> None:
    listed = kubernetes.enumerations(name)
    if (name, member) in _LEFT:
        return
    if member in listed:
        walk.values[member] = (False, tuple(listed[member]))
    elif f"{member}/items" in listed:
        walk.values[member] = (True, tuple(listed[f"{member}/items"]))
    reference = _reference(schema.get("items") or schema)
    if reference and reference != name and not reference.endswith("JSONSchemaProps"):
        below = _walk(reference)
        if not below.is_idle:
            walk.below[member] = below


def _reference(schema: Mapping[str, Any]) -> str:
    parts: list[Any] = list(schema.get("allOf") or ())
    found = schema.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else "")
    return str(found or "").removeprefix(_REF)
