"""Tables as kubectl prints them: aligned columns, no borders, cut to the width of a terminal.

Pure but for ``Screen``, which knows whether stdout is a terminal. Into a pipe nothing is cut and nothing is
coloured; NO_COLOR turns colour off everywhere.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

GAP = 3
LEAST = 8  # a column is not cut below this; then the terminal wraps
LEAST_PROSE = 32  # of a last column of sentences, which is wrapped and never cut
_PROSE = frozenset(("MESSAGE", "REASON"))
_COLORS = {"True": "32", "False": "31", "Unknown": "33", "Warning": "33", "ok": "32"}
_JUDGED = frozenset(
    {"READY", "SYNCED", "STATUS", "ESTABLISHED", "OFFERED", "INSTALLED", "HEALTHY", "TYPE", "AVAILABLE"}
)


@dataclass(frozen=True, slots=True)
class Screen:
    """Where output goes; ``width`` is None where nothing is to be cut."""

    width: int | None
    has_color: bool

    @classmethod
    def of_stdout(cls, *, indent: int = 0) -> Screen:
        """Look at this process's stdout; ``indent`` is what its writer puts before every line."""
        is_terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns - indent if is_terminal else None
        return cls(width, is_terminal and not os.environ.get("NO_COLOR"))


class Layout:
    """Columns of one table; widths only grow, so that rows of a watch stay in line."""

    def __init__(self, headings: Sequence[str], screen: Screen) -> None:
        self._headings = [heading.upper() for heading in headings]
        self._widths = [cell_len(heading) for heading in self._headings]
        self._screen = screen

    def head(self) -> str:
        """Give the line of headings, wide enough for the rows given so far."""
        return self._line(self._headings, is_head=True)

    def grow(self, rows: Iterable[Sequence[str]]) -> None:
        """Make room for rows; the last column needs none."""
        for row in rows:
            for index, cell in enumerate(row):
                self._widths[index] = max(self._widths[index], cell_len(cell))

    def row(self, cells: Sequence[str]) -> str:
        """Give one row; a last cell of prose that is too long goes on below, under its own column."""
        if self._screen.width is None or not self._ends_in_prose:
            return self._line(cells)
        widths = self._fitted()
        first, *rest = textwrap.wrap(cells[-1], widths[-1], break_on_hyphens=False) or [""]
        indent = " " * (sum(widths[:-1]) + GAP * (len(widths) - 1))
        return "\n".join([self._line([*cells[:-1], first]), *(f"{indent}{line}" for line in rest)])

    @property
    def _ends_in_prose(self) -> bool:
        return self._headings[-1] in _PROSE

    def _line(self, cells: Sequence[str], *, is_head: bool = False) -> str:
        parts = []
        widths = self._fitted()
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            is_last = index == len(widths) - 1
            text = _cut(cell, width) if self._screen.width else cell
            padded = text if is_last else text + " " * (width - cell_len(text))
            parts.append(padded if is_head else self._colored(index, cell, padded))
        return (" " * GAP).join(parts).rstrip()

    def _fitted(self) -> list[int]:
        widths = list(self._widths)
        if self._screen.width is None:
            return widths
        excess = sum(widths) + GAP * (len(widths) - 1) - self._screen.width
        columns = list(range(len(widths)))
        if self._ends_in_prose:
            columns.pop()
            spared = min(excess, max(0, widths[-1] - LEAST_PROSE))
            if spared > 0:
                widths[-1] -= spared
                excess -= spared
        while excess > 0 and columns:
            widest = max(columns, key=lambda index: widths[index])
            if widths[widest] <= LEAST:
                break
            second = max([widths[index] for index in columns if index != widest], default=LEAST)
            cut = min(excess, max(1, widths[widest] - max(second, LEAST)))
            widths[widest] -= cut
            excess -= cut
        return widths

    def _colored(self, index: int, cell: str, text: str) -> str:
        color = _COLORS.get(cell, "")
        if not color or not self._screen.has_color or self._headings[index] not in _JUDGED:
            return text
        return f"\x1b[{color}m{text}\x1b[0m"


def lines(headings: Sequence[str], rows: Sequence[Sequence[str]], screen: Screen | None = None) -> list[str]:
    """Give a whole table, headings first."""
    layout = Layout(headings, screen or Screen.of_stdout())
    layout.grow(rows)
    return [layout.head(), *(layout.row(row) for row in rows)]


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"
