"""A token bucket: how fast one account may be called.

Waited for on the loop before a call goes to its thread; shared by all kinds of one account, so that a
thousand objects after a restart do not run into AWS's own limits together.
"""

from __future__ import annotations

from roadbed.controller import Clock

RATE_PER_S = 50.0  # across services and regions; AWS's own limits, per API and region, are 20/s and more
BURST = 100.0  # as AWS's own bucket for describing EC2 resources


class TokenBucket:
    """Tokens that refill at ``rate_per_s`` up to ``burst``."""

    def __init__(self, clock: Clock, *, rate_per_s: float = RATE_PER_S, burst: float = BURST) -> None:
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_at = clock.monotonic()

    async def take(self, tokens: float = 1.0) -> None:
        """Wait until ``tokens`` are there and take them; callers are served in order of arrival."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now
        # Going below zero books the tokens at once, so that later callers queue up behind this one.
        self._tokens -= tokens
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / self._rate_per_s)
