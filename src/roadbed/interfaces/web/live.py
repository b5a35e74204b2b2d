"""Live pages: server-sent events that patch parts of a page when the objects behind them change.

One ``LiveStream`` per open page, on the loop, as its reader. Watches only say *that* something changed;
the page's parts are then read and rendered anew and sent where their HTML differs, so a lost or doubled
event does no harm. It ends when the browser leaves, the portal stops, or after ``LONGEST_S``, when
the browser connects again and its session is checked again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from markupsafe import escape
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from roadbed.apimachinery.errors import ApiError, ForbiddenError, NotFoundError
from roadbed.client import Client

from .portal import Portal
from .tree import Target

logger = logging.getLogger(__name__)

MOST_STREAMS = 200
MOST_WATCHES = 64
LONGEST_S = 600.0
PING_S = 15.0  # proxies drop a silent connection; a browser shows the stream as stale after two of these
GATHER_S = 0.04  # a burst of changes is one patch
SHARE = 9.0  # a look that takes 10 ms waits 90 ms for the next: a tenth of a core per open page at most
LONGEST_GATHER_S = 2.0
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What a page shows now: its parts by event name, and what to watch to keep them true."""

    parts: Mapping[str, str]
    targets: frozenset[Target]


Look = Callable[[], Awaitable[Sight]]


class LiveStream:
    """An ASGI response that lasts as long as its page."""

    def __init__(self, portal: Portal, client: Client, look: Look) -> None:
        self._portal = portal
        self._client = client
        self._look = look
        self._changed = asyncio.Event()
        self._sent: dict[str, str] = {}
        self._watched: set[Target] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until somebody has had enough."""
        if self._portal.streams >= MOST_STREAMS:
            busy = PlainTextResponse("too many live pages are open; close some or reload by hand\n", 503)
            await busy(scope, receive, send)
            return
        self._portal.streams += 1
        try:
            async with asyncio.TaskGroup() as tasks:
                ends = [
                    tasks.create_task(_disconnected(receive)),
                    tasks.create_task(_stopped(self._portal.stopping)),
                    tasks.create_task(asyncio.sleep(LONGEST_S)),
                    tasks.create_task(self._talk(send, tasks)),
                ]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                raise _EndedError
        except* _EndedError:
            pass
        finally:
            self._portal.streams -= 1

    async def _talk(self, send: Send, tasks: asyncio.TaskGroup) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"retry: 1500\n\n", "more_body": True})
        while True:
            self._changed.clear()
            started = time.perf_counter()
            try:
                sight = await self._look()
            except (NotFoundError, ForbiddenError) as error:
                await send(_message("gone", str(escape(error.message)), last=True))
                return
            except ApiError as error:
                logger.debug("live page could not look", extra={"error": error.message})
                await asyncio.sleep(RETRY_S)
                continue
            for target in sight.targets - self._watched:
                if len(self._watched) < MOST_WATCHES:
                    self._watched.add(target)
                    tasks.create_task(self._follow(target))
            for name, html in sight.parts.items():
                if self._sent.get(name) != html:
                    self._sent[name] = html
                    await send(_message(name, html))
            await self._wait(send, time.perf_counter() - started)

    async def _wait(self, send: Send, spent_s: float) -> None:
        while not self._changed.is_set():
            try:
                async with asyncio.timeout(PING_S):
                    await self._changed.wait()
            except TimeoutError:
                await send(
                    {"type": "http.response.body", "body": b"event: ping\ndata:\n\n", "more_body": True}
                )
        # While much changes, an expensive page looks less often, so that it stays a guest on this loop.
        await asyncio.sleep(min(max(GATHER_S, spent_s * SHARE), LONGEST_GATHER_S))

    async def _follow(self, target: Target) -> None:
        fields = f"metadata.name={target.name}" if target.name else ""
        while True:
            try:
                # From no revision: what exists comes first, so nothing between look and watch is missed.
                events = self._client.watch(target.resource, target.namespace, fields=fields)
                async with aclosing(events):
                    async for _ in events:
                        self._changed.set()
            except (ForbiddenError, NotFoundError):
                # Not to be seen, or its kind is gone: nothing to follow. Should it come back, a look finds it again.
                self._watched.discard(target)
                return
            except ApiError as error:
                logger.debug("live watch interrupted", extra={"error": error.message})
            self._changed.set()
            await asyncio.sleep(RETRY_S)


class _EndedError(Exception):
    """The stream has come to its end; the task group cancels what is left."""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stopped(stopping: asyncio.Event) -> None:
    await stopping.wait()


def _message(name: str, text: str, *, last: bool = False) -> dict[str, object]:
    lines = "\n".join(f"data: {line}" for line in text.split("\n"))
    return {
        "type": "http.response.body",
        "body": f"event: {name}\n{lines}\n\n".encode(),
        "more_body": not last,
    }
