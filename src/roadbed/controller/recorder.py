"""Telling users what happened to an object, as Kubernetes Events that ``kubectl describe`` shows.

Called by reconcilers, on the loop. Repeats of one (object, reason, message) raise the count of one
Event instead of making more. An event that can't be written is logged and dropped: telling must never
stop doing.

Source: k8s.io/client-go/tools/record (EventCorrelator).
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from typing import Literal

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import name_of, namespace_of, revision_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_time
from roadbed.client import Client

from .clock import Clock

logger = logging.getLogger(__name__)

EVENTS = Resource("", "v1", "events", "Event")
REMEMBERED = 4096  # distinct events whose count can grow; client-go's cache is as large
MESSAGE_LIMIT = 1024  # the API's own bound on an event's message

EventType = Literal["Normal", "Warning"]


class Recorder:
    """Records events as one component (``source.component``)."""

    def __init__(self, client: Client, component: str, clock: Clock) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._counts: OrderedDict[str, int] = OrderedDict()

    def named(self, component: str) -> Recorder:
        """Give a recorder for another component."""
        return Recorder(self._client, component, self._clock)

    async def event(self, obj: Object, kind: EventType, reason: str, message: str) -> None:
        """Record that ``reason`` (CamelCase) happened to ``obj``; ``message`` is for people, without secrets."""
        message = message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
        identity = "\0".join((str(uid_of(obj)), kind, reason, message, self._component))
        name = f"{name_of(obj)[:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        count = self._counts.pop(name, 0) + 1
        self._counts[name] = count
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        try:
            await self._write(obj, name, count, kind=kind, reason=reason, message=message)
        except ApiError as error:
            # A namespace on its way out takes no more events, and nobody will read them.
            is_terminating = any(cause.reason == "NamespaceTerminating" for cause in error.causes)
            level = logging.DEBUG if is_terminating else logging.WARNING
            facts = {"reason": reason, "object": name_of(obj), "error": str(error)}
            logger.log(level, "event lost", extra=facts)

    async def _write(
        self, obj: Object, name: str, count: int, *, kind: EventType, reason: str, message: str
    ) -> None:
        namespace = namespace_of(obj) or "default"
        now = format_time(self._clock.now())
        if count > 1:
            try:
                await self._client.patch(
                    EVENTS, name, {"count": count, "lastTimestamp": now}, namespace=namespace
                )
            except NotFoundError:
                pass  # expired meanwhile: tell it anew
            else:
                return
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": obj.get("apiVersion", ""),
                "kind": obj.get("kind", ""),
                "name": name_of(obj),
                "namespace": namespace_of(obj),
                "uid": uid_of(obj),
                "resourceVersion": revision_of(obj),
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count,
        }
        await self._client.apply(EVENTS, event, manager=self._component)
