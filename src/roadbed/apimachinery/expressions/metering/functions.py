"""The functions and operators of an expression that is counted, on plain values.

What is cheap and frequent is done here; every other function is asked of the runtime, one call at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Ask = Callable[[str, Mapping[str, Any]], Any]
Function = Callable[[Sequence[Any]], Any]
_LEAST, _MOST = -(2**63), 2**63 - 1


class EvaluationError(Exception):
    """The expression has no value; the text says why, as the runtime does."""


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent."""

    value: Any = None
    is_present: bool = False

    def given(self) -> Any:
        """Give the value, None without."""
        return self.value if self.is_present else None


NONE: Final = Optional()


def constant(kind: str, value: Any) -> Any:
    """Give the value of a literal, from how a serialised tree has it."""
    if kind == "null":
        return None
    if kind == "bool":
        return bool(value)
    if kind == "int":
        return value - 2**64 if value >= 2**63 else value
    if kind == "double":
        return struct.unpack("<d", value)[0] if isinstance(value, bytes) else float(value)
    return value


def items(over: Any) -> Sequence[Any]:
    """Give what a loop runs over."""
    if isinstance(over, Mapping):
        return list(over)
    if isinstance(over, list | tuple):
        return over
    raise EvaluationError("no such overload")


def member(of: Any, name: str) -> Any:
    """Select a member."""
    if not isinstance(of, Mapping):
        raise EvaluationError("no such overload" if of is not None else f"no such key: {name}")
    if name not in of:
        raise EvaluationError(f"no such key: {name}")
    return of[name]


def has(of: Any, name: str) -> bool:
    """Say whether there is such a member."""
    if isinstance(of, Optional):
        return of.is_present and has(of.value, name)
    if not isinstance(of, Mapping):
        raise EvaluationError("no such overload")
    return name in of


def item(of: Any, at: Any) -> Any:
    """Take an item of a list or a value of a map."""
    if isinstance(of, Mapping):
        if isinstance(at, str | int | float | bool) and at in of:
            return of[at]
        raise EvaluationError(f"no such key: {at}")
    if not isinstance(of, list | tuple) or isinstance(at, bool) or not isinstance(at, int | float):
        raise EvaluationError("no such overload")
    if at != int(at) or not 0 <= at < len(of):
        raise EvaluationError(f"index out of bounds: {at}")
    return of[int(at)]


def maybe(of: Any, at: Any) -> Optional:
    """Take what may be absent."""
    if isinstance(of, Optional):
        return maybe(of.value, at) if of.is_present else NONE
    try:
        return Optional(item(of, at), True)
    except EvaluationError:
        return NONE


def non_zero(value: Any) -> Optional:
    """Give an optional value that is absent where it is empty."""
    return Optional(value, True) if value else NONE


def present(found: Sequence[Any], places: frozenset[int]) -> list[Any]:
    """Give the items of a list literal; those at these places only where they are present."""
    items = []
    for index, each in enumerate(found):
        if index not in places:
            items.append(each)
        elif optional(each).is_present:
            items.append(each.value)
    return items


def present_entries(found: Mapping[Any, Any], places: frozenset[int]) -> dict[Any, Any]:
    """Give the entries of a map literal, as ``present`` does for lists."""
    entries = {}
    for index, (key, value) in enumerate(found.items()):
        if index not in places:
            entries[key] = value
        elif optional(value).is_present:
            entries[key] = value.value
    return entries


