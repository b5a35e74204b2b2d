"""What one call of a function costs at most, from the sizes of what it is called with.

Sources: github.com/google/cel-go/checker/cost.go; k8s.io/apiserver/pkg/cel/library/cost.go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from .ast import Kind

MOST: Final = 2**64 - 1
TEXT: Final = 0.1  # for each byte of a text that is looked at
REGEX: Final = 0.25  # for each character of a pattern
_LARGEST_NAME_PATTERN: Final = 128


def plus(one: int, other: int) -> int:
    """Add; what has no bound keeps none."""
    return min(one + other, MOST)


def times(one: int, other: int) -> int:
    """Multiply; what has no bound keeps none."""
    return min(one * other, MOST)


def scaled(count: int, factor: float) -> int:
    """Multiply by a factor, rounded up."""
    return min(math.ceil(count * factor), MOST) if count < MOST else MOST if factor >= 1 else _part(factor)


def _part(factor: float) -> int:
    return min(math.ceil(float(MOST) * factor), MOST)


@dataclass(frozen=True, slots=True)
class Size:
    """How many elements, or bytes of a text, a value has."""

    least: int
    most: int

    def union(self, other: Size) -> Size:
        """Give the size of either."""
        return Size(min(self.least, other.least), max(self.most, other.most))

    def plus(self, other: Size) -> Size:
        """Give the size of both."""
        return Size(plus(self.least, other.least), plus(self.most, other.most))

    def times(self, other: Size) -> Size:
        """Give the size of one for each of the other."""
        return Size(times(self.least, other.least), times(self.most, other.most))


@dataclass(frozen=True, slots=True)
class Call:
    """One overload of one call; sizes that nobody knows have no bound."""

    name: str
    overload: str
    target: Size | None
    target_kind: Kind
    args: list[Size]
    element: Size
    literals: tuple[int | None, ...]  # arguments that are whole numbers in the text
    kinds: tuple[str, ...] = ()  # of the items of the target and of the arguments, where they are lists


_ONE_EACH: Final = frozenset(
    [
        "serviceAccount",
        "path",
        "group",
        "resource",
        "subresource",
        "namespace",
        "name",
        "allowed",
        "reason",
        "error",
        "errored",
        "masked",
        "prefixLength",
        "family",
        "isUnspecified",
        "isLoopback",
        "isLinkLocalMulticast",
        "isLinkLocalUnicast",
        "isGlobalUnicast",
        "format.named",
        "sign",
        "asInteger",
        "isInteger",
        "asApproximateFloat",
        "isGreaterThan",
        "isLessThan",
        "compareTo",
        "add",
        "sub",
        "major",
        "minor",
        "patch",
        "getScheme",
        "getHostname",
        "getHost",
        "getPort",
        "getEscapedPath",
        "getQuery",
    ]
)
_OF_TEXT: Final = frozenset(
    ["url", "jsonpatch.escapeKey", "cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"]
)
_NEW_LISTS: Final = frozenset(
    ("sort", "__sortedBy", "distinct", "reverse", "slice", "flatten", "lists.range")
)
_CALL, _LIST = 1, 10
_FREE: Final = ("__number", "__optional")  # what others put there
_SETS: Final = {"sets.contains": 1, "sets.intersects": 1, "sets.equivalent": 2}
_LISTS: Final = frozenset(["isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"])
_COMPARED: Final = frozenset(
    ["equals", "not_equals"]
    + [
        f"{order}_{kind}"
        for order in ("less", "greater", "less_equals", "greater_equals")
        for kind in ("string", "bytes")
    ]
)


def cost(call: Call) -> tuple[int, Size | None]:
    """Give what a call costs beside its arguments, and the size of its result where that is known."""
    if call.name in _FREE:
        return 0, call.args[0]
    if call.name in ("__keys", "__zipped"):
        return 1, call.target or call.args[0]
    if call.name in _SETS:
        return plus(times(call.args[0].times(call.args[1]).most, _SETS[call.name]), _CALL), None
    if call.name in _NEW_LISTS:
        return _new_list(call)
    if call.name in _ONE_EACH:
        return 1, None
    if call.name in _LISTS and call.target is not None:
        return _over_list(call, call.target), None
    if call.name in _OF_TEXT or (call.name == "ip" and call.target is None):
        size = call.args[0]
        return scaled(size.most, TEXT), size if call.name == "url" else None
    found = _of_text(call, call.target) if call.target is not None else None
    if found is None:
        found = _of_network(call)
    return found if found is not None else _standard(call)


def _new_list(call: Call) -> tuple[int, Size | None]:
    """Give the cost and the size of a list that is made of another, or of a number."""
    of = call.target or call.args[0]
    match call.name:
        case "sort" | "distinct" | "__sortedBy":
            of = call.args[1] if call.name == "__sortedBy" else of
            size = of.times(of)
            factor = 2.0
            if call.name != "distinct" and call.kinds and call.kinds[-1] in ("string", "bytes"):
                factor += TEXT
            return plus(_scaled_up(size.most, factor), _CALL + _LIST), size
        case "slice":
            first, last = call.literals[0] or 0, call.literals[1]
            count = ((of.most if last is None else max(last, 0)) - max(first, 0)) % 2**64
            size = Size(count, count)
        case "lists.range":
            count = MOST if call.literals[0] is None else max(call.literals[0], 0)
            size = Size(count, count)
        case "flatten":
            depth = 1 if not call.literals else MOST if call.literals[0] is None else max(call.literals[0], 0)
            return plus(times(of.most, depth), _CALL + _LIST), of
        case _:
            size = of
    return plus(size.most, _CALL + _LIST), size


def _scaled_up(count: int, factor: float) -> int:
    return count if count == MOST else min(math.ceil(count * factor), MOST)


def _over_list(call: Call, target: Size) -> int:
    if call.target_kind.name != "list":
        return scaled(target.most, TEXT)
    each = 1
    if call.target_kind.parameters[0].name in ("string", "bytes"):
        each = plus(each, scaled(call.element.most, TEXT))
    return times(target.most, each)


def _of_text(call: Call, target: Size) -> tuple[int, Size | None] | None:
    match call.name:
        case "lowerAscii" | "upperAscii" | "substring" | "trim":
            return scaled(target.most, TEXT), target
        case "replace" if len(call.args) >= 2:
            return scaled(target.most, 2 * TEXT), _replaced(target, call.args[0], call.args[1])
        case "split":
            limit = call.literals[1] if len(call.literals) > 1 else None
            most = target.most if limit is None else limit % 2**64
            return scaled(target.most, 2 * TEXT), Size(0, most)
        case "join":
            size = target.times(call.element)
            if call.args:
                count = Size(max(target.least - 1, 0), max(target.most - 1, 0))
                size = size.plus(call.args[0].times(count))
            return scaled(size.most, TEXT), size
        case "find" | "findAll" if call.args:
            text = scaled(plus(target.most, 1), TEXT)
            return times(text, scaled(call.args[0].most, REGEX)), Size(0, target.most)
        case "__validate" if call.args:
            text = scaled(call.args[0].most, TEXT)
            return scaled(text, _LARGEST_NAME_PATTERN * REGEX), None
    return None


def _replaced(target: Size, old: Size, new: Size) -> Size:
    if old.least == 0:
        most, kept_most = plus(target.most, 1), target.most
    elif new.most <= old.least:
        most, kept_most = 0, target.most
    else:
        most, kept_most = math.ceil(target.most / old.least), 0
    if old.most == 0:
        least, kept_least = plus(target.least, 1), target.least
    elif old.most <= new.least:
        least, kept_least = 0, target.least
    else:
        least, kept_least = math.ceil(target.least / old.most), 0
    return Size(least, most).times(new).plus(Size(kept_least, kept_most))


def _of_network(call: Call) -> tuple[int, Size | None] | None:
    match call.name:
        case "ip":
            return 1, None
        case "ip.isCanonical":
            return scaled(call.args[0].most, 2 * TEXT), None
        case "containsIP":
            is_text = call.overload.endswith("_0") or "string" in call.overload
            return plus(scaled(32, TEXT), scaled(call.args[0].most, TEXT) if is_text else 0), None
        case "containsCIDR":
            is_text = call.overload.endswith("_0") or "string" in call.overload
            own = scaled(32, TEXT) + scaled(16, TEXT) + 1
            return plus(own, scaled(call.args[0].most, TEXT) if is_text else 0), None
        case "check":
            return 350_000, None
    return None


def _standard(call: Call) -> tuple[int, Size | None]:
    args, target = call.args, call.target
    match call.overload:
        case "string_format" if target is not None:
            return scaled(target.most, TEXT), None
        case "string_to_bytes":
            return scaled(args[0].most, TEXT), Size(args[0].least, times(args[0].most, 4))
        case "bytes_to_string":
            return scaled(args[0].most, TEXT), Size(args[0].least // 4, args[0].most)
        case "strings_quote":
            size = Size(plus(args[0].least, 2), plus(times(args[0].most, 2), 2))
            return scaled(args[0].most, TEXT), size
        case "starts_with_string" | "ends_with_string":
            return scaled(args[0].most, TEXT), None
        case "in_list":
            return args[1].most, None
        case "matches_string" if target is not None:
            text = scaled(plus(target.most, 1), TEXT)
            return times(text, scaled(args[0].most, REGEX)), None
        case "contains_string" if target is not None:
            return times(scaled(target.most, TEXT), scaled(args[0].most, TEXT)), None
        case "logical_or" | "logical_and":
            return 0, None
        case "add_list":
            return 1, args[0].plus(args[1])
        case "add_string" | "add_bytes":
            size = args[0].plus(args[1])
            return scaled(size.most, TEXT), size
    if call.overload in _COMPARED:
        return scaled(min(args[0].most, args[1].most), TEXT), None
    return 1, None
