"""The API server over TLS: creates, lists, watches and new kinds, with its load in a process of its own.

The server runs here, as in the platform: RBAC, sealing, field ownership and commits to a file. The load is
plain asyncio over TLS in a child process, so the two share the machine's cores as client and server do.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CREATES = 6_000
LISTED = 5_000
JSON_TYPE = "application/json"
PATCH_TYPE = "application/apply-patch+yaml"
SAMPLES = 10  # watchers that read at once
DATA = {f"key-{number}": "value-" * 8 for number in range(8)}


async def measure() -> dict[str, float]:
    """Give the figures by name; times in the unit of the name."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-apiserver-") as name:
        async with serving(Path(name)) as (port, cpu_s):
            for clients, count in ((1, 600), (32, CREATES)):
                before = cpu_s()
                found = await load("creates", port, name, clients, count)
                who = "1_client" if clients == 1 else f"{clients}_clients"
                figures[f"apiserver.creates_per_s_{who}"] = found["per_s"]
                figures[f"apiserver.create_ms_p50_{who}"] = found["p50_ms"]
                figures[f"apiserver.create_ms_p99_{who}"] = found["p99_ms"]
                figures[f"apiserver.create_cpu_us_{who}"] = (cpu_s() - before) / count * 1e6
            figures["apiserver.list_5000_ms_p50"] = (await load("lists", port, name, 1, 20))["p50_ms"]
            figures["apiserver.watch_ms_p50"] = (await load("watches", port, name, 1, 60))["p50_ms"]
            hundred = await load("watches", port, name, 100, 60)
            figures["apiserver.watch_ms_p50_100_watchers"] = hundred["p50_ms"]
            figures["apiserver.crd_usable_ms"] = (await load("kinds", port, name, 1, 15))["p50_ms"]
    return figures


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[int, Any]]:
    from roadbed.apiserver import Access, ApiServer, Listener
    from roadbed.storage import open_storage

    def now() -> datetime:
        return datetime.now(UTC)

    storage = await open_storage(f"sqlite:///{folder}/roadbed.db")
    access = Access.open(folder, storage, clock=now)
    server = ApiServer(
        storage,
        authenticator=access.authenticator,
        authorizer=access.authorizer,
        sealer=access.sealer,
        clock=now,
    )
    access.join(server)
    await server.start()
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=access.certificates.server_context())
    await listener.start()
    (folder / "admin.pem").write_bytes(access.certificates.admin_pem + access.certificates.admin_key_pem)
    (folder / "ca.pem").write_bytes(access.certificates.ca_pem)
    try:
        yield listener.port, time.process_time
    finally:
        await server.stop()
        await listener.stop()
        access.close()
        await storage.close()


async def load(what: str, port: int, folder: str, clients: int, count: int) -> dict[str, float]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        what,
        str(port),
        folder,
        str(clients),
        str(count),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"load {what} failed with code {child.returncode}")
    found: dict[str, float] = json.loads(output)
    return found


class Connection:
    """One keep-alive HTTP/1.1 connection, just enough for a load."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=2**24)
        return cls(reader, writer)

    def send(self, method: str, path: str, body: bytes = b"") -> None:
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: api\r\nuser-agent: bench/1\r\naccept: application/json\r\n"
            f"content-type: {PATCH_TYPE if method == 'PATCH' else JSON_TYPE}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.rstrip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        self.send(method, path, body)
        status, headers = await self.head()
        if "content-length" in headers:
            return status, await self._reader.readexactly(int(headers["content-length"]))
        raw = bytearray()
        while not raw.endswith(b"\r\n0\r\n\r\n"):
            raw += await self._reader.read(2**20)
        return status, bytes(raw)  # with its chunk sizes in between: as much work as reading a plain body

    async def chunk(self) -> bytes:
        size = int(await self._reader.readline(), 16)
        content = await self._reader.readexactly(size)
        await self._reader.readexactly(2)
        return content

    async def event(self) -> bytes:
        """Read one watch event; a server may send it in several chunks."""
        content = await self.chunk()
        while not content.endswith(b"\n"):
            content += await self.chunk()
        return content

    def pause(self) -> None:
        """Leave in the socket what comes from now on."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def close(self) -> None:
        self._writer.close()


