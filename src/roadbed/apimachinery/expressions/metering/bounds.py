"""A bound of what an expression can cost, cheap enough to ask on every write.

One ``Bound`` is made per expression and shared. What it gives is coarse and never too low: where it stays below the
limits, nothing has to be counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from roadbed.apimachinery.expressions.ast import Expr

_GROWING: Final = frozenset(("replace", "join", "format", "__joined", "lists.range"))
_OF_TWO: Final = frozenset(
    (
        *("contains", "matches", "find", "findAll", "sort", "distinct", "__sortedBy"),
        *("sets.contains", "sets.intersects", "sets.equivalent", "flatten"),
    )
)
_STEP: Final = 40  # no step costs more beside what its sizes cost: a map 30, the loop around it the rest
_CHECK: Final = 350_000
_FREE: Final = frozenset(("_&&_", "_||_", "_?_:_", "_[_]", "!_", "hasValue", "size"))
_SCALARS: Final = frozenset(("_>_", "_<_", "_>=_", "_<=_", "_==_", "_!=_", "_+_"))
UNBOUNDED: Final = 2**63


class Bound:
    """How costs can grow with the size of what an expression sees."""

    __slots__ = ("_depth", "_fixed", "_growing", "_literal", "_is_sized", "_pairs", "_steps")

    def __init__(self, root: Expr, text: str) -> None:
        steps = list(_steps(root, 0))
        calls = [each.name for each, _ in steps if each.kind == "call"]
        self._steps = _STEP * len(steps)
        self._fixed = _CHECK * calls.count("check")
        self._depth = max((depth for _, depth in steps), default=0)
        self._growing = sum(name in _GROWING for name in calls) if "lists.range" not in calls else 99
        self._pairs = any(name in _OF_TWO for name in calls)
        self._literal = len(text)
        self._is_sized = any(not self._is_free(each) for each, _ in steps)

    def of(self, elements: int, size_bytes: int) -> int:
        """Give the most it can cost over values of so many elements in any list, and so many bytes."""
        if self._growing > 2:
            return UNBOUNDED
        size: int = (self._literal + size_bytes) ** (self._growing + 1) if self._is_sized else 0
        sized = 1 + size // 10 + (size * size // 40 + size if self._pairs else 0)
        if self._pairs and self._growing:
            return UNBOUNDED
        bound: int = (self._steps * sized + self._fixed) * (elements + self._literal) ** self._depth
        return bound

    @staticmethod
    def _is_free(expr: Expr) -> bool:
        """Say whether a step costs the same whatever the sizes."""
        if expr.kind != "call":
            return True
        if expr.name in _SCALARS:
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
