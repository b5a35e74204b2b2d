"""Committed events to whoever listens: observers, called at once, and watchers, who read at their pace.

Called by ``sqlite`` on the event loop, once per committed batch. An observer is a plain function and must
be quick; a watcher has a queue of bounded length, and one that overflows ends that watcher alone. Nothing
here reads history: a watcher is created at the moment up to which its reader already has the events.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from .errors import OverflowError  # noqa: A004 - the field's word
from .interface import Event, Observer

logger = logging.getLogger(__name__)


class Watcher:
    """One reader's bounded queue of events under one prefix."""

    def __init__(self, prefix: str, max_events: int) -> None:
        self.prefix = prefix
        self._max_events = max_events
        self._events: deque[Event] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._has_overflowed = False
        self._has_ended = False

    def offer(self, events: Sequence[Event]) -> None:
        """Queue events for the reader, or give this watcher up when it holds too many already."""
        if self._has_overflowed:
            return
        if len(self._events) + len(events) > self._max_events:
            self._has_overflowed = True
            self._events.clear()
        else:
            self._events.extend(events)
        self._notify()

    def end(self) -> None:
        """Let the reader finish what is queued, then stop."""
        self._has_ended = True
        self._notify()

    async def next(self) -> Event | None:
        """Give the next event, waiting for it; None when the watch has ended.

        Raises:
            OverflowError: the reader fell behind by more than the queue holds.
        """
        while not self._events:
            if self._has_overflowed:
                raise OverflowError(
                    f"the watch of {self.prefix or '/'} fell more than {self._max_events} events behind; "
                    f"list again, then watch from that list's revision"
                )
            if self._has_ended:
                return None
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._events.popleft()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Broadcaster:
    """All observers and watchers of one store."""

    def __init__(self, *, max_queued_events: int) -> None:
        self._max_queued_events = max_queued_events
        self._observers: list[Observer] = []
        # By prefix, so that a hundred watchers of one resource cost one look at each event's key.
        self._watchers: dict[str, list[Watcher]] = {}

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with every batch from now on; returns the way out, which may run twice."""
        self._observers.append(observer)

        def unsubscribe() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return unsubscribe

    def add_watcher(self, prefix: str) -> Watcher:
        """Queue the events under ``prefix`` from now on, until ``remove_watcher``."""
        watcher = Watcher(prefix, self._max_queued_events)
        self._watchers.setdefault(prefix, []).append(watcher)
        return watcher

    def remove_watcher(self, watcher: Watcher) -> None:
        """Stop feeding ``watcher``."""
        same_prefix = self._watchers[watcher.prefix]
        same_prefix.remove(watcher)
        if not same_prefix:
            del self._watchers[watcher.prefix]

    def publish(self, events: Sequence[Event]) -> None:
        """Hand one committed batch to everybody."""
        for observer in tuple(self._observers):
            try:
                observer(events)
            except Exception:
                # The batch is on disk; its writers and the other listeners must learn so all the same.
                logger.exception("an observer of the store failed", extra={"events": len(events)})
        for prefix, watchers in self._watchers.items():
            matching = [event for event in events if event.key.startswith(prefix)]
            if matching:
                for watcher in watchers:
                    watcher.offer(matching)

    def end(self) -> None:
        """End every watch: the store closes."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()
