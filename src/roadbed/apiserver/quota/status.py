"""The writer of ``status`` of ResourceQuotas: one round per namespace that changed, however many changes it had.

Its ``run`` is a task of the server; ``mark`` is called by the hub's observers, ``caught_up`` by writes that wait to be
told of. A round that fails is tried again with the next change, and once a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import orjson

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import ApiRequest, Object

logger = logging.getLogger(__name__)

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
RETRY_S = 60.0


class StatusWriter:
    """Writes what ``used`` gives: the name and the status of every quota of a namespace."""

    def __init__(self, used: Callable[[str], list[tuple[str, Object]]]) -> None:
        self._used = used
        self._marked: dict[str, asyncio.Future[None]] = {}
        self._failed: set[str] = set()
        self._wake: asyncio.Event | None = None  # while ``run`` runs

    def mark(self, namespace: str) -> None:
        """Let the next round look at a namespace."""
        if self._wake is None:
            return
        if namespace not in self._marked:
            self._marked[namespace] = asyncio.get_running_loop().create_future()
        self._wake.set()

    async def caught_up(self, namespace: str) -> None:
        """Return once a round that begins after this call has written the statuses of a namespace."""
        self.mark(namespace)
        marked = self._marked.get(namespace)
        if marked is not None:
            await asyncio.shield(marked)

    async def run(self, system: Any) -> None:
        """Write until cancelled."""
        self._wake = asyncio.Event()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S if self._failed else None):
                        await self._wake.wait()
                self._wake.clear()
                for namespace in self._failed:
                    self.mark(namespace)
                self._failed.clear()
                await self._round(system)
        finally:
            self._wake = None
            for future in self._marked.values():
                future.cancel()
            self._marked.clear()

    async def _round(self, system: Any) -> None:
        taken, self._marked = self._marked, {}
        for namespace, future in taken.items():
            try:
                for name, status in self._used(namespace):
                    await self._write(system, namespace, name, status)
            except ApiError as error:
                logger.warning(
                    "cannot write quota status", extra={"namespace": namespace, "reason": error.reason}
                )
                self._failed.add(namespace)
            finally:
                future.cancel() if future.cancelled() else future.set_result(None)

    @staticmethod
    async def _write(system: Any, namespace: str, name: str, status: Object) -> None:
        try:
            answer = await system.call(ApiRequest.on("get", QUOTAS, namespace=namespace, name=name))
            quota = orjson.loads(answer.body)
            if quota.get("status") == status:
                return
            quota["status"] = status
            del quota["metadata"]["resourceVersion"]  # only this task writes the status
            options = {"fieldManager": "resourcequota-controller"}
            await system.call(
                ApiRequest.on(
                    "update",
                    QUOTAS,
                    namespace=namespace,
                    name=name,
                    subresource="status",
                    body=quota,
                    options=options,
                )
            )
        except NotFoundError:
            return  # deleted meanwhile
