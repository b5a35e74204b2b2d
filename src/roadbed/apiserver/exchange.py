"""One request and its answer on a connection, with a short answer's head and body in one write.

``listener`` makes one for each request. uvicorn's own writes the head by itself: over TLS that is a record, a
system call and a wake-up of the client more, for every answer.
"""

from __future__ import annotations

import functools
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

JOINED_BYTES = 64 * 1024  # a larger body is worth a write of its own, but not a copy


WRITER = "http.response.writer"
"""ASGI extension: a message of this type has its ``take`` called with ``Exchange.write``, for a stream's pieces."""


class Exchange(RequestResponseCycle):
    """uvicorn's exchange, but for answers that say their length at once, and for the chunks of a stream."""

    _head: bytes | None = None
    _length = 0

    async def send(self, message: Any) -> None:
        """Take one ASGI message of the answer; a head with a length waits for the body behind it."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = self._whole_head(message)
            if self._head is None:
                await super().send(message)
        elif self._head is not None:
            await self._send_first(message)
        elif message["type"] == WRITER:
            message["take"](self.write)
        elif self.chunked_encoding and message.get("more_body") and message["body"]:
            await self._send_chunk(message["body"])
        else:
            await super().send(message)

    def _whole_head(self, message: Any) -> bytes | None:
        """Give the head of an answer whose length is known; None is for uvicorn to write."""
        if not self.keep_alive or self.scope["method"] == "HEAD":
            return None
        parts = [STATUS_LINE[message["status"]]]
        length = -1
        for name, value in (*self.default_headers, *message.get("headers", ())):
            if name == b"content-length":
                length = int(value)
            elif name in (b"connection", b"transfer-encoding"):
                return None
            if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                raise RuntimeError(f"the header {name!r} holds characters that no header may")
            parts += (name, b": ", value, b"\r\n")
        if length < 0:
            return None
        self._length = length
        parts.append(b"\r\n")
        return b"".join(parts)

    async def _send_first(self, message: Any) -> None:
        """Write the head, and the body with it where that is all of it."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        head, self._head = self._head or b"", None
        if self.disconnected:
            return
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.expected_content_length = self._length
        body = message.get("body", b"")
        if message.get("more_body") or len(body) > JOINED_BYTES or len(body) != self._length:
            self.transport.write(head)
            await super().send(message)
            return
        self.transport.write(head + body)
        self.response_complete = True
        self.message_event.set()
        self.on_response()

    async def _send_chunk(self, body: bytes) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.transport.write(_chunk(body))

    def write(self, body: bytes) -> bool:
        """Write a piece of a stream now; False where it has to wait, or is no stream (any more)."""
        if self.flow.write_paused or self.disconnected or self.response_complete or not self.chunked_encoding:
            return False
        self.transport.write(_chunk(body))
        return True


@functools.lru_cache(maxsize=1)  # one line goes to many watchers, one after the other
def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)
