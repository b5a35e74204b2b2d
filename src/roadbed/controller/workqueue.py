"""A deduplicating queue of requests with delays and per-key backoff.

Filled by informer handlers and by the controller's own requeues, emptied by its workers, all on one
loop. A key is in the queue at most once and is never handed to two workers at a time: one added while
it is being worked on comes back when it is done. Its size is bounded by the number of distinct keys.

Source: k8s.io/client-go/util/workqueue (same promises, other code).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from .instruments import Tally

Key = TypeVar("Key", bound=Hashable)

FIRST_BACKOFF_S = 0.005  # client-go's base delay
LAST_BACKOFF_S = 60.0  # a thing that can't be mended is looked at once a minute


class WorkQueue(Generic[Key]):
    """Keys waiting for a worker, in order of arrival."""

    def __init__(
        self, *, first_backoff_s: float = FIRST_BACKOFF_S, last_backoff_s: float = LAST_BACKOFF_S
    ) -> None:
        self._first_backoff_s = first_backoff_s
        self._last_backoff_s = last_backoff_s
        self._ready: deque[Key] = deque()
        self._dirty: set[Key] = set()  # waiting, or to be looked at again once done
        self._active: set[Key] = set()
        self._later: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._failures: dict[Key, int] = {}
        self._wakers: deque[asyncio.Future[None]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self.tally: Tally | None = None  # set by whoever wants to know, before the first key

    def add(self, key: Key) -> None:
        """Ask for a look at ``key`` as soon as a worker is free; an earlier delay is dropped."""
        later = self._later.pop(key, None)
        if later is not None:
            later[1].cancel()
        if key in self._dirty:
            return
        self._dirty.add(key)
        if self.tally is not None:
            self.tally.added(key)
        self._idle.clear()
        if key not in self._active:
            self._ready.append(key)
            self._wake()

    def add_after(self, key: Key, delay_s: float) -> None:
        """Ask for a look in ``delay_s`` seconds; the earliest of several asks wins."""
        if delay_s <= 0:
            self.add(key)
            return
        if key in self._dirty:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_s
        later = self._later.get(key)
        if later is not None:
            if later[0] <= due:
                return
            later[1].cancel()
        self._later[key] = (due, loop.call_at(due, self.add, key))

    def add_failed(self, key: Key) -> float:
        """Ask for another look after this key's backoff, which doubles each time; returns it in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        if self.tally is not None:
            self.tally.retried()
        delay_s = float(min(self._first_backoff_s * 2 ** min(failures - 1, 40), self._last_backoff_s))
        self.add_after(key, delay_s)
        return delay_s

    def forget(self, key: Key) -> None:
        """Start the key's backoff anew; call it after a good ending."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Take the next key, waiting for one; call ``done`` with it afterwards."""
        while not self._ready:
            waker = asyncio.get_running_loop().create_future()
            self._wakers.append(waker)
            try:
                await waker
            except asyncio.CancelledError:
                if waker.done() and not waker.cancelled():
                    self._wake()  # the wake-up was ours: hand it on
                raise
            finally:
                if waker in self._wakers:
                    self._wakers.remove(waker)
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._active.add(key)
        if self.tally is not None:
            self.tally.taken(key)
        return key

    def done(self, key: Key) -> None:
        """Give a key back; if it was added meanwhile it is queued again."""
        self._active.discard(key)
        if self.tally is not None:
            self.tally.done(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake()
        elif not self._dirty and not self._active:
            self._idle.set()

    @property
    def is_busy(self) -> bool:
        """Say whether anything is waiting or worked on."""
        return not self._idle.is_set()

    async def idle(self) -> None:
        """Return once nothing is waiting or worked on; keys due later do not count."""
        await self._idle.wait()

    def close(self) -> None:
        """Drop every delay; nothing becomes ready any more by itself."""
        for _, timer in self._later.values():
            timer.cancel()
        self._later.clear()

    def __len__(self) -> int:
        """Count the keys that wait for a worker now."""
        return len(self._ready)

    def _wake(self) -> None:
        while self._wakers:
            waker = self._wakers.popleft()
            if not waker.done():
                waker.set_result(None)
                return
