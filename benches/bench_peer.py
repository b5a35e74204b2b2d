"""The same loads against the real kube-apiserver with etcd and against ours, in turns, in one run.

Needs the programs of ``tests/oracle`` (``make oracle-build``); without them it gives no figures. Both servers are
processes of their own on the same disk, both over TLS with client certificates of the same making.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.oracle import peer

from benches import bench_apiserver as ours

LOADS = (
    ("creates_per_s_1_client", "creates", 1, 600, "per_s"),
    ("creates_per_s_8_clients", "creates", 8, 3_000, "per_s"),
    ("creates_per_s_32_clients", "creates", 32, 6_000, "per_s"),
    ("list_5000_ms_p50", "lists", 1, 20, "p50_ms"),
    ("watch_ms_p50_1_watcher", "watches", 1, 60, "p50_ms"),
    ("watch_ms_p50_100_watchers", "watches", 100, 60, "p50_ms"),
    ("crd_usable_ms", "kinds", 1, 5, "p50_ms"),
)


async def measure() -> dict[str, float]:
    """Give each load's figure for both, and the ratio: how many times better ours is."""
    if peer.programs() is None:
        return {}
    theirs = await _theirs()
    figures = {f"peer.kube_{name}": value for name, value in theirs.items()}
    for name, value in (await _ours()).items():
        figures[f"peer.ours_{name}"] = value
        is_rate = "_per_s" in name
        figures[f"peer.ratio_{name}"] = value / theirs[name] if is_rate else theirs[name] / value
    return figures


async def _theirs() -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="bench-peer-") as name,
        peer.Peer(Path(name), is_durable=True, has_controllers=False) as real,
    ):
        return await _loads(real.port, name)


async def _ours() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as name:
        async with ours.serving(Path(name)) as (port, _):
            return await _loads(port, name)


async def _loads(port: int, folder: str) -> dict[str, float]:
    found = {}
    for name, what, clients, count, member in LOADS:
        found[name] = (await ours.load(what, port, folder, clients, count))[member]
    return found