def equal(one: Any, other: Any) -> bool:
    """Compare as CEL does: numbers by value, everything else only with its own kind."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return len(one) == len(other) and all(
            key in other and equal(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def contains(value: Any, among: Any) -> bool:
    """Say whether a value is in a list, or a key in a map."""
    if isinstance(among, Mapping):
        return isinstance(value, str | int | float) and value in among
    if isinstance(among, list | tuple):
        return any(equal(value, each) for each in among)
    raise EvaluationError("no such overload")


def is_hashable(values: Sequence[Any]) -> bool:
    """Say whether a list of constants is looked up as a set."""
    return all(isinstance(each, str | int | float | bool) for each in values)


def _same_kind(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return True
    return type(one) is type(other) and isinstance(one, str | bytes)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    return lambda one, other: compare(one, other) if _same_kind(one, other) else _ASK


def _size(args: Sequence[Any]) -> int:
    (value,) = args
    if isinstance(value, str | bytes | list | tuple | Mapping):
        return len(value)
    raise EvaluationError("no such overload")


def _not(args: Sequence[Any]) -> bool:
    if not isinstance(args[0], bool):
        raise EvaluationError("no such overload")
    return not args[0]


def _is_whole(args: Sequence[Any]) -> bool:
    return all(type(each) is int for each in args)


def _within(value: int) -> int:
    if not _LEAST <= value <= _MOST:
        raise EvaluationError("integer overflow")
    return value


def _plus(one: Any, other: Any) -> Any:
    if type(one) is int and type(other) is int:
        return _within(one + other)
    is_text = isinstance(one, str) and isinstance(other, str)
    if is_text or (isinstance(one, float) and isinstance(other, float)):
        return one + other
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return _ASK


def _minus(one: Any, other: Any) -> Any:
    return _within(one - other) if _is_whole((one, other)) else _ASK


def _multiplied(one: Any, other: Any) -> Any:
    return _within(one * other) if _is_whole((one, other)) else _ASK


def _of_texts(act: Callable[[str, str], bool]) -> Callable[[Any, Any], Any]:
    return lambda one, other: act(one, other) if isinstance(one, str) and isinstance(other, str) else _ASK


_ASK: Final = object()  # a case that is left to the runtime
_MIXED: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "_<_": _ordering(lambda one, other: one < other),
    "_<=_": _ordering(lambda one, other: one <= other),
    "_>_": _ordering(lambda one, other: one > other),
    "_>=_": _ordering(lambda one, other: one >= other),
    "_+_": _plus,
    "_-_": _minus,
    "_*_": _multiplied,
    "startsWith": _of_texts(str.startswith),
    "endsWith": _of_texts(str.endswith),
    "contains": _of_texts(lambda one, other: other in one),
}


def _value(args: Sequence[Any]) -> Any:
    if not optional(args[0]).is_present:
        raise EvaluationError("optional.none() dereference")
    return args[0].value


def optional(value: Any) -> Optional:
    """Give a value that must be an optional one."""
    if not isinstance(value, Optional):
        raise EvaluationError("no such overload")
    return value


_KNOWN: Final[Mapping[str, Function]] = {
    "_==_": lambda args: equal(*args),
    "_!=_": lambda args: not equal(*args),
    "!_": _not,
    "size": _size,
    "dyn": lambda args: args[0],
    "hasValue": lambda args: optional(args[0]).is_present,
    "value": _value,
    "first": lambda args: maybe(items(args[0]), 0),
    "last": lambda args: maybe(items(args[0]), len(args[0]) - 1),
    "optional.unwrap": lambda args: present(args[0], frozenset(range(len(args[0])))),
    "unwrapOpt": lambda args: present(args[0], frozenset(range(len(args[0])))),
    "optional.none": lambda _: NONE,
    "optional.of": lambda args: Optional(args[0], True),
    "optional.ofNonZeroValue": lambda args: non_zero(args[0]),
}
_OPERATORS: Final = {
    "_<_": "<",
    "_<=_": "<=",
    "_>_": ">",
    "_>=_": ">=",
    "_+_": "+",
    "_-_": "-",
    "_*_": "*",
    "_/_": "/",
    "_%_": "%",
}


def of(name: str, ask: Ask, *, is_method: bool) -> Function:
    """Give a function by the name that it has in a checked tree."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    mixed = _MIXED.get(name)

    def asked(args: Sequence[Any]) -> Any:
        if mixed is not None and len(args) == 2:
            found = mixed(*args)
            if found is not _ASK:
                return found
        names = [f"a{index}" for index in range(len(args))]
        return ask(_written(name, names, is_method=is_method), dict(zip(names, args, strict=True)))

    return asked


def _written(name: str, names: Sequence[str], *, is_method: bool) -> str:
    if name in _OPERATORS:
        return f"{names[0]} {_OPERATORS[name]} {names[1]}"
    if name == "-_":
        return f"-{names[0]}"
    if is_method:
        return f"{names[0]}.{name}({', '.join(names[1:])})"
    return f"{name}({', '.join(names)})"
