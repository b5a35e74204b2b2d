"""The manager: runs controllers, each in a task of its own, and shares informers between them.

``app`` makes one per process and enters it; engines may start and stop controllers while it runs (one
per composite kind, for example). A controller that breaks (not a reconcile: its own machinery) is
started again after a pause. Leaving the manager cancels every controller and waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from roadbed.client import Client

from .controller import Controller
from .informers import Informers

logger = logging.getLogger(__name__)

RESTART_AFTER_S = 1.0


class Manager:
    """Controllers by name. Use it as an async context manager."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stack = AsyncExitStack()
        self._controllers: dict[str, tuple[Controller, asyncio.Task[None]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._informers: Informers | None = None

    @property
    def informers(self) -> Informers:
        """The shared informers; only while the manager runs."""
        if self._informers is None:
            raise RuntimeError("the manager is not running: enter it first")
        return self._informers

    async def __aenter__(self) -> Self:
        """Start with no controllers."""
        self._tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._informers = Informers(self._client, self._tasks)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all controllers, then all informers, and wait for them."""
        for name in list(self._controllers):
            await self.stop(name)
        await self._stack.__aexit__(kind, error, trace)

    def start(self, controller: Controller) -> None:
        """Run a controller until it is stopped.

        Raises:
            ValueError: one of that name runs already.
        """
        if self._tasks is None:
            raise RuntimeError("the manager is not running: enter it first")
        if controller.name in self._controllers:
            raise ValueError(f"controller {controller.name!r} runs already: stop it first")
        task = self._tasks.create_task(self._keep_running(controller), name=f"controller/{controller.name}")
        self._controllers[controller.name] = (controller, task)

    async def stop(self, name: str) -> None:
        """Stop a controller and wait for its workers; one that does not run is already stopped."""
        running = self._controllers.pop(name, None)
        if running is None:
            return
        task = running[1]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def is_running(self, name: str) -> bool:
        """Say whether a controller of that name was started and not stopped."""
        return name in self._controllers

    async def idle(self) -> None:
        """Return once no controller has anything waiting or in work; requeues due later do not count."""
        quiet = False
        while not quiet:
            quiet = True
            for controller, _ in list(self._controllers.values()):
                if controller.queue.is_busy:
                    quiet = False
                    await controller.queue.idle()

    async def _keep_running(self, controller: Controller) -> None:
        while True:
            try:
                await controller.run(self.informers)
            except Exception:
                logger.exception("controller broke", extra={"controller": controller.name})
                await asyncio.sleep(RESTART_AFTER_S)
