"""A listener without TLS and raw connections to it: what HTTP clients would never send."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadbed.apiserver import ApiServer, Listener

_STATUS = re.compile(rb"HTTP/1\.1 (\d+) ")


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, content: bytes) -> None:
        """Send bytes; a server that hung up meanwhile is no failure here."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(content)
            await self.writer.drain()

    async def hear_all(self) -> bytes:
        """Give everything until the server hangs up."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            while piece := await self.reader.read(65536):
                heard += piece
        return heard

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Give the next answer: status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split(" ")[1]), headers, body

    async def codes(self, content: bytes) -> list[int]:
        """Send bytes, and a last request that ends the connection; give the codes of all answers."""
        await self.say(content + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return [int(code) for code in _STATUS.findall(await self.hear_all())]

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def listener(server: ApiServer) -> AsyncIterator[Listener]:
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=None)
    await listener.start()
    yield listener
    await server.stop()
    await listener.stop()


@pytest.fixture
async def wires(listener: Listener) -> AsyncIterator[Any]:
    """Give a function that opens one more connection."""
    opened: list[Wire] = []

    async def connect(**options: Any) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", listener.port, **options))
        opened.append(wire)
        return wire

    yield connect
    for wire in opened:
        wire.close()


@pytest.fixture
async def wire(wires: Any) -> Wire:
    found: Wire = await wires()
    return found
