"""The condition ``Dangling`` of FlowSchemas: whether the level that one names exists.

``SchemaStatus.run`` is a task of the server. It hears of FlowSchemas and levels from the store, looks at all schemas
once for any number of changes, and applies the condition to those whose differs. What it writes decides nothing: a
schema without a level is passed over by ``control`` at once. A refused write is tried again with the next change, and
once a minute.

Source: k8s.io/apiserver/pkg/util/flowcontrol/apf_controller.go (presyncFlowSchemaStatus)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import APPLY_PATCH, ApiRequest, Object
from roadbed.storage import Event, Storage

from .defaults import API_VERSION

logger = logging.getLogger(__name__)

FLOW_SCHEMAS: Final = Resource(
    "flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "FlowSchema", namespaced=False
)
MANAGER: Final = "api-priority-and-fairness-config-consumer-v1"
RETRY_S = 60.0
SETTLE_S = 0.5  # after the start, unless something changes first: a start has more urgent writes
_PREFIX: Final = "/flowcontrol.apiserver.k8s.io/"
_SCHEMAS: Final = f"{_PREFIX}flowschemas/"
_LEVELS: Final = f"{_PREFIX}prioritylevelconfigurations/"


class SchemaStatus:
    """The task; ``now`` gives the present as objects show it."""

    def __init__(self, storage: Storage, now: Callable[[], str]) -> None:
        self._storage = storage
        self._now = now

    async def run(self, system: Any) -> None:
        """Write until cancelled; ``system`` is a transport with every right."""
        wake = asyncio.Event()

        def observe(events: Sequence[Event]) -> None:
            if any(event.key.startswith(_PREFIX) for event in events):
                wake.set()

        leave = self._storage.subscribe(observe)
        wait_s: float | None = SETTLE_S
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await wake.wait()
                wake.clear()
                wait_s = None if await self._round(system) else RETRY_S
        finally:
            leave()

    async def _round(self, system: Any) -> bool:
        """Look at every schema; says whether all that had to be written was."""
        levels = {record.key.removeprefix(_LEVELS) for record in self._storage.scan(_LEVELS)}
        wanted = {}
        for record in self._storage.scan(_SCHEMAS):
            schema = orjson.loads(record.value)
            named = (schema.get("spec") or {}).get("priorityLevelConfiguration") or {}
            level = str(named.get("name") or "")
            condition = dangling(level, is_there=level in levels)
            if not _has(schema, condition):
                wanted[schema["metadata"]["name"]] = condition
        written = [await self._write(system, name, condition) for name, condition in wanted.items()]
        return all(written)

    async def _write(self, system: Any, name: str, condition: Object) -> bool:
        body: Object = {
            "apiVersion": API_VERSION,
            "kind": FLOW_SCHEMAS.kind,
            "metadata": {"name": name},
            "status": {"conditions": [{**condition, "lastTransitionTime": self._now()}]},
        }
        options = {"fieldManager": MANAGER, "force": "true"}
        place: Any = {"name": name, "subresource": "status", "options": options}
        try:
            await system.call(
                ApiRequest.on("patch", FLOW_SCHEMAS, body=body, patch_type=APPLY_PATCH, **place)
            )
        except NotFoundError:
            return True  # deleted meanwhile
        except ApiError as error:
            logger.warning(
                "cannot write a FlowSchema's status", extra={"schema": name, "reason": error.reason}
            )
            return False
        return True


def dangling(level: str, *, is_there: bool) -> Object:
    """Give the condition of a schema that names ``level``, but for its time."""
    said = "and it exists" if is_there else "but there is no such object"
    return {
        "type": "Dangling",
        "status": "False" if is_there else "True",
        "reason": "Found" if is_there else "NotFound",
        "message": f"This FlowSchema references the PriorityLevelConfiguration object named {go_quote(level)} {said}",
    }


def _has(schema: Object, condition: Object) -> bool:
    held = (schema.get("status") or {}).get("conditions") or ()
    return any(condition.items() <= each.items() for each in held)
