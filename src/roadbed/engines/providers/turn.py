"""One reconcile of one managed object: what was read, what is to change, and how it is written back.

Made by the managed reconciler for each call and dropped after it. ``obj`` may be changed in memory;
``store`` writes metadata and spec, ``remember`` a few annotations come what may, ``conclude`` the status, last.
Writes that would change nothing are not sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from roadbed.apimachinery.conditions import Condition, conditions_of, with_conditions
from roadbed.apimachinery.errors import ApiError, ConflictError, NotFoundError
from roadbed.apimachinery.objects import annotations_of, metadata, name_of, namespace_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.client import Client
from roadbed.controller import Clock, Recorder

from . import markers
from .external import ManagedKind, Observation

logger = logging.getLogger(__name__)

REMEMBER_TRIES = 8  # together about 5 s: losing an external name costs a person's time
REMEMBER_FIRST_S = 0.02


class Turn:
    """The object as it was read (``stored``) and as it should become (``obj``)."""

    def __init__(
        self, stored: Object, kind: ManagedKind, client: Client, recorder: Recorder, clock: Clock
    ) -> None:
        self.stored = stored
        self.obj = copied(stored)
        self._kind = kind
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._status: dict[str, Any] = {}

    async def tell(self, reason: str, message: str) -> None:
        """Record a normal event."""
        await self._recorder.event(self.stored, "Normal", reason, message)

    async def warn(self, reason: str, message: str) -> None:
        """Record a warning."""
        await self._recorder.event(self.stored, "Warning", reason, message)

    async def note_request(self) -> None:
        """Acknowledge a ``reconcile-requested-at`` annotation once."""
        token = annotations_of(self.obj).get(markers.RECONCILE_REQUESTED_AT)
        handled = (self.stored.get("status") or {}).get("lastHandledReconcileAt")
        if token and token != handled:
            self._status["lastHandledReconcileAt"] = token
            await self.tell("ReconcileRequestHandled", "Handling reconcile request")

    def observe(self, seen: Observation) -> None:
        """Take over what the cloud says, for the status; keep the last words about what is gone."""
        if seen.exists:
            self._status["atProvider"] = dict(seen.at_provider)
        if seen.external_name and seen.external_name != markers.external_name(self.obj):
            markers.annotate(self.obj, markers.EXTERNAL_NAME, seen.external_name)

    def late_initialize(self, values: Mapping[str, Any]) -> None:
        """Fill ``spec.forProvider`` where the user said nothing, neither there nor in ``initProvider``."""
        spec = self.obj["spec"]
        given = spec["forProvider"]
        initial = spec.get("initProvider") or {}
        for name, value in values.items():
            if name not in given and name not in initial:
                given[name] = value

    async def store(self) -> None:
        """Write metadata and spec if they changed; the object must be the newest.

        Raises:
            ConflictError: it is not.
        """
        wanted = {key: value for key, value in self.obj.items() if key != "status"}
        current = {key: value for key, value in self.stored.items() if key != "status"}
        if wanted != current:
            self._take(await self._client.update(self._kind.resource, self.obj))

    async def remember(self, changes: Mapping[str, str]) -> None:
        """Write annotations, whatever else changed meanwhile, trying again while the server is in trouble.

        Raises:
            ApiError: it could not be done; a creation then counts as interrupted.
        """
        # A merge patch without a resourceVersion can't conflict; the uid keeps it off a namesake.
        patch = {"metadata": {"uid": uid_of(self.obj), "annotations": dict(changes)}}
        for attempt in range(REMEMBER_TRIES):
            try:
                self._take(
                    await self._client.patch(
                        self._kind.resource, name_of(self.obj), patch, namespace=namespace_of(self.obj)
                    )
                )
            except (ConflictError, NotFoundError):
                raise
            except ApiError as error:
                if attempt == REMEMBER_TRIES - 1:
                    raise
                logger.warning(
                    "annotations not stored, trying again",
                    extra={"object": name_of(self.obj), "error": str(error)},
                )
                await asyncio.sleep(REMEMBER_FIRST_S * 2**attempt)
            else:
                return

    async def conclude(self, *changes: Condition) -> None:
        """Write the status, if it changed: what was observed, and these conditions."""
        before = self.stored.get("status") or {}
        generation = int(metadata(self.stored).get("generation") or 0)
        wanted = [replace(change, observed_generation=generation) for change in changes]
        after = {
            **before,
            **self._status,
            "conditions": with_conditions(conditions_of(self.stored), wanted, self._clock.now()),
            "observedGeneration": generation,
        }
        if after == before:
            return
        body = {**self.stored, "status": after}
        self._take(await self._client.update(self._kind.resource, body, subresource="status"))

    def _take(self, answer: Object) -> None:
        self.stored = answer
        self.obj = copied(answer)


def copied(obj: Object) -> Object:
    """Give a deep copy of JSON; encoding and decoding is several times faster than ``copy.deepcopy``."""
    copy: Object = orjson.loads(orjson.dumps(obj))
    return copy
