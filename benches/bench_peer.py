"""The same loads against the real kube-apiserver with etcd and against ours, one after the other, in one run.

Needs the programs of ``tests/oracle`` (``make oracle-build``); without them it gives no figures. Each server is a
process of its own (theirs two) on the same disk with full syncs, over TLS with client certificates of the same
making; the load is one process of plain asyncio, the same for both. ``peer.ratio_*`` says how many times better ours is.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.oracle import peer

from benches import bench_apiserver as ours

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

FULL = 50_000
WRITES = (("1_client", 1, 600), ("8_clients", 8, 3_000), ("32_clients", 32, 6_000))
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """One server under load: where it listens, the folder with its certificates, its processes."""

    port: int
    folder: str
    pids: Sequence[int]
    ready_s: float

    def memory_mb(self) -> float:
        """Give the resident memory of all its processes."""
        return sum(_resident_kb(pid) for pid in self.pids) / 1024

    def cpu_s(self) -> float:
        """Give the processor time that they have used, their kernel time included."""
        return sum(_cpu_ticks(pid) for pid in self.pids) / TICKS_PER_S


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
    found = {"ready_s": server.ready_s, "memory_mb_idle": server.memory_mb()}

    async def load(what: str, clients: int, count: int) -> dict[str, float]:
        return await ours.load(what, server.port, server.folder, clients, count)

    for verb in ("creates", "updates", "applies"):
        for who, clients, count in WRITES:
            before = server.cpu_s()
            figures = await load(verb, clients, count)
            found[f"{verb}_per_s_{who}"] = figures["per_s"]
            found[f"{verb}_ms_p99_{who}"] = figures["p99_ms"]
            found[f"{verb}_cpu_us_{who}"] = (server.cpu_s() - before) / count * 1e6
    found |= await _reads(load)
    await load("fills", 32, FULL)
    found["memory_mb_50000"] = server.memory_mb()
    found["list_50000_ms_p50"] = (await load("full_lists", 1, 5))["p50_ms"]
    return found


async def _reads(load: Callable[[str, int, int], Awaitable[dict[str, float]]]) -> dict[str, float]:
    found = {"list_5000_ms_p50": (await load("lists", 1, 20))["p50_ms"]}
    for watchers, count in ((1, 60), (100, 60), (1_000, 20)):
        figures = await load("watches", watchers, count)
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
        yield Server(real.port, name, [each.pid for each in real.processes.values()], ready_s)


@asynccontextmanager
async def _ours() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as name:
        begin = time.perf_counter()
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benches.bench_peer",
            name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            port = int(await child.stdout.readline())
            yield Server(port, name, [child.pid], time.perf_counter() - begin)
        finally:
            child.stdin.close()
            await child.wait()


async def _serve(folder: str) -> None:
    """Serve until standard input ends."""
    async with ours.serving(Path(folder)) as (port, _):
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(sys.argv[1]))
