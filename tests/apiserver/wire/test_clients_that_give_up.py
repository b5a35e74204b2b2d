"""Clients that give up lists and watches at any point: every byte of every answer is read strictly all the same.

Each client goes on over the connections that it has not given up, so an answer that is too long or too short, that
belongs to another request, or that is written into another one, is seen by the next. Clients of plain sockets read
with a parser that takes nothing but what RFC 9112 says; clients of the HTTP library are those of the platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import itertools
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.client import Client, connect
from roadbed.testing import control_plane, serving

pytestmark = pytest.mark.acceptance

MAPS = "/api/v1/namespaces/default/configmaps"
OBJECTS = 200
CLIENTS = 6
_STATUS = re.compile(rb"HTTP/1\.1 [2-5]\d\d [A-Za-z ]+")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x20-\x7e]*)")
_SIZE = re.compile(rb"[0-9a-f]+")


class Strict:
    """One connection; reads answers and takes nothing that is not exactly one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, path: str, audit_id: str, *, method: str = "GET", more: str = "") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAudit-Id: {audit_id}\r\n{more}\r\n"
        self.writer.write(head.encode())
        await self.writer.drain()

    async def head(self, audit_id: str) -> dict[bytes, bytes]:
        """Give the fields of the next answer, which must be the one to that request."""
        line, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        assert _STATUS.fullmatch(line), line
        fields: dict[bytes, bytes] = {}
        for each in lines:
            found = _FIELD.fullmatch(each)
            assert found, each
            assert found[1].lower() not in fields, lines
            fields[found[1].lower()] = found[2]
        assert fields[b"audit-id"].decode() == audit_id
        assert (b"content-length" in fields) != (b"transfer-encoding" in fields), fields
        return fields

    async def pieces(self, fields: dict[bytes, bytes]) -> AsyncIterator[bytes]:
        """Give the body as it comes."""
        if b"content-length" in fields:
            left = int(fields[b"content-length"])
            while left:
                piece = await self._reader.read(min(left, 8_192))
                assert piece, "the connection ended before the body did"
                left -= len(piece)
                yield piece
            return
        assert fields[b"transfer-encoding"] == b"chunked"
        while size := await self._size():
            yield await self._reader.readexactly(size)
            assert await self._reader.readexactly(2) == b"\r\n"
        assert await self._reader.readexactly(2) == b"\r\n"

    async def _size(self) -> int:
        line = (await self._reader.readuntil(b"\r\n"))[:-2]
        assert _SIZE.fullmatch(line), line
        return int(line, 16)

    async def is_quiet(self) -> bool:
        """Say whether nothing follows the last answer."""
        await asyncio.sleep(0)
        return not self._reader._buffer and not self._reader.at_eof()

    def give_up(self, *, abruptly: bool) -> None:
        if abruptly:
            self.writer.transport.abort()
        else:
            self.writer.close()


def objects_of(body: bytes) -> list[Any]:
    found = orjson.loads(body)
    assert found["kind"] == "ConfigMapList"
    names = [item["metadata"]["name"] for item in found["items"]]
    assert names == sorted(names)
    items: list[Any] = found["items"]
    return items


