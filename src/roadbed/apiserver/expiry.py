"""Events live for an hour after they were last seen, as in Kubernetes; this takes the older ones away.

One task of the server runs it until the server stops. Deletions are ordinary ones: watchers see them.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import orjson

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import ApiRequest, Object
from roadbed.apimachinery.timestamps import parse_time
from roadbed.apis.core import EVENTS

from .context import Core
from .local import LocalTransport

logger = logging.getLogger(__name__)

LIFE = timedelta(hours=1)  # kube-apiserver's --event-ttl
SWEEP_S = 60.0
BATCH = 500  # deletions between two looks at other work


async def sweep_forever(core: Core, system: LocalTransport) -> None:
    """Sweep once a minute until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_S)
        try:
            await sweep(core, system)
        except ApiError as error:
            logger.warning("cannot expire events", extra={"reason": error.reason})


async def sweep(core: Core, system: LocalTransport) -> int:
    """Delete the events that were last seen more than ``LIFE`` ago; give how many."""
    cache = core.registry.get(EVENTS.group, EVENTS.version, EVENTS.plural).cache
    now = core.clock()
    old = [entry for entry in cache.entries() if _last_seen(orjson.loads(entry.value)) < now - LIFE]
    for start in range(0, len(old), BATCH):
        deletions = []
        for entry in old[start : start + BATCH]:
            namespace, _, name = entry.path.rpartition("/")
            body = {"preconditions": {"resourceVersion": str(entry.revision)}}
            request = ApiRequest.on("delete", EVENTS, namespace=namespace, name=name, body=body)
            deletions.append(system.call(request))
        for outcome in await asyncio.gather(*deletions, return_exceptions=True):
            # Gone meanwhile, or seen again: both are fine.
            if isinstance(outcome, BaseException) and not isinstance(outcome, ApiError):
                raise outcome
    return len(old)


def _last_seen(event: Object) -> datetime:
    series = event.get("series") or {}
    texts = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"]["creationTimestamp"],
    )
    return max(parse_time(text) for text in texts if text)
