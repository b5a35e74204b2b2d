"""The runtime's checked expressions as trees: read from their serialised form, ``cel.expr.CheckedExpr``.

Only what costs and equality look at is read. Pure; a reader of one message is a dozen lines, so no generated
code is kept for it.

Source: https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto (and syntax.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_PRIMITIVES: Final = ("", "bool", "int", "uint", "double", "string", "bytes")
_KNOWN: Final = ("", "any", "timestamp", "duration")
_CONSTANTS: Final = {1: "null", 2: "bool", 3: "int", 4: "uint", 5: "double", 6: "string", 7: "bytes"}
_KINDS: Final = {3: "const", 4: "ident", 5: "select", 6: "call", 7: "list", 8: "struct", 9: "loop"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: ``name`` is that of a scalar, ``list``, ``map``, ``struct``, ``dyn``, or an abstract type's."""

    name: str
    parameters: tuple[Kind, ...] = ()


DYN: Final = Kind("dyn")


@dataclass(slots=True)
class Expr:
    """One node of a tree; which members are set depends on ``kind``, as in the published message.

    ``name`` is an identifier, a selected field or a function. ``parts`` are a call's arguments, a list's
    elements, or a map's keys and values in turn, ``optional`` which elements or entries are. ``loop`` holds a comprehension's parts by their name.
    """

    id: int
    kind: str
    name: str = ""
    operand: Expr | None = None
    parts: list[Expr] = field(default_factory=list)
    optional: frozenset[int] = frozenset()
    is_test: bool = False
    constant: tuple[str, Any] = ("", None)
    loop: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked expression: its tree, types and overloads by node, and where nodes stand in the text."""

    root: Expr
    types: dict[int, Kind]
    overloads: dict[int, tuple[str, ...]]
    positions: dict[int, int]

    def type_of(self, expr: Expr) -> Kind:
        """Give the type of a node."""
        return self.types.get(expr.id, DYN)


def read(serialized: bytes) -> Checked:
    """Read what ``Expression.serialize`` gives."""
    message = _message(_one(_message(serialized), 2, b""))
    types = {}
    for entry in message.get(3, ()):
        pair = _message(entry)
        types[_one(pair, 1, 0)] = _kind(_one(pair, 2, b""))
    overloads = {}
    for entry in message.get(2, ()):
        pair = _message(entry)
        found = _message(_one(pair, 2, b"")).get(3, ())
        overloads[_one(pair, 1, 0)] = tuple(each.decode() for each in found)
    positions = {}
    for entry in _message(_one(message, 5, b"")).get(4, ()):
        pair = _message(entry)
        positions[_one(pair, 1, 0)] = _one(pair, 2, 0)
    return Checked(_expr(_one(message, 4, b"")), types, overloads, positions)


def _expr(encoded: bytes) -> Expr:
    message = _message(encoded)
    number = next((each for each in _KINDS if each in message), 3)
    body = _message(_one(message, number, b""))
    found = Expr(_one(message, 2, 0), _KINDS[number])
    match found.kind:
        case "const":
            tag = next(iter(body), 1)
            value = _one(body, tag, 0)
            found.constant = (_CONSTANTS.get(tag, "null"), value.decode() if tag == 6 else value)
        case "ident":
            found.name = _text(body, 1)
        case "select":
            found.operand, found.name = _expr(_one(body, 1, b"")), _text(body, 2)
            found.is_test = bool(_one(body, 3, 0))
        case "call":
            found.operand = _expr(body[1][0]) if 1 in body else None
            found.name, found.parts = _text(body, 2), [_expr(each) for each in body.get(3, ())]
        case "list":
            found.parts = [_expr(each) for each in body.get(1, ())]
            found.optional = frozenset(_packed(body.get(2, ())))
        case "struct":
            found.name = _text(body, 1)
            pairs = [_message(entry) for entry in body.get(2, ())]
            found.optional = frozenset(at for at, pair in enumerate(pairs) if _one(pair, 5, 0))
            for pair in pairs:
                found.parts += [_expr(pair[each][0]) for each in (3, 4) if each in pair]
        case "loop":
            names = {2: "range", 4: "init", 5: "condition", 6: "step", 7: "result"}
            found.loop = {name: _expr(_one(body, each, b"")) for each, name in names.items()}
            found.loop |= {"var": _text(body, 1), "accu": _text(body, 3), "var2": _text(body, 8)}
    return found


def _kind(encoded: bytes) -> Kind:
    message = _message(encoded)
    if 3 in message or 4 in message:
        return Kind(_PRIMITIVES[_one(message, 3, 0) or _one(message, 4, 0)])
    if 5 in message:
        return Kind(_KNOWN[_one(message, 5, 0)])
    if 6 in message:
        return Kind("list", (_kind(_one(_message(message[6][0]), 1, b"")),))
    if 7 in message:
        pair = _message(message[7][0])
        return Kind("map", (_kind(_one(pair, 1, b"")), _kind(_one(pair, 2, b""))))
    if 9 in message:
        return Kind("struct")
    if 14 in message:
        body = _message(message[14][0])
        return Kind(_text(body, 1), tuple(_kind(each) for each in body.get(2, ())))
    return Kind("null") if 2 in message else DYN


def _packed(found: Sequence[Any]) -> Iterator[int]:
    """Read a repeated number, packed or not."""
    for each in found:
        at = 0
        while isinstance(each, bytes) and at < len(each):
            value, at = _varint(each, at)
            yield value
        if isinstance(each, int):
            yield each


def _text(message: dict[int, list[Any]], number: int) -> str:
    found: bytes = _one(message, number, b"")
    return found.decode()


def _one(message: dict[int, list[Any]], number: int, absent: Any) -> Any:
    found = message.get(number)
    return found[-1] if found else absent


def _message(encoded: bytes) -> dict[int, list[Any]]:
    """Read a message's fields: numbers as they stand, everything else as bytes."""
    found: dict[int, list[Any]] = {}
    for number, value in _fields(encoded):
        found.setdefault(number, []).append(value)
    return found


def _fields(encoded: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(encoded):
        tag, at = _varint(encoded, at)
        number, form = tag >> 3, tag & 7
        if form == 0:
            value, at = _varint(encoded, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(form)
        if size is None:
            size, at = _varint(encoded, at)
        yield number, encoded[at : at + size]
        at += size


def _varint(encoded: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = encoded[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
