"""The same loads against the real kube-apiserver with etcd and against ours, one after the other, in one run.

Needs the programs of ``tests/oracle`` (``make oracle-build``); without them it gives no figures. Each server is a
process of its own (theirs two) on the same disk with full syncs, over TLS with client certificates of the same
making; the load is one process of plain asyncio, the same for both. ``peer.ratio_*`` says how many times better ours is.
"""

from __future__ import annotations

import re
import tempfile
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import yaml
from tests.oracle import peer

from benches import bench_apiserver as ours
from benches.program import Program, running

FULL = 50_000
WRITES = (("1_client", 1, 600), ("8_clients", 8, 3_000), ("32_clients", 32, 6_000))


class Server(NamedTuple):
    """One server under load: its processes, where it listens, the folder with its certificates."""

    program: Program
    port: int
    folder: str


async def measure() -> dict[str, float]:
    """Give each load's figure for both, and the ratio; times and sizes in the unit of the name."""
    if peer.programs() is None:
        return {}
    async with _theirs() as server:
        theirs = await _loads(server)
    async with _ours() as server:
        mine = await _loads(server)
    figures = {f"peer.kube_{name}": value for name, value in theirs.items()}
    for name, value in mine.items():
        figures[f"peer.ours_{name}"] = value
        figures[f"peer.ratio_{name}"] = value / theirs[name] if "_per_s" in name else theirs[name] / value
    return figures


async def _loads(server: Server) -> dict[str, float]:
    found = {"ready_s": server.program.ready_s, "memory_mb_idle": server.program.memory_mb()}

    async def load(what: str, clients: int, count: int) -> dict[str, float]:
        return await ours.load(what, server.port, server.folder, clients, count)

    for verb in ("creates", "updates", "applies"):
        for who, clients, count in WRITES:
            before = server.program.cpu_s()
            figures = await load(verb, clients, count)
            found[f"{verb}_per_s_{who}"] = figures["per_s"]
            found[f"{verb}_ms_p99_{who}"] = figures["p99_ms"]
            found[f"{verb}_cpu_us_{who}"] = (server.program.cpu_s() - before) / count * 1e6
    found |= await _reads(load)
    await load("fills", 32, FULL)
    found["memory_mb_50000"] = server.program.memory_mb()
    found["list_50000_ms_p50"] = (await load("full_lists", 1, 5))["p50_ms"]
    return found


async def _reads(load: Callable[[str, int, int], Awaitable[dict[str, float]]]) -> dict[str, float]:
    found = {"list_5000_ms_p50": (await load("lists", 1, 20))["p50_ms"]}
    for watchers, count in ((1, 60), (100, 60), (1_000, 20)):
        figures = await load("sampled_watches", watchers, count)
        found[f"watch_ms_p50_{watchers}_watchers"] = figures["p50_ms"]
    found["crd_usable_ms"] = (await load("kinds", 1, 5))["p50_ms"]
    return found


@asynccontextmanager
async def _theirs() -> AsyncIterator[Server]:
    begin = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="bench-peer-") as name,
        peer.Peer(Path(name), is_durable=True, has_controllers=False) as real,
    ):
        ready_s = time.perf_counter() - begin
        pids = tuple(each.pid for each in real.processes.values())
        yield Server(Program(pids, "", ready_s), real.port, name)


@asynccontextmanager
async def _ours() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as name:
        kubeconfig = Path(name) / "kubeconfig"
        async with running(
            *("apiserver", "--data-dir", f"{name}/data", "--secure-port", "0"),
            *("--write-kubeconfig", str(kubeconfig)),
        ) as program:
            port = int(re.search(r":(\d+) in", program.said)[1])
            login = yaml.safe_load(kubeconfig.read_text())
            cluster, user = login["clusters"][0]["cluster"], login["users"][0]["user"]
            (Path(name) / "ca.pem").write_bytes(b64decode(cluster["certificate-authority-data"]))
            (Path(name) / "admin.pem").write_bytes(
                b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"])
            )
            yield Server(program, port, name)
