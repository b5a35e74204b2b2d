"""The transforms of patch-and-transform: math, map, match, string, convert.

Called by ``patches`` with a value and the transforms of one patch, in order. Every transform is a pure
function of its settings and its input; what can be known to be wrong without an input is refused by
``validation`` before any patch runs.

Source: function-patch-and-transform, input ``pt.fn.crossplane.io/v1beta1`` (its documented behaviour).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
import re2

from roadbed.apimachinery.quantity import parse_quantity

from .goformat import as_received, as_stored, float_text, sprintf, to_text, type_name

Settings = dict[str, Any]


class TransformError(ValueError):
    """A value can't be transformed; the message says which transform and why."""


def resolve(transforms: list[Settings], value: Any) -> Any:
    """Run a value through all transforms, in order.

    Raises:
        TransformError: one can't take what the one before it gave.
    """
    for index, transform in enumerate(transforms):
        kind = transform.get("type", "")
        try:
            value = _TRANSFORMS[kind](transform[kind], value)
        except TransformError as error:
            raise TransformError(
                f"transform at index {index} returned error: {kind} transform could not resolve: {error}"
            ) from error
    return value


@lru_cache(maxsize=1024)  # expressions come from Compositions: few, and each used on every reconcile
def compile_regexp(expression: str) -> Any:
    """Compile an RE2 expression, the dialect that Go's regexp has.

    Raises:
        re2.error: it is not one.
    """
    return re2.compile(expression)


def _math(settings: Settings, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TransformError(f"input is required to be a number for math transformer, got {type_name(value)}")
    kind = settings["type"]
    if kind == "Multiply":
        return value * settings["multiply"]
    whole = int(value)
    if kind == "ClampMin":
        return settings["clampMin"] if whole < settings["clampMin"] else value
    return settings["clampMax"] if whole > settings["clampMax"] else value


def _map(pairs: Settings, value: Any) -> Any:
    if not isinstance(value, str):
        raise TransformError(f"type {type_name(value)} is not supported for map transform")
    if value not in pairs:
        raise TransformError(f"key {value} is not found in map")
    return as_received(pairs[value])


def _match(settings: Settings, value: Any) -> Any:
    for index, pattern in enumerate(settings.get("patterns") or ()):
        if not isinstance(value, str):
            found = "null" if value is None else type_name(value)
            raise TransformError(f"cannot match pattern at index {index}: unsupported input type '{found}'")
        if _matches(pattern, value):
            return as_received(pattern.get("result"))
    if settings.get("fallbackTo") == "Input":
        if settings.get("fallbackValue") is not None:
            raise TransformError("cannot set both a fallback value and the fallback to input flag")
        return value
    return as_received(settings.get("fallbackValue"))


def _matches(pattern: Settings, value: str) -> bool:
    if pattern.get("type", "literal") == "literal":
        return bool(value == pattern["literal"])
    return compile_regexp(pattern["regexp"]).search(value) is not None


def _string(settings: Settings, value: Any) -> str:
    kind = settings["type"]
    if kind == "Format":
        return sprintf(settings["fmt"], value)
    if kind == "Convert":
        return _CONVERSIONS[settings["convert"]](value)
    text = to_text(value)
    if kind == "TrimPrefix":
        return text.removeprefix(settings["trim"])
    if kind == "TrimSuffix":
        return text.removesuffix(settings["trim"])
    if kind == "Regexp":
        return _group(settings["regexp"], text)
    if kind == "Join":
        if not isinstance(value, list):
            raise TransformError("could not parse input array")
        return str(settings["join"].get("separator", "")).join(to_text(item) for item in value)
    replace = settings["replace"]
    return text.replace(replace["search"], replace.get("replace", ""))


def _group(settings: Settings, text: str) -> str:
    number = int(settings.get("group") or 0)
    match = compile_regexp(settings["match"]).search(text)
    if match is None or number > match.re.groups:
        raise TransformError(f'regexp "{settings["match"]}" had no matches for group {number}')
    return match.group(number) or ""


def _json(value: Any) -> bytes:
    return orjson.dumps(as_stored(value), option=orjson.OPT_SORT_KEYS)


def _hashed(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else _json(value)


def _from_base64(value: Any) -> str:
    try:
        return base64.b64decode(to_text(value), validate=True).decode("utf-8", errors="replace")
    except binascii.Error as error:
        raise TransformError("string is not valid base64") from error


_CONVERSIONS: dict[str, Callable[[Any], str]] = {
    "ToUpper": lambda value: to_text(value).upper(),
    "ToLower": lambda value: to_text(value).lower(),
    "ToJson": lambda value: _json(value).decode(),
    "ToBase64": lambda value: base64.b64encode(to_text(value).encode()).decode(),
    "FromBase64": _from_base64,
    # The user names the digest; it labels things, it protects nothing.
    "ToSha1": lambda value: hashlib.sha1(_hashed(value)).hexdigest(),  # noqa: S324
    "ToSha256": lambda value: hashlib.sha256(_hashed(value)).hexdigest(),
    "ToSha512": lambda value: hashlib.sha512(_hashed(value)).hexdigest(),
    "ToAdler32": lambda value: str(zlib.adler32(_hashed(value))),
}

STRING_CONVERSIONS = frozenset(_CONVERSIONS)


def _convert(settings: Settings, value: Any) -> Any:
    wanted = settings["toType"]
    wanted = "int64" if wanted == "int" else wanted
    given = type_name(value)
    if given not in ("string", "bool", "int64", "float64"):
        raise TransformError(f"invalid input type {given}")
    form = settings.get("format") or "none"
    if given == wanted:
        return value
    conversion = _CONVERTERS.get((given, wanted, form))
    if conversion is None:
        raise TransformError(f"conversion from {given} to {wanted} is not supported with format {form}")
    try:
        return conversion(value)
    except ValueError as error:
        raise TransformError(f'cannot convert "{value}" to {wanted}: {error}') from error


def _boolean(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError("invalid syntax")


def _integer(text: str) -> int:
    if not text.lstrip("+-").isdecimal() or not text.isascii():
        raise ValueError("invalid syntax")
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("value out of range")
    return number


def _decoded(kind: type) -> Callable[[str], Any]:
    def decode(text: str) -> Any:
        value = as_received(orjson.loads(text))
        if not isinstance(value, kind):
            raise ValueError(f"JSON value is {type_name(value)}")  # noqa: TRY004 - the text is wrong
        return value

    return decode


_CONVERTERS: dict[tuple[str, str, str], Callable[[Any], Any]] = {
    ("string", "int64", "none"): _integer,
    ("string", "bool", "none"): _boolean,
    ("string", "float64", "none"): float,
    ("string", "float64", "quantity"): lambda value: float(parse_quantity(value)),
    ("string", "object", "json"): _decoded(dict),
    ("string", "array", "json"): _decoded(list),
    ("int64", "string", "none"): str,
    ("int64", "bool", "none"): lambda value: value == 1,
    ("int64", "float64", "none"): float,
    ("bool", "string", "none"): lambda value: "true" if value else "false",
    ("bool", "int64", "none"): int,
    ("bool", "float64", "none"): float,
    ("float64", "string", "none"): float_text,
    ("float64", "int64", "none"): int,
    ("float64", "bool", "none"): lambda value: value == 1.0,
}

_TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "math": _math,
    "map": _map,
    "match": _match,
    "string": _string,
    "convert": _convert,
}
