"""Hundreds of watchers that read slowly or not at all: bounded memory, others served, and the slowest cut off.

kube-apiserver ends the watch of a client that lags behind its buffer; the client lists again. Here the watch ends
with 410 for whoever still reads, and with its connection for whoever does not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer, Listener, watchcache
from roadbed.apiserver.listener import UNSENT_BYTES, Patience
from roadbed.apiserver.streaming import PIECE_BYTES
from roadbed.testing import eventually

pytestmark = pytest.mark.acceptance

MAPS = b"/api/v1/namespaces/default/configmaps"
SMALL_BYTES = 4096  # of the kernel's buffers, so that it is we who hold what clients do not take
QUEUED = 150  # changes that a watcher may lag here; 8,192 would only take longer
CHANGES = 600
CHANGE_BYTES = 4_000
OURSELVES_BYTES = 64 * 1024 * 1024  # what the changes themselves and one more turn of the process may cost


@pytest.fixture
async def listener(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listener]:
    monkeypatch.setattr(watchcache, "QUEUE", QUEUED)
    patience = Patience(stall_s=2.0, look_s=0.1)
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=None, patience=patience)
    await listener.start()
    assert listener._server is not None
    for each in listener._server.sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BYTES)
    yield listener
    await server.stop()
    await listener.stop()


class Watching:
    """A watcher of plain sockets that reads only when told."""

    def __init__(self) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        self.sock.setblocking(False)
        self.got = bytearray()
        self.is_cut = False

    async def begin(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.sock, ("127.0.0.1", port))
        await loop.sock_sendall(self.sock, b"GET %b?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n" % MAPS)
        while b"\r\n\r\n" not in self.got:
            self.got += await loop.sock_recv(self.sock, 1)
        self.got.clear()

    def read(self, most_bytes: int) -> int:
        """Take what is there, up to so much; gives how much it was."""
        try:
            piece = self.sock.recv(most_bytes)
        except BlockingIOError:
            return 0
        except ConnectionError:
            piece = b""
        self.is_cut = self.is_cut or not piece
        self.got += piece
        return len(piece)

    def events(self) -> list[dict[str, Any]]:
        """Give the whole events that have come."""
        rest, lines = bytes(self.got), b""
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            lines += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return [orjson.loads(line) for line in lines.split(b"\n")[:-1]]


@pytest.fixture
def watching() -> Iterator[Callable[[int], list[Watching]]]:
    """Give a function that makes watchers; they are closed in the end."""
    made: list[Watching] = []

    def make(count: int) -> list[Watching]:
        made.extend(Watching() for _ in range(count))
        return made[-count:]

    yield make
    for each in made:
        each.sock.close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def turns_told(events: Sequence[dict[str, Any]]) -> list[int]:
    return [int(event["object"]["data"]["turn"]) for event in events if event["type"] == "MODIFIED"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("count", [200, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_slow_watchers_hold_little_and_nobody_up_and_are_cut_off(
    listener: Listener, server: ApiServer, api: Any, watching: Callable[[int], list[Watching]], count: int
) -> None:
    obj = await api.create(CONFIGMAPS, {"metadata": {"name": "m", "namespace": "default"}})
    slow, deaf, quick = watching(count // 2), watching(count // 2), watching(2)
    for each in (*slow, *deaf, *quick):
        await each.begin(listener.port)
    cache = server._registry.get("", "v1", "configmaps").cache
    assert len(cache._watchers) == count + len(quick)
    before_bytes, most_bytes = resident_bytes(), 0
    for turn in range(CHANGES):
        obj["data"] = {"turn": str(turn), "text": "x" * CHANGE_BYTES}
        obj = await api.update(CONFIGMAPS, obj)
        for each in quick:
            while each.read(65_536):
                pass
        if turn % 10 == 0:
            for each in slow:
                each.read(SMALL_BYTES)  # a tenth of what it is told
        await asyncio.sleep(0)
        most_bytes = max(most_bytes, listener.unsent_bytes)
    # Each was told 2.4 MB; it holds what its connection may, one piece, and references to what all share.
    assert count * PIECE_BYTES // 2 < most_bytes < count * (UNSENT_BYTES + 2 * PIECE_BYTES)
    taken_bytes = sum(len(each.got) for each in (*slow, *quick))  # what the clients hold in this same process
    grown_bytes = resident_bytes() - before_bytes - taken_bytes
    assert grown_bytes < count * (UNSENT_BYTES + 4 * PIECE_BYTES) + OURSELVES_BYTES

    async def told_all() -> bool:
        for each in (*quick, *slow):
            while each.read(65_536):
                pass
        return all(turns_told(each.events()) == list(range(CHANGES)) for each in quick)

    await eventually(told_all, within_s=30)

    async def only_quick_ones() -> bool:
        for each in slow:
            while each.read(65_536):
                pass
        return len(cache._watchers) == len(quick) and not listener.unsent_bytes

    await eventually(only_quick_ones, within_s=90)
    for each in deaf:
        while not each.is_cut:
            assert each.read(65_536) or each.is_cut, "the connection is still open"
    for each in slow:
        events = each.events()
        turns = turns_told(events)
        assert turns == list(range(len(turns))), "a watcher that lags misses nothing up to its end"
        assert len(turns) < CHANGES
        if not each.is_cut:
            told = events[-1]["object"]
            assert (told["code"], told["reason"]) == (410, "Expired")
    assert not all(each.is_cut for each in slow)
