"""Composites: one from create to Ready, and many at once, on a control plane in process.

Storage is a file with full syncs, as in production; the file system's own sync time decides part of the
first figure. CPU is that of the whole process: API server, store, informers and engine together.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.crossplane import XRDS
from roadbed.storage import open_storage
from roadbed.testing import ControlPlane, control_plane, eventually

COMPOSED = 5
SINGLE = 50
MANY = 500
APPS = Resource("bench.example.org", "v1", "apps", "App")
PLUGINS = ("roadbed.engines.core.plugin", "roadbed.engines.composition.plugin")


def platform() -> list[dict[str, Any]]:
    """Give a definition and a Composition of five ConfigMaps, with the patches such things have."""
    spec = {"type": "object", "properties": {"image": {"type": "string"}, "size": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "referenceable": True, "schema": {"openAPIV3Schema": schema}}
    resources = [
        {
            "name": f"settings-{number}",
            "base": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"number": str(number)}},
            "patches": [
                {"fromFieldPath": "spec.image", "toFieldPath": "data.image"},
                {
                    "fromFieldPath": "spec.size",
                    "toFieldPath": "data.replicas",
                    "transforms": [{"type": "map", "map": {"small": "1", "large": "9"}}],
                },
            ],
        }
        for number in range(COMPOSED)
    ]
    steps = [
        {
            "step": "compose",
            "functionRef": {"name": "function-patch-and-transform"},
            "input": {
                "apiVersion": "pt.fn.crossplane.io/v1beta1",
                "kind": "Resources",
                "resources": resources,
            },
        },
        {"step": "ready", "functionRef": {"name": "function-auto-ready"}},
    ]
    functions = [
        {
            "apiVersion": "pkg.crossplane.io/v1",
            "kind": "Function",
            "metadata": {"name": name},
            "spec": {"package": f"xpkg.example.org/{name}:v1"},
        }
        for name in ("function-patch-and-transform", "function-auto-ready")
    ]
    definition = {
        "apiVersion": "apiextensions.crossplane.io/v2",
        "kind": "CompositeResourceDefinition",
        "metadata": {"name": "apps.bench.example.org"},
        "spec": {
            "group": "bench.example.org",
            "names": {"kind": "App", "plural": "apps"},
            "versions": [version],
        },
    }
    composition = {
        "apiVersion": "apiextensions.crossplane.io/v1",
        "kind": "Composition",
        "metadata": {"name": "app"},
        "spec": {
            "compositeTypeRef": {"apiVersion": "bench.example.org/v1", "kind": "App"},
            "pipeline": steps,
        },
    }
    return [*functions, definition, composition]


def composite(name: str) -> dict[str, Any]:
    """Give one App."""
    return {
        "apiVersion": "bench.example.org/v1",
        "kind": "App",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"image": "nginx", "size": "small"},
    }


async def measure() -> dict[str, float]:
    """Give milliseconds, rates and CPU by name."""
    with tempfile.TemporaryDirectory() as folder:
        storage = await open_storage(f"sqlite://{Path(folder) / 'bench.db'}")
        try:
            async with control_plane(*PLUGINS, storage=storage) as plane:
                return await _measure(plane)
        finally:
            await storage.close()


async def _measure(plane: ControlPlane) -> dict[str, float]:
    await plane.create(*platform())

    async def established() -> bool:
        return is_true(await plane.client.get(XRDS, "apps.bench.example.org"), "Established")

    await eventually(established)
    informer = plane.manager.informers.acquire(APPS)
    try:
        await informer.synced()
        ready: dict[str, asyncio.Event] = {}

        def see(change: Any) -> None:
            if change.new is not None and b'"Available"' in change.new:
                ready[change.key.name].set()

        remove = informer.add_handler(see)
        try:
            return await _runs(plane, ready)
        finally:
            remove()
    finally:
        plane.manager.informers.release(APPS)


async def _runs(plane: ControlPlane, ready: dict[str, asyncio.Event]) -> dict[str, float]:
    single: list[float] = []
    for number in range(SINGLE):
        name = f"single-{number}"
        ready[name] = asyncio.Event()
        start = time.perf_counter()
        await plane.client.create(APPS, composite(name))
        await ready[name].wait()
        single.append((time.perf_counter() - start) * 1e3)
        await plane.manager.idle()
    names = [f"many-{number}" for number in range(MANY)]
    ready.update({name: asyncio.Event() for name in names})
    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(plane.client.create(APPS, composite(name)) for name in names))
    await asyncio.gather(*(ready[name].wait() for name in names))
    wall = time.perf_counter() - start
    await plane.manager.idle()
    spent = time.process_time() - cpu
    return {
        "composition.ready_ms_p50": statistics.median(single),
        "composition.ready_ms_p99": sorted(single)[int(len(single) * 0.99)],
        "composition.ready_per_s_500": MANY / wall,
        "composition.cpu_ms_each_500": spent / MANY * 1e3,
    }