async def _creates(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    path = "/api/v1/namespaces/default/configmaps"
    times: list[float] = []
    connections = [await Connection.open(port, tls) for _ in range(clients)]

    async def run(connection: Connection, number: int) -> None:
        for index in range(count // clients):
            name = f"c{clients:02}-{number:02}-{index:05}"
            obj = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "labels": {"app": "x"}},
                "data": DATA,
            }
            body = json.dumps(obj).encode()
            begin = time.perf_counter()
            status, answer = await connection.ask("POST", path, body)
            times.append(time.perf_counter() - begin)
            assert status == 201, answer

    begin = time.perf_counter()
    await asyncio.gather(*(run(connection, number) for number, connection in enumerate(connections)))
    return {**_spread(times), "per_s": len(times) / (time.perf_counter() - begin)}


async def _updates(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """Replace objects, each client its own one after the other, with the revision of the answer before."""

    def body(name: str, index: int, answered: dict[str, Any]) -> bytes:
        data = {**DATA, "key-0": str(index)}
        meta = {"name": name, "resourceVersion": answered["metadata"]["resourceVersion"]}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}).encode()

    return await _changes(port, tls, (clients, count), "PUT", "", body)


async def _applies(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """Server-side apply of objects that exist, with one field changed each time."""

    def body(name: str, index: int, answered: dict[str, Any]) -> bytes:
        del answered
        data = {**DATA, "key-0": str(index)}
        return json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        ).encode()

    return await _changes(port, tls, (clients, count), "PATCH", "?fieldManager=bench&force=true", body)


