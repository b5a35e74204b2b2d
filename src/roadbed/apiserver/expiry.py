"""Events live for an hour after they were last written, as in Kubernetes; this takes the older ones away.

What the server itself noted counts, when it was made and when a manager changed it; what an event says about when
it happened is its author's.

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

LIFE_S = 3_600.0  # kube-apiserver's --event-ttl
SWEEP_S = 60.0
BATCH = 500  # deletions between two looks at other work


async def sweep_forever(core: Core, system: LocalTransport, life_s: float) -> None:
    """Sweep once a minute until cancelled; 0 keeps events for ever."""
    if not life_s:
        return
    while True:
        await asyncio.sleep(min(SWEEP_S, life_s))
        try:
            await sweep(core, system, life_s)
        except ApiError as error:
            logger.warning("cannot expire events", extra={"reason": error.reason})


async def sweep(core: Core, system: LocalTransport, life_s: float = LIFE_S) -> int:
    """Delete the events that were last written more than ``life_s`` seconds ago; give how many."""
    cache = core.registry.get(EVENTS.group, EVENTS.version, EVENTS.plural).cache
    now = core.clock()
    oldest = now - timedelta(seconds=life_s)
    old = [entry for entry in cache.entries() if _last_written(orjson.loads(entry.value)) < oldest]
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


def _last_written(event: Object) -> datetime:
    meta = event["metadata"]
    noted = (entry.get("time") for entry in meta.get("managedFields") or ())
    return max(parse_time(text) for text in (meta["creationTimestamp"], *noted) if text)
