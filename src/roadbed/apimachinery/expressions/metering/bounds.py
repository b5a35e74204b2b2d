"""A bound of what an expression can cost, cheap enough to ask on every write.

One ``Bound`` is made per expression and shared. What it gives is coarse and never too low: where it stays below the
limits, nothing has to be counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from roadbed.apimachinery.expressions.ast import Expr

UNBOUNDED: Final = 2**63
_UNKNOWN: Final = frozenset(("lists.range", "__joined"))  # what they give has no bound from what they get
_GROWING: Final = frozenset(("replace", "join", "format"))
_SPLITTING: Final = frozenset(("split", "findAll"))
_OF_TEXTS: Final = frozenset(("contains", "matches", "find", "findAll", "__validate"))
_OF_ALL: Final = frozenset(
    (
        *("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "@in", "_in_", "flatten", "slice"),
        *("reverse", "__same"),
    )
)
_OF_PAIRS: Final = frozenset(
    ("sort", "distinct", "__sortedBy", "sets.contains", "sets.intersects", "sets.equivalent")
)
_FREE: Final = frozenset(("_&&_", "_||_", "_?_:_", "_[_]", "_?._", "_[?_]", "!_", "hasValue", "size"))
_COMPARING: Final = frozenset(("_>_", "_<_", "_>=_", "_<=_", "_==_", "_!=_", "_+_", "_-_"))
_LONGEST_FORMAT: Final = 1_103 // 4 + 1  # what validating a URI looks at, in units of a pattern
_LIST, _MAP, _LOOP, _CHECK = 10, 30, 16, 350_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How large values are: elements in any list or map, characters of any text, bytes of all."""

    elements: int
    longest: int
    total: int


@dataclass(slots=True)
class _Level:
    """What happens at one depth of loops."""

    fixed: int = 0
    over_text: int = 0  # looks at a text or a list once
    over_all: int = 0  # looks at a list and all in it once
    over_texts: int = 0  # looks at a text once for each part of another
    over_pairs: int = 0  # compares all items of a list with each other


class Bound:
    """How costs can grow with the size of what an expression sees."""

    __slots__ = ("_grows", "_largest", "_levels", "_literal", "_splits", "_sums")

    def __init__(self, root: Expr, text: str) -> None:
        steps = list(_steps(root, 0))
        calls = [each.name for each, _ in steps if each.kind == "call"]
        self._literal = len(text)
        self._largest = max(
            (len(each.parts) for each, _ in steps if each.kind in ("list", "struct")), default=0
        )
        self._sums = 1 + calls.count("_+_")
        self._grows = -1 if _UNKNOWN & set(calls) else sum(name in _GROWING for name in calls)
        self._splits = bool(_SPLITTING & set(calls))
        self._levels = [_Level() for _ in range(max(depth for _, depth in steps) + 1)]
        for each, depth in steps:
            _count(each, self._levels[depth])

    def of(self, extent: Extent) -> int:
        """Give the most it can cost over values of this extent."""
        if self._grows < 0 or self._grows > 2:
            return UNBOUNDED
        elements = max(extent.elements, self._largest) * self._sums + 1
        size: int = (extent.longest + self._literal) * self._sums
        if self._grows:
            size = (size * elements) ** (self._grows + 1)
        if self._splits:
            elements = max(elements, size)
        texts = (2 + size // 10) * (_LONGEST_FORMAT + size // 4)
        pairs = 12 + 3 * elements * elements
        bound = 0
        loops = 1
        for level in self._levels:
            each = level.over_text * (2 + size // 10) + level.over_texts * texts + level.over_pairs * pairs
            each += level.over_all * (extent.total + size + 99 * elements)
            bound += loops * (level.fixed + each)
            loops *= elements
        return bound


def _count(expr: Expr, level: _Level) -> None:
    if expr.kind == "loop":
        level.fixed += _LOOP
    elif expr.kind in ("list", "struct"):
        level.fixed += _LIST if expr.kind == "list" else _MAP
    else:
        level.fixed += 2
    if expr.kind != "call" or _is_free(expr):
        return
    if expr.name == "check":
        level.fixed += _CHECK
    elif expr.name in _OF_TEXTS:
        level.over_texts += 1
    elif expr.name in _OF_ALL:
        level.over_all += 1
    elif expr.name in _OF_PAIRS:
        level.over_pairs += 1
    else:
        level.over_text += 1


def _is_free(expr: Expr) -> bool:
    """Say whether a call costs the same whatever the sizes."""
    if expr.name in _COMPARING:
        return any(
            part.kind == "const" and part.constant[0] not in ("string", "bytes") for part in expr.parts
        )
    return expr.name in _FREE


def _steps(expr: Expr, depth: int) -> Iterator[tuple[Expr, int]]:
    yield expr, depth
    for each in (expr.operand, *expr.parts):
        if each is not None:
            yield from _steps(each, depth)
    if expr.kind == "loop":
        is_loop = expr.loop["range"].kind != "list" or bool(expr.loop["range"].parts)
        for name in ("range", "init", "result"):
            yield from _steps(expr.loop[name], depth)
        for name in ("condition", "step"):
            yield from _steps(expr.loop[name], depth + is_loop)
