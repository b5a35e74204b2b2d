"""Informers shared by all controllers of a process: one list and one watch per resource, however many look.

Owned by the ``Manager``, whose task group runs them. An informer starts with its first user and ends
with its last, so that resources nobody looks at cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from roadbed.apimachinery.gvk import Resource
from roadbed.client import Client, Informer

logger = logging.getLogger(__name__)

RESTART_AFTER_S = 1.0


@dataclass(slots=True)
class _Shared:
    informer: Informer
    task: asyncio.Task[None]
    users: int = 0


class Informers:
    """Resource to running informer, counted by users."""

    def __init__(self, client: Client, tasks: asyncio.TaskGroup) -> None:
        self._client = client
        self._tasks = tasks
        self._shared: dict[Resource, _Shared] = {}

    def acquire(self, resource: Resource) -> Informer:
        """Give the running informer, starting it at need; ``release`` it when done."""
        shared = self._shared.get(resource)
        if shared is None:
            informer = Informer(self._client, resource)
            task = self._tasks.create_task(_keep_running(informer), name=f"informer/{resource.qualified}")
            shared = self._shared[resource] = _Shared(informer, task)
        shared.users += 1
        return shared.informer

    def release(self, resource: Resource) -> None:
        """Give up one use; the last one stops the informer."""
        shared = self._shared[resource]
        shared.users -= 1
        if shared.users == 0:
            shared.task.cancel()
            del self._shared[resource]

    def of(self, resource: Resource) -> Informer:
        """Give an informer that someone already uses.

        Raises:
            KeyError: nobody does; ``acquire`` it.
        """
        return self._shared[resource].informer


async def _keep_running(informer: Informer) -> None:
    # A handler of one engine that breaks must not take the other engines down with it.
    while True:
        try:
            await informer.run()
        except Exception:
            logger.exception("informer broke", extra={"resource": informer.resource.qualified})
            await asyncio.sleep(RESTART_AFTER_S)
