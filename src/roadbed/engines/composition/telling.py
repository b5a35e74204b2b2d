"""Telling a composite's user: conditions when reconciling failed or waits, and events, each said once.

Used by the composite reconciler. What is said again and again is not news: an event is recorded when it
was not among what was said last.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from roadbed.apimachinery.conditions import Condition
from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import key_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.controller import Clock, Recorder

from . import conditions
from .sources import Reader
from .tracking import State
from .verdicts import Note
from .writing import Writer


class Teller:
    """Speaks of one kind's composites."""

    def __init__(
        self, composite: Resource, reader: Reader, writer: Writer, recorder: Recorder, clock: Clock
    ) -> None:
        self._composite = composite
        self._reader = reader
        self._writer = writer
        self._recorder = recorder
        self._clock = clock

    async def say(self, composite: Object, state: State, changes: list[Condition]) -> None:
        """Set conditions beside those it has, and whether changes are followed at once."""
        current = self._reader.cached(self._composite, key_of(composite))
        if current is not None and uid_of(current) == uid_of(composite):
            composite = current  # it may have been written since
        merged = conditions.merged(composite, [*changes, responsive(state)], self._clock.now())
        with suppress(NotFoundError):
            await self._writer.conditions(composite, merged, state)

    async def tell(self, composite: Object, state: State, topic: str, notes: list[Note]) -> None:
        """Record the events that were not among the topic's last ones."""
        known = state.told.get(topic, ())
        fresh = [note for note in notes if note not in known]
        state.told[topic] = tuple(notes)
        if fresh:
            await asyncio.gather(
                *(self._recorder.event(composite, kind, reason, message) for kind, reason, message in fresh)
            )


def responsive(state: State) -> Condition:
    """Give the condition that says whether changes are followed at once."""
    return conditions.throttled(state.trigger()) if state.bucket.is_open else conditions.RESPONSIVE
