"""What the Go types make of an object: empties left out, zeros put in, quantities canonical, defaults filled in.

Kubernetes decodes a built-in object into a Go struct, calls the defaulting functions of the types in it, and
encodes the struct again; clients see the result of all three. ``settle_of`` compiles that for one kind, on
first use, from the generated data: the OpenAPI schemas say what there is, the Go tags which empties are left
out. The shapes of types are shared by all kinds. ``decoding`` settles every object that comes in, after
its types were checked; what comes out of storage was settled before.

Changes objects in place. Pure otherwise; the caches only grow to the number of types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, Final

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_micro_time, format_time, parse_time
from roadbed.apis import kubernetes

from . import octets
from .defaults import RULES, Rule

Settle = Callable[[Object], None]
_REF: Final = "#/components/schemas/"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
_MICRO_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"
_META: Final = frozenset(("apiVersion", "kind", "metadata"))


class Shape:
    """How the values of one struct type are settled. Filled after it is made: types hold themselves.

    ``dropped``: members left out when empty. ``zeros``: what stands in absent members. ``below``: how
    members that hold more are settled. ``rule``: the type's own defaulting, before its members'. ``emptied``: lists and
    maps that are null when empty, since Kubernetes stores its own objects in a form that knows no empty ones. ``gated``: members
    that Kubernetes drops, because they belong to features that are off.
    """

    __slots__ = ("below", "dropped", "emptied", "gated", "rule", "zeros")

    def __init__(self) -> None:
        self.dropped: frozenset[str] = frozenset()
        self.zeros: tuple[tuple[str, Any], ...] = ()
        self.below: Mapping[str, Callable[[Any], Any]] = {}
        self.emptied: frozenset[str] = frozenset()
        self.gated: frozenset[str] = frozenset()
        self.rule: Rule | None = None

    def settle(self, value: dict[str, Any]) -> dict[str, Any]:
        """Settle one value in place, and give it."""
        dropped = self.dropped
        gated = self.gated
        gone = [
            name
            for name, each in value.items()
            if each is None or (not each and name in dropped) or (gated and name in gated)
        ]
        for name in gone:
            del value[name]
        if self.rule is not None:
            self.rule(value)
        for name, zero in self.zeros:
            if name not in value:
                value[name] = {} if isinstance(zero, Shape) else zero
        for name in self.emptied:
            if not value.get(name):
                value[name] = None
        below = self.below
        for name, each in value.items():
            settle = below.get(name)
            if settle is not None and each is not None:
                value[name] = settle(each)
        return value

    def empty(self) -> dict[str, Any]:
        """Give what a value is before anything is set or defaulted."""
        return {name: zero.empty() if isinstance(zero, Shape) else zero for name, zero in self.zeros}


@cache
def settle_of(resource: Resource) -> Settle | None:
    """Give what settles an object of a kind in place; None for a kind without generated data.

    Raises (when called):
        BadRequestError: a quantity in it can't be read.
    """
    name = kubernetes.load().definition_name(resource.gvk)
    if name is None:
        return None
    shape = _shape(name)
    below = {member: settle for member, settle in shape.below.items() if member not in _META}
    top = Shape()  # metadata was brought into form before, and is not a template's
    top.dropped, top.below, top.rule = shape.dropped - _META, below, shape.rule
    top.emptied, top.gated = shape.emptied - _META, shape.gated
    top.zeros = tuple((member, zero) for member, zero in shape.zeros if member not in _META)

    def settle(obj: Object) -> None:
        try:
            top.settle(obj)
        except ValueError as error:
            raise BadRequestError(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {error}'
            ) from error

    return settle


@cache
def empty_of(resource: Resource) -> dict[str, Any]:
    """Give the object of a kind in which nothing is set: what a new one's fields are compared with."""
    name = kubernetes.load().definition_name(resource.gvk)
    return {"metadata": {}} if name is None else {**_shape(name).empty(), "metadata": {}}


@cache
def _status_shape(resource: Resource) -> Shape | None:
    found = kubernetes.load()
    schema = (found.schema(resource.gvk) or {}).get("properties", {}).get("status", {})
    reference = _reference(schema)
    return _shape(reference) if reference and "default" in schema else None


def empty_status(resource: Resource) -> dict[str, Any] | None:
    """Give the status of a new object, which nobody has written; None for a kind that then shows none."""
    shape = _status_shape(resource)
    return None if shape is None else shape.settle({})


_SHAPES: dict[str, Shape] = {}


