"""Answers as ``application/vnd.kubernetes.protobuf``: JSON bytes in, the message that Go would have sent out.

For clients that take nothing else; who takes JSON too gets JSON (see ``negotiation``). ``answering`` and ``streaming``
call it. How a message is filled is compiled once for each; the way back from ``protobuf``, whose tables it uses.
Zero values that Go writes out are left out, which reads the same. Custom resources have no messages, but their
metadata and every Status have.

Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf and the Go types' own JSON methods.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import orjson

from roadbed.apimachinery.errors import BadRequestError, NotAcceptableError
from roadbed.apimachinery.gvk import GVK

from . import protobuf
from .messages import message_class

_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1"
_APIEXTENSIONS: Final = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions"
_META_KINDS: Final = frozenset(
    (
        *("Status", "APIGroup", "APIGroupList", "APIResourceList", "APIVersions"),
        *("PartialObjectMetadata", "PartialObjectMetadataList"),
    )
)
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|us|µs|ns|m|s)")
_UNITS: Final = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "µs": 10**3,
    "ns": 1,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Fill = Callable[[Any, Any], None]
"""Writes a JSON value into a message."""


def encode(body: bytes) -> bytes:
    """Give an encoded object, with its kind in it, as a request or answer carries it.

    Raises:
        NotAcceptableError: its kind has no message, or a value in it does not fit into its message.
    """
    obj = orjson.loads(body)
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    try:
        name = (
            f"{_META}.{kind}" if kind in _META_KINDS else protobuf.message_name(GVK.parse(api_version, kind))
        )
        message = message_class(name)()
    except BadRequestError as error:
        raise NotAcceptableError(f"kind {kind!r} has no protobuf form; accept application/json") from error
    try:
        _plan(name).fill(message, obj)
    except (ValueError, TypeError) as error:
        raise NotAcceptableError(
            f"this {kind} has no protobuf form ({error}); accept application/json"
        ) from error
    unknown: Any = message_class("k8s.io.apimachinery.pkg.runtime.Unknown")()
    unknown.typeMeta.apiVersion, unknown.typeMeta.kind = api_version, kind
    unknown.raw = message.SerializeToString()
    return protobuf.MAGIC + bytes(unknown.SerializeToString())


def event(type_: str, body: bytes) -> bytes:
    """Give one watch event as a frame: its length in four bytes, then the event."""
    message: Any = message_class(f"{_META}.WatchEvent")()
    message.type = type_
    message.object.raw = encode(body)
    content = bytes(message.SerializeToString())
    return len(content).to_bytes(4, "big") + content


class _Plan:
    """How one message is filled from JSON: its fields by JSON name, compiled on first use (messages may recurse)."""

    def __init__(self, descriptor: Any) -> None:
        self._fields: dict[str, Fill] = {}
        self._inlined: list[tuple[str, str]] = []
        self._items: Fill | None = None
        for field, json_name, letters in protobuf.facts_of(descriptor):
            if protobuf.is_list(descriptor):
                self._items = _setter(field)
            elif "i" in letters:
                self._inlined.append((field.name, field.message_type.full_name))
            else:
                self._fields[json_name] = _setter(field)

    def fill(self, message: Any, value: Any) -> None:
        """Write what the message has a field for."""
        if self._items is not None:
            self._items(message, value)
            return
        for field, name in self._inlined:
            _plan(name).fill(getattr(message, field), value)
        for json_name, member in value.items():
            setter = self._fields.get(json_name)
            if setter is not None and member is not None:
                setter(message, member)


@cache
def _plan(name: str) -> _Plan:
    return _Plan(message_class(name).DESCRIPTOR)


def _setter(field: Any) -> Fill:
    name = field.name
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return _map_setter(name, inner.fields_by_name["value"])
    if inner is None:
        scalar = _scalar(field)
        if field.is_repeated:
            return lambda message, value: getattr(message, name).extend(scalar(each) for each in value)
        return lambda message, value: setattr(message, name, scalar(value))
    fill = _filler(inner.full_name)
    if field.is_repeated:

        def add(message: Any, value: Any) -> None:
            target = getattr(message, name)
            for each in value:
                made = target.add()
                if each is not None:
                    fill(made, each)

        return add

    def put(message: Any, value: Any) -> None:
        target = getattr(message, name)
        target.SetInParent()
        fill(target, value)

    return put


def _map_setter(name: str, of: Any) -> Fill:
    if of.message_type is None:
        scalar = _scalar(of)
        return lambda message, value: getattr(message, name).update(
            {key: scalar(each) for key, each in value.items() if each is not None}
        )
    fill = _filler(of.message_type.full_name)

    def put(message: Any, value: Mapping[str, Any]) -> None:
        target = getattr(message, name)
        for key, each in value.items():
            made = target[key]
            if each is not None:
                fill(made, each)

    return put


def _filler(name: str) -> Fill:
    special = _SPECIAL.get(name)
    return special or (lambda message, value: _plan(name).fill(message, value))


def _scalar(field: Any) -> Callable[[Any], Any]:
    from google.protobuf.descriptor import FieldDescriptor

    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64decode
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return float
    if field.type == FieldDescriptor.TYPE_STRING:
        return str
    return bool if field.type == FieldDescriptor.TYPE_BOOL else int


def _time(message: Any, value: str) -> None:
    since = datetime.fromisoformat(value) - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1_000


def _duration(message: Any, value: str) -> None:
    total = sum(round(float(number) * _UNITS[unit]) for number, unit in _DURATION.findall(value))
    message.duration = -total if value.startswith("-") else total


def _int_or_string(message: Any, value: int | str) -> None:
    if isinstance(value, str):
        message.type, message.strVal = 1, value
    else:
        message.type, message.intVal = 0, int(value)


def _quantity(message: Any, value: Any) -> None:
    message.string = str(value)


def _raw(message: Any, value: Any) -> None:
    name = "raw" if "raw" in message.DESCRIPTOR.fields_by_name else "Raw"
    setattr(message, name, orjson.dumps(value))


def _props_or_array(message: Any, value: Any) -> None:
    if isinstance(value, list):
        for each in value:
            _schema(message.jSONSchemas.add(), each)
    else:
        _schema(message.schema, value)


def _props_or_bool(message: Any, value: Any) -> None:
    message.allows = bool(value) or isinstance(value, dict)
    if isinstance(value, dict):
        _schema(message.schema, value)


def _props_or_strings(message: Any, value: Any) -> None:
    if isinstance(value, list):
        message.property.extend(value)
    else:
        _schema(message.schema, value)


def _schema(message: Any, value: Any) -> None:
    message.SetInParent()
    _plan(message.DESCRIPTOR.full_name).fill(message, value)


_SPECIAL: Final[dict[str, Fill]] = {
    f"{_META}.Time": _time,
    f"{_META}.MicroTime": _time,
    f"{_META}.Duration": _duration,
    f"{_META}.FieldsV1": _raw,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    **{
        f"{_APIEXTENSIONS}.{version}.{name}": fill
        for version in ("v1", "v1beta1")
        for name, fill in (
            ("JSON", _raw),
            ("JSONSchemaPropsOrArray", _props_or_array),
            ("JSONSchemaPropsOrBool", _props_or_bool),
            ("JSONSchemaPropsOrStringArray", _props_or_strings),
        )
    },
}
