"""Progress on stderr, for anything that takes longer than a second.

On a terminal one line that changes in place; into a pipe a line each time the words change. Nothing is
printed for what is done before a second has passed.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE_S = 1.0


class Progress:
    """Shows the words last given to ``say`` until it is left."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._words = ""
        self._status: Status | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and take the changing line away."""
        if self._status is not None:
            self._status.stop()

    def say(self, words: str) -> None:
        """Show what is waited for, if it has taken long enough to be worth a word."""
        waited_s = time.monotonic() - self._began
        if waited_s < PATIENCE_S:
            return
        if sys.stderr.isatty():
            self._show(f"{words} ({waited_s:.0f} s)")
        elif words != self._words:
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()
        self._words = words

    def _show(self, words: str) -> None:
        from rich.console import Console
        from rich.text import Text

        console = Console(stderr=True)
        line = Text(words)
        line.truncate(max(10, console.width - 3), overflow="ellipsis")  # beside the spinner, on one line
        if self._status is None:
            self._status = console.status(line)
            self._status.start()
        self._status.update(line)
