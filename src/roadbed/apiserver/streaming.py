"""A watch over HTTP: newline-delimited events until the watch ends or the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from roadbed.apimachinery.errors import ApiError

from . import answering, protobufwrite, table
from .bodies import Receive
from .context import Core
from .exchange import WRITER
from .handlers.watch import Watch
from .negotiation import PLAIN, Form
from .watchcache import Signal

Send = Callable[[dict[str, Any]], Awaitable[None]]
SEND_S = 30.0  # between two looks; a client that took nothing from one to the next is gone
PIECE_BYTES = (
    32 * 1024
)  # sent at once; a thousand watchers that read slowly hold a thousand of these, no more
_NO_CACHE = (b"cache-control", b"no-cache, private")
_START, _START_PROTOBUF = (
    {"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type), _NO_CACHE]}
    for media_type in (b"application/json", b"application/vnd.kubernetes.protobuf;stream=watch")
)


async def stream(
    watch: Watch, form: Form, core: Core, receive: Receive, send: Send, extensions: Container[str]
) -> None:
    """Send a watch's events; an error in its course is sent as an ERROR event with its Status.

    Where ASGI's ``extensions`` have a writer, lines that all watchers share leave by it, without this task waking.
    """
    try:
        shape = _Shape(watch, form, core)
        start = _START_PROTOBUF if form.encoding == "protobuf" else _START
        await send(_warned(start, watch.warnings) if watch.warnings else start)
        if WRITER in extensions and shape.is_shared:
            await send({"type": WRITER, "take": lambda write: watch.push_to(write, shape.count)})
        gone = asyncio.create_task(_until_gone(receive, watch), name="watch-disconnect")
        try:
            await _send_all(watch, shape, send)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
    finally:
        watch.stop()
    await send({"type": "http.response.body", "body": b""})


def _warned(start: dict[str, Any], warnings: tuple[str, ...]) -> dict[str, Any]:
    return {**start, "headers": [*start["headers"], *answering.warned(warnings)]}


async def _send_all(watch: Watch, shape: _Shape, send: Send) -> None:
    try:
        async with asyncio.timeout(None) as guard, aclosing(watch.batches()) as batches:
            stall = _Stall(guard)
            try:
                async for batch in batches:
                    pieces = (shape.bookmark(batch),) if isinstance(batch, bytes) else shape.signals(batch)
                    for content in pieces:
                        stall.is_sending = True
                        await send({"type": "http.response.body", "body": content, "more_body": True})
                        stall.is_sending, stall.seen = False, False
            finally:
                stall.stop()
    except TimeoutError:
        return  # nobody reads; the connection is as good as gone
    except ApiError as error:
        line = shape.line("ERROR", orjson.dumps(error.to_status()))
        await send({"type": "http.response.body", "body": line, "more_body": True})


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    piece, size_bytes = [], 0
    for line in lines:
        piece.append(line)
        size_bytes += len(line)
        if size_bytes >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size_bytes = [], 0
    if piece:
        yield b"".join(piece)


class _Stall:
    """Ends a send that takes longer than one look to the next: no timer to arm for each of many sends."""

    def __init__(self, guard: asyncio.Timeout) -> None:
        self.is_sending = False
        self.seen = False
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(SEND_S, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self.is_sending and self.seen:
            self._guard.reschedule(self._loop.time())
            return
        self.seen = self.is_sending
        self._timer = self._loop.call_later(SEND_S, self._look)


async def _until_gone(receive: Receive, watch: Watch) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    watch.stop()


class _Shape:
    """Gives events the form that was asked for; plain JSON lines are shared by all watchers."""

    def __init__(self, watch: Watch, form: Form, core: Core) -> None:
        self._served = watch.served
        self._form = form
        self._clock = core.clock
        self._metrics = core.metrics
        resource = watch.served.resource
        self._labels = (resource.group, resource.version, resource.plural)
        self._include = table.include_object(watch.options.get("includeObject", ""))
        self._is_headed = True
        self.is_shared = form is PLAIN or (not form.shape and form.encoding == "json")

    def count(self, events: int) -> None:
        """Count events that were sent to watchers of what this one watches."""
        self._metrics.watch_events(self._labels, events)

    def signals(self, batch: Sequence[Signal]) -> Iterable[bytes]:
        """Give a batch in pieces: what a slow client has not taken yet stays in lines that all watchers share."""
        self.count(len(batch))
        if self.is_shared:
            lines: Iterable[bytes] = (signal.line for signal in batch)
        else:
            lines = (self.line(signal.type, self._object(signal.entry.value)) for signal in batch)
        return (next(iter(lines)),) if len(batch) == 1 else _pieces(lines)

    def bookmark(self, value: bytes) -> bytes:
        # Its object is all that it says, whatever was asked for.
        return self.line("BOOKMARK", self._object(value, "Metadata"))

    def _object(self, value: bytes, include: str = "") -> bytes:
        if not self._form.shape:
            return value
        if self._form.shape != "Table":
            return table.partial(value, version=self._form.version)
        headed, self._is_headed = self._is_headed, False
        meta = {"resourceVersion": orjson.loads(value)["metadata"]["resourceVersion"]}
        return table.table(
            self._served.columns,
            [value],
            meta,
            self._clock(),
            include=include or self._include,
            headed=headed,
            version=self._form.version,
        )

    def line(self, type_: str, value: bytes) -> bytes:
        """Give one event as it is sent."""
        if self._form.encoding == "protobuf":
            return protobufwrite.event(type_, value)
        return b'{"type":"%b","object":%b}\n' % (type_.encode(), value)
