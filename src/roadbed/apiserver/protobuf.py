"""Reading ``application/vnd.kubernetes.protobuf`` request bodies into plain objects.

kubectl and the typed Go clients send built-in kinds this way; ``asgi`` calls ``decode`` for bodies of that
media type and goes on as if JSON had come. ``protobufwrite`` is the way back, for the few who take no JSON. The
messages are those of Kubernetes' own descriptors (``roadbed.apis.kubernetes``), loaded at the first such body;
how each looks in JSON is compiled once a message. Pure otherwise: no state, nothing waits.

Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf and the Go types' own JSON methods.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.request import Object
from roadbed.apis.kubernetes import load

from .messages import message_class

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

MAGIC = b"k8s\x00"
_META = "k8s.io.apimachinery.pkg.apis.meta.v1"
_APIEXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions"
_UNKNOWN = "k8s.io.apimachinery.pkg.runtime.Unknown"
# Options travel under the group version of what they are sent to, but are always of meta/v1.
_META_KINDS = frozenset(
    ("DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "ListOptions", "GetOptions")
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ABSENT: Any = object()
Convert = Callable[[Any], Any]


def decode(body: bytes) -> Object:
    """Give the object in a body: what a JSON client would have sent.

    Raises:
        BadRequestError: the body is damaged, or of a kind that is not built in.
    """
    from google.protobuf.message import DecodeError  # on first use, see messages

    if not body.startswith(MAGIC):
        raise BadRequestError("cannot read the body as protobuf: it does not start with the prefix k8s\\x00")
    try:
        return _decode(body[len(MAGIC) :])
    except DecodeError as error:
        raise BadRequestError("cannot read the body as protobuf: it is damaged; send JSON instead") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise BadRequestError(
            f"cannot read the body as protobuf: {_reason(error)}; send JSON instead"
        ) from error


def _decode(body: bytes) -> Object:
    unknown: Any = message_class(_UNKNOWN).FromString(body)
    if unknown.contentEncoding or unknown.contentType not in ("", MEDIA_TYPE):
        raise ValueError("its content type or encoding is not the plain one")
    api_version, kind = _text(unknown.typeMeta.apiVersion), _text(unknown.typeMeta.kind)
    name = message_name(GVK.parse(api_version, kind))
    obj = _plan(name).to_json(message_class(name).FromString(unknown.raw))
    return {"apiVersion": api_version, "kind": kind, **obj}


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error) or "it is damaged"


def message_name(gvk: GVK) -> str:
    """Give the full name of a kind's message.

    Raises:
        BadRequestError: only built-in kinds have one.
    """
    if gvk.kind in _META_KINDS:
        return f"{_META}.{gvk.kind}"
    definition = load().definition_name(gvk)
    if definition is None:
        raise BadRequestError(
            f"no kind {gvk.kind!r} in {gvk.api_version!r} can be sent as protobuf; only built-in kinds can, send JSON"
        )
    path, _, kind = definition.replace("-", "_").rpartition(".")
    return f"{path.replace('io.k8s', 'k8s.io', 1)}.{kind}"


class _Plan:
    """How one message becomes JSON: its fields by number, compiled on first use (messages may recurse)."""

    def __init__(self, descriptor: Any) -> None:
        self._is_list = is_list(descriptor)
        self._fields: dict[int, tuple[str, str, Convert]] = {
            field.number: (json_name, letters, _converter(field))
            for field, json_name, letters in facts_of(descriptor)
        }

    def to_json(self, message: Any) -> Any:
        """Give the JSON value; members that Go would leave out are left out."""
        found: dict[str, Any] = {}
        for field, value in message.ListFields():
            name, letters, convert = self._fields[field.number]
            converted = convert(value)
            if converted is _ABSENT:
                continue
            if "i" in letters:
                found.update(converted)
            elif "p" in letters or "o" not in letters or converted or isinstance(converted, dict):
                found[name] = converted
        return found.get("items", []) if self._is_list else found


def is_list(descriptor: Any) -> bool:
    """Say whether a message is a bare list in JSON."""
    return load().messages.get(descriptor.full_name) == "list"


def facts_of(descriptor: Any) -> Iterator[tuple[Any, str, str]]:
    """Give each field of a message with its JSON name, and letters: ``i`` inline, ``o`` omit empty, ``p`` pointer."""
    found = load().messages.get(descriptor.full_name, {})
    known = {} if found == "list" else found
    for field in descriptor.fields:
        # Two types are aliases, or tagged without a name, and so unknown; what they mean is the rule anyhow.
        inlined = ["", "i"] if field.name == "ephemeralContainerCommon" else [field.name, "o"]
        json_name, letters = known.get(field.name, inlined)
        yield field, json_name, letters


@cache
def _plan(name: str) -> _Plan:
    return _Plan(message_class(name).DESCRIPTOR)


def _converter(field: Any) -> Convert:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        each = _single(field.message_type.fields_by_name["value"])
        return lambda values: {_text(key): _null(each(values[key])) for key in values}
    each = _single(field)
    if field.is_repeated:
        return lambda values: [_null(each(value)) for value in values]
    return each


def _null(value: Any) -> Any:
    """A value that Go prints as null has to stand in a list or map; elsewhere it is left out."""
    return None if value is _ABSENT else value


def _single(field: Any) -> Convert:
    from google.protobuf.descriptor import FieldDescriptor

    if field.message_type is not None:
        name: str = field.message_type.full_name
        special = _SPECIAL.get(name)
        return special or (lambda value: _plan(name).to_json(value))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode("ascii")
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return _number
    return _text if field.type == FieldDescriptor.TYPE_STRING else _same


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    """Check that a text is one: the library hands over what is not UTF-8 as bytes."""
    if not isinstance(value, str):
        raise ValueError("a text in it is not UTF-8")  # noqa: TRY004 - the sender's mistake, not ours
    return value


def _number(value: float) -> float | int:
    """Print a whole number without a fraction, as Go does; NaN and infinities have no JSON."""
    if value in (float("inf"), float("-inf")) or value != value:  # noqa: PLR0124 - NaN is itself unequal
        raise ValueError("a number in it is not finite")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _time(value: Any) -> Any:
    return _moment(value, "seconds")


def _micro_time(value: Any) -> Any:
    return _moment(value, "microseconds")


def _moment(value: Any, precision: str) -> Any:
    if not value.HasField("seconds") and not value.HasField("nanos"):
        return _ABSENT  # Go's zero time
    if not 0 <= value.nanos < 1_000_000_000:
        raise ValueError("a time in it has nanoseconds out of range")
    moment = _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _duration(value: Any) -> str:
    """Print nanoseconds as Go's Duration does (``1h0m30s``, ``1.5s``, ``20ms``)."""
    total = value.duration
    sign, rest = ("-", -total) if total < 0 else ("", total)
    if rest < 1_000_000_000:
        units = ((1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
        size, unit = next(((size, unit) for size, unit in units if rest >= size), (1, "s"))
        return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, seconds = divmod(rest, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, 1_000_000_000)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else sign + text


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    if not rest:
        return str(whole)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}"


def _int_or_string(value: Any) -> int | str:
    if value.type not in (0, 1):
        raise ValueError("an int-or-string in it is neither")
    return _text(value.strVal) if value.type == 1 else int(value.intVal)


def _quantity(value: Any) -> str:
    return _text(value.string) or "0"


def _raw(value: Any) -> Any:
    """Read embedded JSON; the field is called ``raw`` in some messages and ``Raw`` in others."""
    content = value.raw if "raw" in value.DESCRIPTOR.fields_by_name else value.Raw
    if not content:
        return _ABSENT
    if content.startswith(MAGIC):
        return decode(content)
    return orjson.loads(content)


def _props_or_array(value: Any) -> Any:
    if value.jSONSchemas:
        return [_schema(item) for item in value.jSONSchemas]
    return _schema(value.schema) if value.HasField("schema") else _ABSENT


def _props_or_bool(value: Any) -> Any:
    return _schema(value.schema) if value.HasField("schema") else bool(value.allows)


def _props_or_strings(value: Any) -> Any:
    if value.property:
        return [_text(item) for item in value.property]
    return _schema(value.schema) if value.HasField("schema") else _ABSENT


def _schema(value: Any) -> Any:
    return _plan(value.DESCRIPTOR.full_name).to_json(value)


_SPECIAL: dict[str, Convert] = {
    f"{_META}.Time": _time,
    f"{_META}.MicroTime": _micro_time,
    f"{_META}.Duration": _duration,
    f"{_META}.FieldsV1": _raw,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    **{
        f"{_APIEXTENSIONS}.{version}.{name}": convert
        for version in ("v1", "v1beta1")
        for name, convert in (
            ("JSON", _raw),
            ("JSONSchemaPropsOrArray", _props_or_array),
            ("JSONSchemaPropsOrBool", _props_or_bool),
            ("JSONSchemaPropsOrStringArray", _props_or_strings),
        )
    },
}
