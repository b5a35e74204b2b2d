"""What is wrong with one field, in Kubernetes' words, and the Invalid error they add up to.

Every check of the resource model (schema, labels, names, CRDs, admission) makes its ``Cause`` here, so
that a message reads the same wherever it comes from. Values are printed as Go prints them, because
clients compare these texts.

Source: k8s.io/apimachinery/pkg/util/validation/field/errors.go and pkg/api/errors (NewInvalid).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from .errors import Cause, InvalidError
from .gvk import GVK

ROOT: Final = "<nil>"  # how Kubernetes prints the path of the whole object

_OMITTED: Final = object()
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPES |= {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def required(field: str, detail: str = "") -> Cause:
    """Say that a field must be there."""
    return Cause("FieldValueRequired", _body("Required value", _OMITTED, detail), field)


def invalid_value(field: str, value: Any, detail: str) -> Cause:
    """Say that a value is malformed; ``value`` is shown."""
    return Cause("FieldValueInvalid", _body("Invalid value", value, detail), field)


def invalid_type(field: str, value: Any, detail: str) -> Cause:
    """Say that a value has the wrong JSON type; ``value`` is what Kubernetes shows: the type found."""
    return Cause("FieldValueTypeInvalid", _body("Invalid value", value, detail), field)


def not_supported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """Say that a value is none of an enumeration; ``supported`` in the order to print."""
    listed = ", ".join(go_quote(each) for each in supported)
    detail = f"supported values: {listed}" if listed else ""
    return Cause("FieldValueNotSupported", _body("Unsupported value", value, detail), field)


def duplicate(field: str, value: Any) -> Cause:
    """Say that a value must be unique and isn't."""
    return Cause("FieldValueDuplicate", _body("Duplicate value", value, ""), field)


def forbidden(field: str, detail: str) -> Cause:
    """Say that a field may not be set (here, now, to this)."""
    return Cause("FieldValueForbidden", _body("Forbidden", _OMITTED, detail), field)


def not_found(field: str, value: Any) -> Cause:
    """Say that what the value names doesn't exist."""
    return Cause("FieldValueNotFound", _body("Not found", value, ""), field)


def too_long(field: str, most: int) -> Cause:
    """Say that a text is longer than ``most``; Kubernetes says bytes even where it counts characters."""
    unit = "byte" if most == 1 else "bytes"
    return Cause(
        "FieldValueTooLong", _body("Too long", _OMITTED, f"may not be more than {most} {unit}"), field
    )


def too_many(field: str, found: int, most: int) -> Cause:
    """Say that a list or a map has more than ``most`` members."""
    unit = "item" if most == 1 else "items"
    return Cause("FieldValueTooMany", _body("Too many", found, f"must have at most {most} {unit}"), field)


def text_of(cause: Cause) -> str:
    """Give ``field: message``, as it stands in the error's message."""
    return f"{cause.field}: {cause.message}"


def aggregate(texts: Iterable[str]) -> str:
    """Join messages as Kubernetes does: one stands alone, several in brackets, repeats once."""
    distinct = list(dict.fromkeys(texts))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def invalid(gvk: GVK, name: str, causes: Sequence[Cause]) -> InvalidError:
    """Make the 422 that names every cause: ``Kind.group "name" is invalid: …``."""
    kind = f"{gvk.kind}.{gvk.group}" if gvk.group else gvk.kind
    message = f"{kind} {go_quote(name)} is invalid"
    if causes:
        message += f": {aggregate(text_of(cause) for cause in causes)}"
    return InvalidError(message, group=gvk.group, kind=gvk.kind, name=name, causes=causes)


def go_quote(text: str) -> str:
    """Quote a text as Go's ``%q`` does."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_escape(each) for each in text) + '"'


def go_number(value: float) -> str:
    """Print a number as Go's ``%v`` does: no trailing ``.0``, an exponent from a million on."""
    if isinstance(value, int):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is itself unequal
        return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value, "NaN")
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return repr(value).removesuffix(".0")
    mantissa, exponent = _shortest(value)
    sign = "-" if exponent < 0 else "+"
    return f"{mantissa}e{sign}{abs(exponent):02d}"


def _shortest(value: float) -> tuple[str, int]:
    """Split a number into its shortest exact mantissa, with the point after the first digit, and exponent."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    mantissa = f"{'-' if sign else ''}{text[0]}{'.' if text[1:] else ''}{text[1:]}"
    return mantissa, int(exponent) + len(text) - 1


def go_type(value: Any) -> str:
    """Name the JSON type of a value as Go's decoder does."""
    for kind, name in (
        (bool, "bool"),
        (str, "string"),
        (int | float, "number"),
        (list, "array"),
        (dict, "object"),
    ):
        if isinstance(value, kind):
            return name
    return "null"


def go_json(value: Any) -> str:
    """Encode as Go's ``json.Marshal`` does: sorted keys, ``<``, ``>`` and ``&`` escaped."""
    text = orjson.dumps(_without_whole_floats(value), option=orjson.OPT_SORT_KEYS).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _body(words: str, value: Any, detail: str) -> str:
    shown = "" if value is _OMITTED else f": {_show(value)}"
    return f"{words}{shown}{f': {detail}' if detail else ''}"


def _show(value: Any) -> str:
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return go_number(value)
    return go_json(value)


def _without_whole_floats(value: Any) -> Any:
    """Turn ``1.0`` into ``1`` throughout, which is how Go encodes it."""
    if isinstance(value, dict):
        return {key: _without_whole_floats(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_whole_floats(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


def _escape(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
