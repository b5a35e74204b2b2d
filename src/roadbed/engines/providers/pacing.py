"""When to look again: backoff after trouble, quick looks while a cloud settles, polls when all is well.

Owned by one managed reconciler, used on the loop; what it remembers is bounded by the objects in trouble.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from roadbed.apimachinery.request import Object
from roadbed.controller import Request

from . import markers

POLL_S = 60.0  # Crossplane's own default
LEAST_POLL_S = 1.0  # an annotation can't make a cloud be asked more often than this
JITTER = 0.1  # of the poll interval, so that objects made together are not asked about together
RETRY_FIRST_S, RETRY_LAST_S = 1.0, 60.0  # as crossplane-runtime's rate limiter
SETTLE_FIRST_S, SETTLE_LAST_S = 0.05, 15.0  # quick for what is quick, sparing for a database


@dataclass(slots=True)
class Pacing:
    """Delays per object. ``rand`` gives [0, 1)."""

    poll_s: float = POLL_S
    rand: Callable[[], float] = random.random
    _failures: dict[Request, int] = field(default_factory=dict)
    _looks: dict[Request, int] = field(default_factory=dict)

    def retry_s(self, request: Request, *, at_least_s: float = 0.0) -> float:
        """Give the delay after one more failure; the cloud's own wish is a lower bound."""
        failures = self._failures[request] = self._failures.get(request, -1) + 1
        delay_s = min(RETRY_FIRST_S * 2.0 ** min(failures, 30), RETRY_LAST_S)
        return max(delay_s * (0.75 + 0.5 * self.rand()), at_least_s)

    def settle_s(self, request: Request) -> float:
        """Give the delay until the next look at something that is on its way."""
        self._failures.pop(request, None)
        looks = self._looks[request] = self._looks.get(request, -1) + 1
        return min(SETTLE_FIRST_S * 2.0 ** min(looks, 30), SETTLE_LAST_S)

    def steady_s(self, request: Request, obj: Object) -> float:
        """Give the delay until the next poll of something that is as it should be."""
        self.forget(request)
        wanted_s = markers.poll_interval_s(obj)
        poll_s = self.poll_s if wanted_s is None else max(wanted_s, LEAST_POLL_S)
        return poll_s * (1.0 + JITTER * (2.0 * self.rand() - 1.0))

    def forget(self, request: Request) -> None:
        """Drop what is remembered about one object."""
        self._failures.pop(request, None)
        self._looks.pop(request, None)
