"""The store alone: commit rate and latency, recovery, lists, watch; beside the disk's own sync time."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from statistics import median, quantiles

from roadbed.storage import Revision, Storage, open_storage

VALUE = b'{"apiVersion":"v1","kind":"ConfigMap","data":{"text":"' + b"x" * 945 + b'"}}'  # 1,000 bytes
WRITERS = 50
WRITES = 20_000


async def measure() -> dict[str, float]:
    """Give the figures by name; times in the unit of the name."""
    with tempfile.TemporaryDirectory(prefix="bench-storage-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/roadbed.db"
        figures = {"disk.sync_ms": _sync_ms(folder / "sync")}
        store = await open_storage(url)
        figures |= await _creates(store)
        figures |= await _single_writer(store)
        figures |= await _watch(store)
        figures["storage.scan_5000_ms"] = _time_ms(lambda: store.scan("/core/configmaps/", limit=5_000))
        await store.close()
        started = time.perf_counter()
        store = await open_storage(url)
        figures[f"storage.open_{WRITES}_records_ms"] = (time.perf_counter() - started) * 1e3
        await store.close()
        return figures


def _sync_ms(path: Path) -> float:
    """Time what every commit waits for: an append of one page that is on the disk."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        return median(
            _time_ms(lambda: (os.write(descriptor, bytes(4096)), os.fdatasync(descriptor)))
            for _ in range(200)
        )
    finally:
        os.close(descriptor)


def _time_ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1e3


async def _creates(store: Storage) -> dict[str, float]:
    async def write(writer: int) -> None:
        for number in range(WRITES // WRITERS):
            await store.create(f"/core/configmaps/bench/{writer}-{number}", lambda _: VALUE)

    started = time.perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    return {f"storage.creates_per_s_{WRITERS}_writers": WRITES / (time.perf_counter() - started)}


async def _single_writer(store: Storage) -> dict[str, float]:
    took_ms = []
    for number in range(1_000):
        started = time.perf_counter()
        await store.create(f"/core/secrets/bench/{number}", lambda _: VALUE)
        took_ms.append((time.perf_counter() - started) * 1e3)
    return {"storage.commit_ms_p50": median(took_ms), "storage.commit_ms_p99": quantiles(took_ms, n=100)[98]}


async def _watch(store: Storage) -> dict[str, float]:
    """Time from a committed write's return to its event at the last of a hundred watchers."""
    took_ms = []
    watches = [store.watch("/core/events/", after=Revision(store.revision)) for _ in range(100)]
    waiting = [asyncio.ensure_future(anext(watch)) for watch in watches]
    await asyncio.sleep(0)
    for number in range(100):
        await store.create(f"/core/events/bench/{number}", lambda _: VALUE)
        started = time.perf_counter()
        await asyncio.gather(*waiting)
        took_ms.append((time.perf_counter() - started) * 1e3)
        waiting = [asyncio.ensure_future(anext(watch)) for watch in watches]
        await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for watch in watches:
        async with aclosing(watch):  # type: ignore[type-var]
            pass
    return {"storage.watch_100_watchers_ms_p50": median(took_ms)}


if __name__ == "__main__":
    for name, figure in asyncio.run(measure()).items():
        print(f"{name:45} {figure:12.3f}")
