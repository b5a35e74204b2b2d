"""Clients that keep us waiting: none holds memory or a connection for longer than it may."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer, Listener
from roadbed.apiserver.listener import Patience
from roadbed.testing import eventually

pytestmark = pytest.mark.acceptance

MAPS = b"/api/v1/namespaces/default/configmaps"
SMALL_BYTES = 4096  # of a socket's buffers, so that a client that reads nothing is felt soon


@pytest.fixture
async def listener(server: ApiServer) -> AsyncIterator[Listener]:
    patience = Patience(head_s=0.1, body_s=0.2, stall_s=0.2, look_s=0.02)
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=None, patience=patience)
    await listener.start()
    yield listener
    await server.stop()
    await listener.stop()


def config(name: str, size_bytes: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"text": "x" * size_bytes}}


async def test_a_head_that_never_ends_ends_its_connection(wires: Any) -> None:
    opened = [
        (await wires(), begun) for begun in (b"", b"GET", b"GET /version HTTP/1.1\r\nHost: x\r\nX-A: b")
    ]
    for wire, begun in opened:
        await wire.say(begun)
    assert [await wire.hear_all() for wire, _ in opened] == [b"", b"", b""]


async def test_a_head_in_dribbles_gets_no_more_time_than_one_that_stops(wire: Any) -> None:
    await wire.say(b"GET /version HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(1.5):
        while not wire.reader.at_eof() and wire.reader.exception() is None:
            await wire.say(b"X: y\r\n")
            await asyncio.sleep(0.01)  # what a slow client does, not what the test waits for


async def test_a_body_that_never_ends_ends_its_connection_and_gives_its_seat_back(
    wires: Any, api: Any, server: ApiServer
) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n%%b\r\n\r\n" % MAPS
    begun = b"kind: ConfigMap\nmetadata: {name: half}\n"
    cases = [
        head % b"Content-Length: 99",
        head % b"Content-Length: 99" + begun,
        head % b"Transfer-Encoding: chunked",
        head % b"Transfer-Encoding: chunked" + b"%x\r\n%b\r\n" % (len(begun), begun),
        b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n" + head % b"Content-Length: 99",
    ]
    opened = [(await wires(), case) for case in cases]
    for wire, case in opened:
        await wire.say(case)
    for wire, case in opened[:-1]:
        assert (await wire.hear())[0] == 400, case
        assert await wire.hear_all() == b""
    assert [(await opened[-1][0].hear())[0] for _ in range(2)] == [200, 400]

    async def free() -> bool:
        return not sum(level.in_work for level in server._flow.levels.values())

    await eventually(free, within_s=1)
    assert "half" not in await api.names(CONFIGMAPS, "default")


async def test_a_body_in_dribbles_gets_no_more_time_than_one_that_stops(wire: Any) -> None:
    await wire.say(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n" % MAPS)
    async with asyncio.timeout(1.5):
        while not wire.reader.at_eof() and wire.reader.exception() is None:
            await wire.say(b" ")
            await asyncio.sleep(0.01)  # what a slow client does, not what the test waits for


async def test_a_connection_between_requests_may_be_idle(wire: Any) -> None:
    for _ in range(2):
        await wire.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.hear())[0] == 200
        await asyncio.sleep(0.2)  # longer than a head may take


async def test_an_answer_that_nobody_reads_is_given_up(wires: Any, api: Any, listener: Listener) -> None:
    for number in range(8):
        await api.create(CONFIGMAPS, config(f"large-{number}", 1_000_000))
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
    deaf.setblocking(False)
    await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", listener.port))
    await asyncio.get_running_loop().sock_sendall(deaf, b"GET " + MAPS + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(1.5):
        while not listener.unsent_bytes:
            await asyncio.sleep(0.005)
        while listener.unsent_bytes:
            await asyncio.sleep(0.005)
    deaf.close()
    wire = await wires()
    await wire.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await wire.hear())[0] == 200


async def test_watchers_that_read_slowly_share_what_they_have_not_taken(
    wires: Any, api: Any, listener: Listener
) -> None:
    """Each holds a piece and references, not its own copy of all that happened meanwhile."""
    watchers = 20
    for _ in range(watchers):
        wire = await wires()
        sock = wire.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        await wire.say(b"GET " + MAPS + b"?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        await wire.reader.readuntil(b"\r\n\r\n")
        wire.writer.transport.pause_reading()
    most_bytes = 0
    for number in range(60):
        await api.create(CONFIGMAPS, config(f"m-{number}", 100_000))
        await asyncio.sleep(0)
        most_bytes = max(most_bytes, listener.unsent_bytes)
    assert 0 < most_bytes < watchers * 400_000  # of 6 MB that each was told


async def test_a_watcher_that_reads_slowly_gets_everything_in_order(wires: Any, api: Any) -> None:
    wire = await wires()
    await wire.say(
        b"GET " + MAPS + b"?watch=1&resourceVersion=1&timeoutSeconds=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    await wire.reader.readuntil(b"\r\n\r\n")
    for number in range(30):
        await api.create(CONFIGMAPS, config(f"m-{number:02}", 20_000))
    content = b""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while size := int((await wire.reader.readuntil(b"\r\n")).rstrip(), 16):
            content += await wire.reader.readexactly(size)
            await wire.reader.readexactly(2)
    names = [orjson.loads(line)["object"]["metadata"]["name"] for line in content.splitlines()]
    assert [name for name in names if name.startswith("m-")] == [f"m-{number:02}" for number in range(30)]