class Impatient:
    """Lists, watches and writes over one connection after another."""

    def __init__(self, port: int, number: int) -> None:
        self.choice = random.Random(number)
        self.ids = (f"{number}-{turn}" for turn in itertools.count())
        self.port = port
        self.wire: Strict | None = None
        self.kept = 0  # requests on connections that had served others before

    async def go(self, turns: int) -> None:
        deeds = [self.list_all, self.list_half, self.watch, self.pipeline, self.create]
        for _ in range(turns):
            if self.wire is None:
                self.wire = Strict(*await asyncio.open_connection("127.0.0.1", self.port))
            else:
                self.kept += 1
            if not await self.choice.choice(deeds)(self.wire, next(self.ids)):
                self.wire.give_up(abruptly=self.choice.random() < 0.5)
                self.wire = None
            else:
                assert await self.wire.is_quiet()
        if self.wire is not None:
            self.wire.give_up(abruptly=False)

    async def list_all(self, wire: Strict, audit_id: str) -> bool:
        packs = self.choice.random() < 0.5
        await wire.ask(MAPS, audit_id, more="Accept-Encoding: gzip\r\n" if packs else "")
        fields = await wire.head(audit_id)
        body = b"".join([piece async for piece in wire.pieces(fields)])
        assert (b"content-encoding" in fields) == packs
        assert len(objects_of(gzip.decompress(body) if packs else body)) >= OBJECTS
        return True

    async def list_half(self, wire: Strict, audit_id: str) -> bool:
        await wire.ask(MAPS, audit_id)
        if self.choice.random() < 0.3:
            return False  # before there is an answer
        left = self.choice.randrange(100_000)
        async for piece in wire.pieces(await wire.head(audit_id)):
            left -= len(piece)
            if left <= 0:
                break
        return False

    async def watch(self, wire: Strict, audit_id: str) -> bool:
        query = self.choice.choice(("", "&allowWatchBookmarks=true", "&resourceVersion=1"))
        await wire.ask(f"{MAPS}?watch=1{query}", audit_id)
        left, rest = self.choice.randrange(5), b""
        async for piece in wire.pieces(await wire.head(audit_id)):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                assert orjson.loads(line)["type"] in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
            left -= 1
            if left <= 0:
                break
        return False

    async def pipeline(self, wire: Strict, audit_id: str) -> bool:
        ids = [audit_id, next(self.ids), next(self.ids)]
        for each in ids:
            await wire.ask(MAPS + "?limit=20", each)
        for each in ids[: 3 if self.choice.random() < 0.5 else 1]:
            body = b"".join([piece async for piece in wire.pieces(await wire.head(each))])
            assert len(objects_of(body)) == 20
        return each is ids[-1]

    async def create(self, wire: Strict, audit_id: str) -> bool:
        meta = {"name": f"z-{self.choice.randrange(20)}", "namespace": "default"}
        body = orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        await wire.ask(MAPS, audit_id, method="POST", more=more)
        wire.writer.write(body)
        made = b"".join([piece async for piece in wire.pieces(await wire.head(audit_id))])
        assert orjson.loads(made)["kind"] in ("ConfigMap", "Status")  # the latter where it was there already
        return True


def config(number: int) -> dict[str, Any]:
    meta = {"name": f"m-{number:03}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"x": "y" * 500}}


async def fill(api: Any) -> None:
    for number in range(OBJECTS):
        await api.create(CONFIGMAPS, config(number))


@contextlib.asynccontextmanager
async def writing(api: Any) -> AsyncIterator[None]:
    async def write() -> None:
        for turn in itertools.count():
            await api.patch(CONFIGMAPS, f"m-{turn % OBJECTS:03}", {"data": {"turn": str(turn)}}, "default")
            await asyncio.sleep(0)

    task = asyncio.create_task(write())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


LONG = pytest.param(250, marks=pytest.mark.slow)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("turns", [40, LONG])
async def test_every_byte_is_part_of_one_right_answer_over_plain_sockets(
    listener: Any, api: Any, turns: int
) -> None:
    await fill(api)
    clients = [Impatient(listener.port, number) for number in range(CLIENTS)]
    async with writing(api), asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.go(turns))
    assert sum(client.kept for client in clients) > turns


@pytest.mark.timeout(120)
# Whoever is cancelled in the middle of a TLS handshake leaves its socket to the collector: the HTTP library closes
# it for an Exception only, which CancelledError is not. Nothing was asked on it, so it is nobody's answer.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("turns", [10, pytest.param(100, marks=pytest.mark.slow)])
async def test_our_client_takes_every_answer_for_what_it_is_over_tls(tmp_path: Path, turns: int) -> None:
    """A head of a watch that grew with every watch was what it once stumbled over."""

    async def go(client: Client, number: int) -> None:
        choice = random.Random(number)
        for _ in range(turns):
            page = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(choice.choice((None, choice.uniform(0, 0.03)))):
                    page = await client.read_all(CONFIGMAPS, "default")
            assert page is None or len(page.items) == OBJECTS
            left = choice.randrange(4)
            with contextlib.suppress(TimeoutError):
                watch = client.watch(CONFIGMAPS, "default")
                async with asyncio.timeout(choice.uniform(0, 0.03)), contextlib.aclosing(watch) as events:
                    async for kind, obj in events:
                        assert (kind, obj["kind"]) == ("ADDED", "ConfigMap")
                        left -= 1
                        if left < 0:
                            break

    async with control_plane(crds=()) as plane, serving(plane, tmp_path) as kubeconfig:
        await plane.create(*(config(number) for number in range(OBJECTS)))
        client = connect(kubeconfig)
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(go(client, number))
        await client.transport.close()
    gc.collect()  # or a test to come would be warned of the sockets
