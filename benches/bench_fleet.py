"""Composites by the thousand, and what others feel meanwhile: creates over TLS, and portal pages.

A fleet of composites of five ConfigMaps each starts at once: 500, then 10,000 on a new control plane. While the 500
start, one client in a process of its own creates ConfigMaps over TLS and one visitor asks for a page, each again as
soon as it was answered.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx

from benches.bench_apiserver import load
from benches.bench_composition import APPS, PLUGINS, composite, platform
from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.request import User
from roadbed.apis.crossplane import XRDS
from roadbed.interfaces.web import WebSettings, create_app
from roadbed.portal.catalog import Catalog
from roadbed.portal.index import Database
from roadbed.storage import open_storage
from roadbed.testing import ControlPlane, control_plane, eventually, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIZES = (500, 10_000)
CREATES = 120  # about as long as 500 composites take
ORIGIN = "http://127.0.0.1"
PORTAL = User("system:portal", ("system:authenticated",))
VISITOR = User("ada", ("roadbed:admins",))


async def measure() -> dict[str, float]:
    """Give rates, CPU each, and what the visitor and the client waited; times in the unit of the name."""
    figures: dict[str, float] = {}
    for size in SIZES:
        async with _plane() as plane:
            await plane.create(*platform())
            await eventually(lambda: _is_established(plane), within_s=10)
            figures |= await _start(plane, size)
    async with _plane() as plane:
        await plane.create(*platform())
        await eventually(lambda: _is_established(plane), within_s=10)
        figures |= await _meanwhile(plane)
    return figures


@asynccontextmanager
async def _plane() -> AsyncIterator[ControlPlane]:
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        storage = await open_storage(f"sqlite://{Path(folder) / 'bench.db'}")
        try:
            async with control_plane(*PLUGINS, storage=storage) as plane:
                yield plane
        finally:
            await storage.close()


async def _is_established(plane: ControlPlane) -> bool:
    return is_true(await plane.client.get(XRDS, "apps.bench.example.org"), "Established")


async def _start(plane: ControlPlane, size: int) -> dict[str, float]:
    started, cpu = time.perf_counter(), time.process_time()
    await _fleet(plane, size)
    wall, spent = time.perf_counter() - started, time.process_time() - cpu
    return {f"fleet.ready_per_s_{size}": size / wall, f"fleet.cpu_ms_each_{size}": spent / size * 1e3}


async def _fleet(plane: ControlPlane, size: int) -> None:
    """Create the composites and wait until all are Ready."""
    left = {f"app-{number}" for number in range(size)}
    done = asyncio.Event()
    informer = plane.manager.informers.acquire(APPS)
    await informer.synced()

    def see(change: object) -> None:
        if change.new is not None and b'"Available"' in change.new:  # type: ignore[attr-defined]
            left.discard(change.key.name)  # type: ignore[attr-defined]
            if not left:
                done.set()

    remove = informer.add_handler(see)
    try:
        for start in range(0, size, 500):
            names = [f"app-{number}" for number in range(start, min(start + 500, size))]
            await asyncio.gather(*(plane.client.create(APPS, composite(name)) for name in names))
        await done.wait()
    finally:
        remove()
        plane.manager.informers.release(APPS)


async def _meanwhile(plane: ControlPlane) -> dict[str, float]:
    database = Database(None)
    await database.open()
    client = plane.as_user(PORTAL)
    app = create_app(WebSettings(origins=(ORIGIN,)), client=client, catalog=Catalog(database))
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as name:
        certificates = plane.access.certificates
        pem = certificates.admin_pem + certificates.admin_key_pem
        (Path(name) / "admin.pem").write_bytes(pem)
        (Path(name) / "ca.pem").write_bytes(certificates.ca_pem)
        async with serving(plane, Path(name)) as kubeconfig:
            port = int(kubeconfig.read_text().partition("https://127.0.0.1:")[2].split()[0].strip('"'))
            fleet = asyncio.create_task(_fleet(plane, SIZES[0]))
            await asyncio.sleep(0.2)
            pages = asyncio.create_task(_pages(app, fleet))
            creates = await load("creates", port, name, 1, CREATES)
            was_busy = not fleet.done()
            await fleet
            found = await pages
    await app.stop()
    await database.close()
    return {
        "fleet.create_ms_p50_meanwhile": creates["p50_ms"],
        "fleet.create_ms_p99_meanwhile": creates["p99_ms"],
        "fleet.page_ms_p50_meanwhile": statistics.median(found),
        "fleet.page_ms_max_meanwhile": max(found),
        "fleet.was_busy_throughout": float(was_busy),
    }


async def _pages(app: object, fleet: asyncio.Task[None]) -> list[float]:
    times = []
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
        await browser.get(app.issue_signin_link(VISITOR))  # type: ignore[attr-defined]
        while not fleet.done():
            begin = time.perf_counter()
            answer = await browser.get("/resources")
            times.append((time.perf_counter() - begin) * 1e3)
            assert answer.status_code == 200, answer.text
    return times
