"""``fmt.Sprintf`` of Go, for JSON values: what Compositions' ``fmt`` strings are written in.

Called by patches (combine) and transforms (string). Formats are data that people wrote for Crossplane, so
its odd corners are kept, wrong verbs (``%!d(string=x)``) and missing operands (``%!s(MISSING)``) included.
It never raises: Go doesn't either. A Python int is Go's int64, a float is its float64; every number that a
function receives is a float64, because the protocol's Struct knows no other (``as_received``).

Source: https://pkg.go.dev/fmt
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_WHOLE_LIMIT = 1e21  # from here on Go writes an exponent
WIDTH_LIMIT = 1000  # a format is user input: no gigabyte of padding
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<index1>\[\d+\])?(?P<width>\d+|\*)?"
    r"(?:\.(?P<index2>\[\d+\])?(?P<precision>\d*|\*))?(?P<index3>\[\d+\])?(?P<verb>.)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Spec:
    verb: str
    flags: str = ""
    width: int | None = None
    precision: int | None = None

    def pad(self, text: str) -> str:
        if self.width is None or len(text) >= self.width:
            return text
        return text.ljust(self.width) if "-" in self.flags else text.rjust(self.width)

    def pad_number(self, text: str) -> str:
        if self.width is None or "0" not in self.flags or "-" in self.flags:
            return self.pad(text)
        sign = text[:1] if text[:1] in ("+", "-", " ") else ""
        return sign + text[len(sign) :].rjust(self.width - len(sign), "0")


def sprintf(template: str, *operands: Any) -> str:
    """Format ``operands`` as Go's ``fmt.Sprintf(template, operands...)`` does."""
    return _Formatter(operands).run(template)


def to_text(value: Any) -> str:
    """Give ``%v`` of a value."""
    return _format(value, _Spec("v"))


