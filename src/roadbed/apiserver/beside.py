"""Pure work that may take long: done on the event loop while it is short, in a thread beside it where it is not.

Used for expressions: rules of custom resources (``decoding``), policies and match conditions (``policies``). Work is
a function that spends of the ``Turn`` it is given and changes nothing that others see; it is begun on the loop, and
begun anew in a thread when its turn is over. Threads share the interpreter with the loop, which gets it back within
some milliseconds. What such work has to ask of the loop's objects it asks with ``at_home``. ``close`` lets work that
still runs end with its next expression, as does the end of the request that waits for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from roadbed.apimachinery.cel_costs import INLINE, TooLongError, Turn, pause_with

Result = TypeVar("Result")
THREADS = (
    2  # one long evaluation does not keep all others waiting; more would only share the interpreter further
)
HOME_S = 10.0  # for the loop to answer; it is never held for longer unless the process is stopped
PAUSE_S = 0.0002  # long enough for the loop to wake up and take the interpreter
_here = threading.local()


class Beside:
    """The threads of one server, started on first use."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._running: set[Turn] = set()

    async def run(self, work: Callable[[Turn], Result]) -> Result:
        """Give what the work gives; it may be begun twice."""
        try:
            return work(Turn(INLINE))
        except TooLongError:
            return await self._elsewhere(work)

    def close(self) -> None:
        """Let everything end that still runs; nothing can be run afterwards."""
        for turn in self._running:
            turn.end()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _elsewhere(self, work: Callable[[Turn], Result]) -> Result:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "expressions", lambda: pause_with(_pause))
        loop, turn = asyncio.get_running_loop(), Turn()

        def begin() -> Result:
            _here.home = loop
            at_home(
                lambda: None
            )  # starting a thread holds the loop until the thread lets go of the interpreter
            return work(turn)

        self._running.add(turn)
        try:
            return await loop.run_in_executor(self._threads, begin)
        finally:
            self._running.discard(turn)
            turn.end()


def _pause() -> None:
    time.sleep(PAUSE_S)


def at_home(ask: Callable[[], Result]) -> Result:
    """Give an answer that only the loop can give, from wherever it is asked.

    Raises:
        TimeoutError: the loop did not answer.
    """
    home: asyncio.AbstractEventLoop | None = getattr(_here, "home", None)
    if home is None:
        return ask()

    async def give() -> Result:
        return ask()

    return asyncio.run_coroutine_threadsafe(give(), home).result(HOME_S)
