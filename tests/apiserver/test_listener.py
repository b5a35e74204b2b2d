"""The port itself: what a connection may send before it is cut off, and what it may not be cut off for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from roadbed.apiserver import ApiServer, Listener

MAPS = "/api/v1/namespaces/default/configmaps"
LARGE_BYTES = 400_000  # more than one read of a socket gives, and far more than a head may have


@pytest.fixture
async def listener(server: ApiServer) -> AsyncIterator[Listener]:
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=None)
    await listener.start()
    yield listener
    await server.stop()
    await listener.stop()


def config(name: str, size_bytes: int) -> dict[str, Any]:
    data = {"text": "x" * size_bytes}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_bodies_of_any_size_below_the_limit_arrive_on_one_connection(listener: Listener) -> None:
    """A body that came in one piece with its head used to count as a head that is too long."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.port}") as client:
        for number, size_bytes in enumerate((10, 70_000, 150_000, LARGE_BYTES, 1_000_000, 10)):
            made = await client.post(MAPS, json=config(f"m{number}", size_bytes))
            assert made.status_code == 201, (size_bytes, made.text[:200])


async def test_a_head_without_end_is_cut_off_after_a_large_body_too(listener: Listener) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    body = orjson.dumps(config("first", LARGE_BYTES))
    writer.write(f"POST {MAPS} HTTP/1.1\r\nhost: api\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET /version HTTP/1.1\r\nx: ")
    sent_bytes = 0
    try:
        while sent_bytes < 4_000_000:
            writer.write(b"y" * 50_000)
            sent_bytes += 50_000
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    assert sent_bytes < 4_000_000
    writer.close()