async def _changes(
    port: int,
    tls: ssl.SSLContext,
    load: tuple[int, int],
    method: str,
    query: str,
    body: Callable[[str, int, dict[str, Any]], bytes],
) -> dict[str, float]:
    clients, count = load
    path = "/api/v1/namespaces/default/configmaps"
    times: list[float] = []
    connections = [await Connection.open(port, tls) for _ in range(clients)]

    async def run(connection: Connection, number: int) -> None:
        name = f"{method.lower()}-{clients:02}-{number:02}"
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": DATA}
        status, answer = await connection.ask("POST", path, json.dumps(made).encode())
        assert status == 201, answer
        for index in range(count // clients):
            content = body(name, index, json.loads(answer))
            begin = time.perf_counter()
            status, answer = await connection.ask(method, f"{path}/{name}{query}", content)
            times.append(time.perf_counter() - begin)
            assert status == 200, answer

    begin = time.perf_counter()
    await asyncio.gather(*(run(connection, number) for number, connection in enumerate(connections)))
    return {**_spread(times), "per_s": len(times) / (time.perf_counter() - begin)}


async def _fills(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """Create objects in a namespace of their own, for lists and for memory."""
    connections = [await Connection.open(port, tls) for _ in range(clients)]
    await connections[0].ask("POST", "/api/v1/namespaces", b'{"metadata": {"name": "full"}}')

    async def run(connection: Connection, number: int) -> None:
        for index in range(count // clients):
            meta = {"name": f"f{number:02}-{index:05}", "labels": {"app": "x"}}
            body = json.dumps({"metadata": meta, "data": DATA}).encode()
            status, answer = await connection.ask("POST", "/api/v1/namespaces/full/configmaps", body)
            assert status == 201, answer

    begin = time.perf_counter()
    await asyncio.gather(*(run(connection, number) for number, connection in enumerate(connections)))
    return {"per_s": count / (time.perf_counter() - begin)}


async def _full_lists(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """List everything that ``fills`` made, in one answer."""
    del clients
    connection = await Connection.open(port, tls)
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        status, body = await connection.ask("GET", "/api/v1/namespaces/full/configmaps")
        times.append(time.perf_counter() - begin)
        assert status == 200
    del body
    return _spread([*times, times[-1]])


async def _lists(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    del clients
    connection = await Connection.open(port, tls)
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        status, body = await connection.ask("GET", f"/api/v1/namespaces/default/configmaps?limit={LISTED}")
        times.append(time.perf_counter() - begin)
        assert status == 200
    whole = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", body)  # a chunk may end in the middle of a word
    assert whole.count(b'"uid"') == LISTED
    return _spread(times)


async def _watches(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """From sending a create to the last watcher having the event."""
    return await _watched(port, tls, clients, count, clients)


async def _sampled_watches(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """The same, but only a few of the watchers, spread over all, read at once.

    What the others get waits in their sockets: one client that reads a thousand costs more than any server.
    """
    return await _watched(port, tls, clients, count, min(clients, SAMPLES))


async def _watched(
    port: int, tls: ssl.SSLContext, clients: int, count: int, samples: int
) -> dict[str, float]:
    path = "/api/v1/namespaces/kube-system/configmaps"
    writer = await Connection.open(port, tls)
    watchers = [await Connection.open(port, tls) for _ in range(clients)]
    _, listed = await writer.ask("GET", path + "?limit=1")
    revision = json.loads(listed)["metadata"]["resourceVersion"]
    for watcher in watchers:
        watcher.send("GET", f"{path}?watch=true&resourceVersion={revision}")
        assert (await watcher.head())[0] == 200
    step = (clients - 1) / max(samples - 1, 1)
    read = [watchers[round(number * step)] for number in range(samples)]
    for watcher in set(watchers) - set(read):
        watcher.pause()
    times = []
    for index in range(count):
        name = f"w{clients:03}-{index:05}"
        body = json.dumps({"metadata": {"name": name}, "data": DATA}).encode()
        begin = time.perf_counter()
        answer = asyncio.ensure_future(writer.ask("POST", path, body))
        await asyncio.gather(*(watcher.event() for watcher in read))
        times.append(time.perf_counter() - begin)
        assert (await answer)[0] == 201
    return _spread(times)


async def _kinds(port: int, tls: ssl.SSLContext, clients: int, count: int) -> dict[str, float]:
    """From sending a definition to its first object's answer; ``clients`` is one."""
    del clients
    connection = await Connection.open(port, tls)
    times = []
    for index in range(count):
        kind, group = f"Thing{index}", "bench.example.org"
        plural = f"thing{index}s"
        properties = {f"field{number}": {"type": "string", "default": "x"} for number in range(40)}
        schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"plural": plural, "kind": kind}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
        }
        obj = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "a"}, "spec": {"field1": "y"}}
        begin = time.perf_counter()
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        status, answer = await connection.ask("POST", path, json.dumps(crd).encode())
        assert status == 201, answer
        path = f"/apis/{group}/v1/namespaces/default/{plural}"
        status = 404
        while status == 404:  # where the definition is answered before its kind is served
            status, answer = await connection.ask("POST", path, json.dumps(obj).encode())
        times.append(time.perf_counter() - begin)
        assert status == 201, answer
    return _spread(times)


def _spread(times: list[float]) -> dict[str, float]:
    return {"p50_ms": median(times) * 1e3, "p99_ms": quantiles(times, n=100)[98] * 1e3}


def _tls(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "admin.pem")
    return context


_LOADS = {
    "creates": _creates,
    "updates": _updates,
    "applies": _applies,
    "fills": _fills,
    "full_lists": _full_lists,
    "lists": _lists,
    "watches": _watches,
    "sampled_watches": _sampled_watches,
    "kinds": _kinds,
}


def _main() -> None:
    import uvloop

    what, port, folder, clients, count = sys.argv[1:]
    found = uvloop.run(_LOADS[what](int(port), _tls(Path(folder)), int(clients), int(count)))
    sys.stdout.write(json.dumps(found) + os.linesep)


if __name__ == "__main__":
    _main()