def _shape(definition: str) -> Shape:
    known = _SHAPES.get(definition)
    if known is not None:
        return known
    shape = _SHAPES[definition] = Shape()
    schema = kubernetes.load().definitions[definition]
    tags = _tags(definition)
    dropped, zeros, below, emptied = set(), [], {}, set()
    for name, each in (schema.get("properties") or {}).items():
        reference, has_default = _reference(each), "default" in each
        letters = tags.get(name)
        if letters is None:  # inlined from another struct, or a type without tags here
            letters = "" if name in (schema.get("required") or ()) else "o"
            letters += "p" if reference and not has_default else ""
        settle = _settling(each)
        if settle is not None:
            below[name] = settle
        is_struct = bool(reference) and settle is not None
        if "p" in letters or "z" in letters:
            continue
        if reference in _LEAVES:
            zeros.append((name, _LEAVES[reference]))  # structs in Go, which never leaves out a struct
        elif is_struct:
            if has_default:
                zeros.append((name, _shape(reference)))
        elif "o" in letters:
            if not reference:
                dropped.add(name)
        elif not reference:
            zeros.append((name, _ZEROS.get(each.get("type", ""))))
            if each.get("type") in ("array", "object") and definition.startswith("io.k8s.api."):
                emptied.add(name)
    shape.emptied, shape.gated = (
        frozenset(emptied),
        _GATED.get(definition.removeprefix("io.k8s.api."), frozenset()),
    )
    shape.dropped, shape.zeros, shape.below = frozenset(dropped), tuple(zeros), below
    shape.rule = RULES.get(definition.removeprefix("io.k8s.").removeprefix("api."))
    return shape


# Fields of features that are off by default in Kubernetes 1.35 (pkg/features/kube_features.go).
_GATED: Final[dict[str, frozenset[str]]] = {
    "core.v1.PodSpec": frozenset(("workloadRef",)),
    "core.v1.VolumeProjection": frozenset(("clusterTrustBundle",)),
    "discovery.v1.Endpoint": frozenset(("deprecatedTopology",)),
    "resource.v1.Device": frozenset(
        ("bindingConditions", "bindingFailureConditions", "bindsToNode", "consumesCounters", "taints")
    ),
    "resource.v1.DeviceClassSpec": frozenset(("extendedResourceName",)),
    "resource.v1.DeviceSubRequest": frozenset(("tolerations",)),
    "resource.v1.ExactDeviceRequest": frozenset(("tolerations",)),
}
_LEAVES: Final[dict[str, Any]] = {
    _QUANTITY: "0",
    _TIME: None,
    _MICRO_TIME: None,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": None,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": 0,
}
_ZEROS: Final[dict[str, Any]] = {"string": "", "integer": 0, "boolean": False, "number": 0}


def _is_leaf(reference: str) -> bool:
    """Say whether a referenced type is a value, not a struct: IntOrString, Time, JSON."""
    return bool(reference) and not kubernetes.load().definitions[reference].get("properties")


def _reference(schema: Mapping[str, Any]) -> str:
    parts: list[Any] = list(schema.get("allOf") or ())
    found = schema.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else "")
    return str(found or "").removeprefix(_REF)


def _tags(definition: str) -> dict[str, str]:
    path, _, kind = definition.replace("-", "_").rpartition(".")
    message = f"{path.replace('io.k8s', 'k8s.io', 1)}.{kind}"
    facts = kubernetes.load().messages.get(message, {})
    return {} if facts == "list" else {name: letters for name, letters in facts.values() if name}


def _settling(schema: Mapping[str, Any]) -> Callable[[Any], Any] | None:
    """Give how a member's value is settled; None where there is nothing to do."""
    reference = _reference(schema)
    if reference == _QUANTITY:
        return _quantity
    if reference == _TIME:
        return _time
    if reference == _MICRO_TIME:
        return _micro_time
    if schema.get("format") == "int32" or reference == _INT_OR_STRING:
        return _int32
    if schema.get("format") == "byte":
        return octets.canonical
    if reference:
        return None if _is_leaf(reference) else _shape(reference).settle
    if "items" in schema:
        return _of_list(_settling(schema["items"]))
    members = schema.get("additionalProperties")
    if isinstance(members, Mapping):
        return _of_map(_settling(members))
    return None


def _of_list(item: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if item is None:
        return None
    return lambda values: [item(each if each is not None else {}) for each in values]


def _of_map(item: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if item is None:
        return None
    return lambda values: {name: item(each) for name, each in values.items()}


_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_SIX_DIGITS: Final = re.compile(r"[^.]*\.\d{6}(Z|[+-]\d\d:\d\d)", re.ASCII)


def _time(value: Any) -> Any:
    return _in_seconds(value) if isinstance(value, str) else value


@lru_cache(maxsize=1_024)  # objects written in the same second share their times
def _in_seconds(text: str) -> str:
    """Give a time as Go tells it, in UTC and without fractions of a second."""
    try:
        return format_time(parse_time(text))
    except (ValueError, OverflowError):
        raise ValueError(f'parsing time "{text}": it is not as in "2006-01-02T15:04:05Z07:00"') from None


def _micro_time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if _SIX_DIGITS.fullmatch(value):
            return format_micro_time(parse_time(value))
    except OverflowError:
        pass  # of another time zone, before the first year
    raise ValueError(f'parsing time "{value}": it is not as in "2006-01-02T15:04:05.000000Z07:00"')


def _int32(value: Any) -> Any:
    if type(value) is int and not -(2**31) <= value < 2**31:
        raise ValueError(f"json: cannot unmarshal number {value} into a Go value of type int32")
    return value


def _quantity(value: Any) -> str:
    return str(parse_quantity(value if isinstance(value, str) else str(value)))
