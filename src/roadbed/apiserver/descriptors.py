"""File descriptors: as many as the system gives, and a word when none are left.

``Listener`` raises the limit when it starts, as Go programs do for themselves, and looks every few seconds: where no
descriptor is left, the system refuses connections before the loop sees them, so that nobody would be told. Does not
close anybody's connection: who is idle, or slow, is ended by ``Patience``.
"""

from __future__ import annotations

import logging
import os

logger = logging.getLogger(__name__)

_NONE_LEFT = (
    "no file descriptors are left, so connections are refused: raise the limit of open files (ulimit -n)"
)


def raise_limit() -> None:
    """Set this process's limit of open files to the most that it may have."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS has a second limit below the one it tells
            logger.debug("cannot raise the limit of open files", extra={"limit": soft, "most": hard})


class Scarcity:
    """Says once when no descriptor is left, and once when there are some again."""

    def __init__(self) -> None:
        self._is_told = False

    def look(self, connections: int) -> None:
        """Try to open something; ``connections`` are those that are known to be open."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                logger.warning(_NONE_LEFT, extra={"connections": connections, "reason": error.strerror})
            return
        if self._is_told:
            self._is_told = False
            logger.info("there are file descriptors again", extra={"connections": connections})
