"""The manager: runs controllers, each in a task of its own, and shares informers between them.

``app`` makes one per process and enters it; engines may start and stop controllers while it runs (one
per composite kind, for example). A controller that breaks (not a reconcile: its own machinery) is
started again after a pause. Leaving the manager cancels every controller and waits for them.

With an ``election``, controllers run only while this process leads: what is started before waits, and when
leadership is lost all of them are stopped together and wait for it to be won again. Without one they run at once.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from roadbed.apimachinery.instruments import Instrument
from roadbed.client import Client

from .controller import Controller
from .informers import Informers
from .instruments import QueueInstruments, Tally
from .leaderelection import LeaderElection

logger = logging.getLogger(__name__)

RESTART_AFTER_S = 1.0


class Manager:
    """Controllers by name. Use it as an async context manager."""

    def __init__(self, client: Client, election: LeaderElection | None = None) -> None:
        self._client = client
        self._election = election
        self._stack = AsyncExitStack()
        # The task is None while another process leads.
        self._controllers: dict[str, tuple[Controller, asyncio.Task[None] | None]] = {}
        self._campaign: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._informers: Informers | None = None
        self._instruments = QueueInstruments()

    @property
    def instruments(self) -> list[Instrument]:
        """What the controllers' workqueues tell about themselves."""
        return self._instruments.all()

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
        if self._election is not None:
            self._campaign = self._tasks.create_task(self._election.run(self._lead), name="leader-election")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all controllers, then all informers, and wait for them."""
        if self._campaign is not None:
            self._campaign.cancel()  # stops what runs, then gives the lease back
            await asyncio.gather(self._campaign, return_exceptions=True)
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
        controller.queue.tally = controller.queue.tally or Tally(self._instruments, controller.name)
        runs = self._election is None or self._election.is_leader
        self._controllers[controller.name] = (controller, self._run(controller) if runs else None)

    async def stop(self, name: str) -> None:
        """Stop a controller and wait for its workers; one that does not run is already stopped."""
        running = self._controllers.pop(name, None)
        if running is None:
            return
        task = running[1]
        if task is not None:
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

    async def _lead(self) -> None:
        """Run everything until cancelled: this process leads."""
        for name, (controller, task) in list(self._controllers.items()):
            if task is None:
                self._controllers[name] = (controller, self._run(controller))
        try:
            await asyncio.Event().wait()
        finally:
            running = {name: entry for name, entry in self._controllers.items() if entry[1] is not None}
            for name, (controller, task) in running.items():
                if task is not None:
                    task.cancel()
                self._controllers[name] = (controller, None)
            tasks = [task for _, task in running.values() if task is not None]
            await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, controller: Controller) -> asyncio.Task[None]:
        if self._tasks is None:
            raise RuntimeError("the manager is not running: enter it first")
        return self._tasks.create_task(self._keep_running(controller), name=f"controller/{controller.name}")

    async def _keep_running(self, controller: Controller) -> None:
        while True:
            try:
                await controller.run(self.informers)
            except Exception:
                logger.exception("controller broke", extra={"controller": controller.name})
                await asyncio.sleep(RESTART_AFTER_S)