def as_received(value: Any) -> Any:
    """Give JSON with all numbers as float64, as functions get them."""
    if isinstance(value, dict):
        return {name: as_received(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_received(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_stored(value: Any) -> Any:
    """Give JSON with whole numbers as integers, as objects hold them."""
    if isinstance(value, dict):
        return {name: as_stored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_LIMIT:
        return int(value)
    return value


def type_name(value: Any) -> str:
    """Give ``%T`` of a value, as Go names what it decodes from JSON."""
    if value is None:
        return "<nil>"
    for python, go in _TYPES:
        if isinstance(value, python):
            return go
    return type(value).__name__


def float_text(value: float) -> str:
    """Give the shortest decimal notation without an exponent, as ``strconv.FormatFloat(v, 'f', -1)``."""
    if value.is_integer():
        return str(int(value))
    text = repr(value)
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent)
    return f"{value:.{max(digits, 0)}f}"


# bool before int: in Python a bool is an int.
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int64"),
    (float, "float64"),
    (str, "string"),
    (list, "[]interface {}"),
    (dict, "map[string]interface {}"),
)


class _Formatter:
    def __init__(self, operands: Sequence[Any]) -> None:
        self._operands = operands
        self._next = 0
        self._reordered = False

    def run(self, template: str) -> str:
        text = _DIRECTIVE.sub(self._directive, template)
        if self._reordered or self._next >= len(self._operands):
            return text
        extra = ", ".join(_described(operand) for operand in self._operands[self._next :])
        return f"{text}%!(EXTRA {extra})"

    def _directive(self, match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        width = self._number(match["index1"], match["width"])
        precision = self._number(match["index2"], match["precision"])
        if match["precision"] == "":
            precision = 0
        for index in (match["index1"] if match["width"] != "*" else None, match["index3"]):
            self._jump(index)
        if not 0 <= self._next < len(self._operands):
            return f"%!{verb}(BADINDEX)" if self._reordered else f"%!{verb}(MISSING)"
        operand = self._operands[self._next]
        self._next += 1
        return _format(operand, _Spec(verb, match["flags"], width, precision))

    def _number(self, index: str | None, text: str | None) -> int | None:
        if not text:
            return None
        if text != "*":
            return min(int(text), WIDTH_LIMIT)
        self._jump(index)
        operand = self._operands[self._next] if self._next < len(self._operands) else None
        self._next += 1
        is_number = isinstance(operand, int) and not isinstance(operand, bool)
        return min(abs(int(operand)), WIDTH_LIMIT) if is_number and operand is not None else None

    def _jump(self, index: str | None) -> None:
        if index:
            self._next = int(index[1:-1]) - 1
            self._reordered = True


def _format(value: Any, spec: _Spec) -> str:
    if spec.verb == "T":
        return spec.pad(type_name(value))
    if value is None:
        return spec.pad("<nil>" if spec.verb == "v" else f"%!{spec.verb}(<nil>)")
    if isinstance(value, bool):
        return spec.pad(str(value).lower()) if spec.verb in "vt" else _wrong(value, spec)
    if isinstance(value, int):
        return _integer(value, spec)
    if isinstance(value, float):
        return _float(value, spec)
    if isinstance(value, str):
        return _string(value, spec)
    if isinstance(value, list):
        return "[" + " ".join(_member(item, spec) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{_format(key, spec)}:{_member(value[key], spec)}" for key in sorted(value))
        return "map[" + " ".join(pairs) + "]"
    return _wrong(value, spec)


def _member(value: Any, spec: _Spec) -> str:
    return "<nil>" if value is None else _format(value, spec)


def _integer(value: int, spec: _Spec) -> str:
    if spec.verb in "vd":
        digits = str(abs(value))
    elif spec.verb in "xXob":
        digits = format(abs(value), spec.verb)
        if "#" in spec.flags:
            digits = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}[spec.verb] + digits
    elif spec.verb == "O":
        digits = f"0o{abs(value):o}"
    elif spec.verb in "cqU":
        return spec.pad(_rune(value, spec.verb))
    else:
        return _wrong(value, spec)
    if spec.precision is not None:
        digits = digits.rjust(spec.precision, "0")
    return spec.pad_number(_sign(value < 0, spec) + digits)


def _rune(value: int, verb: str) -> str:
    if verb == "U":
        return f"U+{value:04X}"
    character = chr(value) if 0 <= value <= 0x10FFFF else "\ufffd"
    return character if verb == "c" else f"'{character}'"


def _float(value: float, spec: _Spec) -> str:
    magnitude = abs(value)
    if spec.verb in "vgG":
        text = _shortest(magnitude) if spec.precision is None else _general(magnitude, spec.precision)
        text = text.upper() if spec.verb == "G" else text
    elif spec.verb in "fF":
        text = f"{magnitude:.{6 if spec.precision is None else spec.precision}f}"
    elif spec.verb in "eE":
        text = format(magnitude, f".{6 if spec.precision is None else spec.precision}{spec.verb}")
    else:
        return _wrong(value, spec)
    return spec.pad_number(_sign(value < 0, spec) + text)


def _general(magnitude: float, precision: int) -> str:
    return f"{magnitude:.{precision or 1}g}"


def _shortest(magnitude: float) -> str:
    # Go: the shortest digits that read back equal; an exponent below 1e-4 and from 1e6 on.
    if magnitude == 0:
        return "0"
    if 1e-4 <= magnitude < 1e6:
        return float_text(magnitude)
    mantissa, _, exponent = repr(magnitude).partition("e")
    power = int(exponent) if exponent else len(mantissa.partition(".")[0]) - 1
    digits = mantissa.replace(".", "").strip("0")
    mantissa = f"{digits[0]}.{digits[1:]}".removesuffix(".")
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _string(value: str, spec: _Spec) -> str:
    if spec.precision is not None and spec.verb in "svq":
        value = value[: spec.precision]
    if spec.verb in "sv":
        return spec.pad(value)
    if spec.verb == "q":
        if "#" in spec.flags and "`" not in value:
            return spec.pad(f"`{value}`")
        return spec.pad(json.dumps(value, ensure_ascii="+" in spec.flags))
    if spec.verb in "xX":
        text = value.encode().hex()
        return spec.pad(text.upper() if spec.verb == "X" else text)
    return _wrong(value, spec)


def _sign(is_negative: bool, spec: _Spec) -> str:
    if is_negative:
        return "-"
    if "+" in spec.flags:
        return "+"
    return " " if " " in spec.flags else ""


def _wrong(value: Any, spec: _Spec) -> str:
    return f"%!{spec.verb}({_described(value)})"


def _described(value: Any) -> str:
    return "<nil>" if value is None else f"{type_name(value)}={to_text(value)}"
