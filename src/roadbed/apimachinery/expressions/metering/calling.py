"""What one call of a function costs, from the values it was given and what it gave.

Sources: github.com/google/cel-go/interpreter/runtimecost.go and ext/{lists,sets}.go;
k8s.io/apiserver/pkg/cel/library/cost.go.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

TEXT: Final = 0.1
REGEX: Final = 0.25
CHECK: Final = 350_000  # leaves room for two in one expression
_NEW_LIST: Final = 10
_LARGEST_NAME_PATTERN: Final = 128
_PATTERN_SIZES: Final = {
    "dns1123Label": 30,
    "dns1123Subdomain": 60,
    "dns1035Label": 30,
    "qualifiedName": 60,
    "dns1123LabelPrefix": 30,
    "dns1123SubdomainPrefix": 60,
    "dns1035LabelPrefix": 30,
    "labelValue": 40,
    "uri": 1103,
    "uuid": 72,
    "byte": 84,
    "date": 72,
    "datetime": 72,
}
Cost = Callable[[Sequence[Any], Any], int]


def size(value: Any) -> int:
    """Give how many elements a value has: characters of a text, 1 for what has none."""
    if isinstance(value, str | bytes | list | tuple):
        return len(value)
    if isinstance(value, Mapping):
        return _tagged_size(value) if len(value) == 1 else len(value)
    return 1


def _tagged_size(value: Mapping[Any, Any]) -> int:
    ((tag, text),) = value.items()
    if tag == "\x01ip":
        return 4 if ipaddress.ip_address(text).version == 4 else 16
    if tag == "\x01cidr":
        return math.ceil(ipaddress.ip_network(text, strict=False).prefixlen / 8)
    return 1


def is_tagged(value: Any) -> bool:
    """Say whether a value is one of a type with methods, such as a quantity."""
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value)))[:1] == "\x01"


def _text(count: float) -> int:
    return math.ceil(count * TEXT)


def _of_first(factor: int = 1) -> Cost:
    return lambda args, _: math.ceil(size(args[0]) * factor * TEXT)


def _pattern(args: Sequence[Any], _: Any) -> int:
    return _text(1.0 + size(args[0])) * math.ceil(size(args[1]) * REGEX)


def _compared(args: Sequence[Any], _: Any) -> int:
    return 1 if is_tagged(args[0]) else _text(min(size(args[0]), size(args[1])))


def _added(args: Sequence[Any], _: Any) -> int:
    return _text(size(args[0]) + size(args[1]))


def _traversed(value: Any) -> int:
    if isinstance(value, str):
        return int(len(value.encode()) * TEXT)
    if isinstance(value, bytes):
        return int(len(value) * TEXT)
    if isinstance(value, Mapping) and not is_tagged(value):
        return sum(_traversed(key) + _traversed(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_traversed, value))
    return 1


def _new_list(factor: float, count: int) -> int:
    return int(count * factor) + 1 + _NEW_LIST


def _by_pairs(items: Sequence[Any]) -> int:
    factor = 2.0 + (TEXT if items and isinstance(items[0], str | bytes) else 0.0)
    return _new_list(factor, len(items) ** 2)


def _sets(factor: int) -> Cost:
    return lambda args, _: 1 + size(args[0]) * size(args[1]) * factor


def _in_network(args: Sequence[Any], _: Any) -> int:
    return _text(2 * size(args[0])) + (_text(size(args[1])) if isinstance(args[1], str) else 0)


def _within_network(args: Sequence[Any], found: Any) -> int:
    return _in_network(args, found) + _text(size(args[0])) + 1


def _validated(args: Sequence[Any], _: Any) -> int:
    name = str(next(iter(args[0].values()))) if is_tagged(args[0]) else ""
    largest = _PATTERN_SIZES.get(name, _LARGEST_NAME_PATTERN)
    return _text(1.0 + size(args[1])) * math.ceil(largest * REGEX)


def _selector(args: Sequence[Any], _: Any) -> int:
    length = size(args[1])
    return _NEW_LIST + _text(length) + math.ceil(math.ceil(length * 0.5) * 50.0)


def _fixed(cost: int) -> Cost:
    return lambda _args, _found: cost


BY_NAME: Final[Mapping[str, Cost]] = {
    "check": _fixed(CHECK),
    "fieldSelector": _selector,
    "labelSelector": _selector,
    **dict.fromkeys(
        ("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), lambda args, _: _traversed(args[0])
    ),
    **dict.fromkeys(
        (
            *("url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey", "cidr", "isIP"),
            *("isCIDR", "quantity", "isQuantity", "semver", "isSemver"),
        ),
        _of_first(),
    ),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _of_first(2)),
    "ip": lambda args, _: 1 if is_tagged(args[0]) else _text(size(args[0])),
    "join": lambda _, found: math.ceil(size(found) * 2 * TEXT),
    "find": _pattern,
    "findAll": _pattern,
    "containsIP": _in_network,
    "containsCIDR": _within_network,
    "__validate": _validated,
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
    "slice": lambda _, found: _new_list(1, size(found)),
    "reverse": lambda _, found: _new_list(1, size(found)),
    "lists.range": lambda _, found: _new_list(1, size(found)),
    "distinct": lambda args, _: _by_pairs(args[0]),
    "flatten": lambda args, _: _new_list(args[1] if len(args) > 1 else 1, size(args[0])),
    "_==_": _compared,
    "_!=_": _compared,
    "__same": _compared,
}
"""Functions whose cost does not hang on the types that the checker saw."""

SORTS: Final[Mapping[str, Cost]] = {
    "sort": lambda args, _: _by_pairs(args[0]),
    "__sortedBy": lambda args, _: _by_pairs(args[1]),
}
"""Counted only where the checker knows of what the list is."""

BY_OVERLOAD: Final[Mapping[str, Cost]] = {
    **dict.fromkeys(
        (
            *("starts_with_string", "ends_with_string", "string_to_bytes", "bytes_to_string"),
            *("strings_quote", "string_format"),
        ),
        _of_first(),
    ),
    "in_list": lambda args, _: size(args[1]),
    **dict.fromkeys(
        [
            f"{order}_{kind}"
            for order in ("less", "greater", "less_equals", "greater_equals")
            for kind in ("string", "bytes")
        ],
        lambda args, _: _text(min(size(args[0]), size(args[1]))),
    ),
    "add_string": _added,
    "add_bytes": _added,
    "matches_string": _pattern,
    "matches": _pattern,
    "contains_string": lambda args, _: _text(size(args[0])) * _text(size(args[1])),
}
"""Standard functions, where the checker left one overload."""


def _one(_args: Sequence[Any], _found: Any) -> int:
    return 1


def cost_of(name: str, overloads: Sequence[str], *, is_sort_typed: bool) -> Cost:
    """Give what tells the cost of calls of a function."""
    if name in BY_NAME:
        return BY_NAME[name]
    if name in SORTS:
        return SORTS[name] if is_sort_typed else _one
    return BY_OVERLOAD.get(overloads[0], _one) if len(overloads) == 1 else _one
