"""Comparisons between numbers of different kinds (``self.ratio > 1``), which the runtime's checker refuses.

It can evaluate them, though, where it doesn't know the kinds: so the left side is hidden behind a function that
gives it back untyped. Asked where an expression does not compile.

Source: github.com/google/cel-go/cel/options.go (CrossTypeNumericComparisons).
"""

from __future__ import annotations

import re
from typing import Final

from .equality import reach
from .tokens import joined, tokens_of

HIDDEN: Final = "__number"
MOST: Final = 64  # comparisons in one expression
_REFUSED: Final = re.compile(
    r"<input>:(\d+):(\d+): found no matching overload for '_([<>]=?)_' applied to "
    r"'\((int|uint|double), (int|uint|double)\)'"
)


def mended(text: str, trouble: str) -> str:
    """Give the expression with the first such comparison rewritten that the checker complains of; empty for none."""
    found = _REFUSED.search(trouble)
    if found is None:
        return ""
    lines = text.split("\n")
    place = sum(len(line) + 1 for line in lines[: int(found.group(1)) - 1]) + int(found.group(2)) - 1
    tokens = tokens_of(text)
    at = next((index for index, each in enumerate(tokens) if each.at == place), -1)
    if at < 1:
        return ""
    start = reach(tokens, at, -1)
    before, left = joined(tokens[:start]), joined(tokens[start:at])
    return f"{before}{tokens[start].before}{HIDDEN}({left}){tokens[at].before}{joined(tokens[at:])}"
