"""What a reconciler is: the four endings, and the key it is given.

Implemented by engines; called by ``Controller`` workers, never twice at once for one request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """The key of one object to bring to its desired state; never an event, never the object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Give ``namespace/name``, or only the name."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Result:
    """A good ending. ``requeue_after_s`` asks for another look; None waits for the next change."""

    requeue_after_s: float | None = None


class TerminalError(Exception):
    """Retrying can't help until the object changes. The message goes where its user looks."""


class Reconciler(Protocol):
    """Brings one object to its desired state.

    Ends with a ``Result``, with ``TerminalError`` (not retried until the object changes) or with any
    other exception (retried with per-key exponential backoff).
    """

    async def reconcile(self, request: Request) -> Result:
        """Read everything again, act idempotently, write status last."""
        ...
