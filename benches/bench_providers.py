"""Managed resources: what the engine itself costs, with a cloud that answers at once; and what it costs idle."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from pathlib import Path
from typing import Any

from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.request import Object
from roadbed.apis.aws import VPC
from roadbed.controller import Controller, Recorder, Request, Watch
from roadbed.engines.providers.external import Creation, ManagedKind, Observation
from roadbed.engines.providers.managed import ManagedReconciler
from roadbed.engines.providers.plugin import matters
from roadbed.testing import ControlPlane, control_plane

OBJECTS = 500
LOOKS = 2000
KIND = VPC.resource(legacy=False)
PLUGIN = "roadbed.engines.providers.plugin"


class InstantCloud:
    """Connector and external client in one: everything exists as soon as it is asked for."""

    configs = ()

    def __init__(self) -> None:
        self.made: set[str] = set()

    async def connect(self, managed: Object) -> Any:  # noqa: ARG002
        return self

    async def observe(self, managed: Object) -> Observation:
        name = managed["metadata"].get("annotations", {}).get("crossplane.io/external-name", "")
        return Observation(exists=name in self.made, at_provider={"id": name})

    async def create(self, managed: Object) -> Creation:
        self.made.add(managed["metadata"]["uid"])
        return Creation(managed["metadata"]["uid"])

    async def update(self, managed: Object) -> dict[str, str]:
        raise AssertionError(managed)

    async def delete(self, managed: Object) -> None:
        self.made.discard(managed["metadata"]["uid"])

    async def recover(self, managed: Object) -> str | None:  # noqa: ARG002
        return ""


async def measure() -> dict[str, float]:
    """Give the figures by name; times in the unit of the name."""
    figures = await _idle()
    async with control_plane() as plane:
        figures |= await _created(plane)
    return figures


async def _idle() -> dict[str, float]:
    async with control_plane():
        await asyncio.sleep(0.3)
        before = _resident_mb()
    async with control_plane(PLUGIN) as plane:
        async with asyncio.timeout(10):
            while not all(plane.manager.is_running(f"managed/{name}") for name in _kinds()):
                await asyncio.sleep(0.01)
        await plane.manager.idle()
        await asyncio.sleep(
            1.0
        )  # the API server looks at its flow schemas once more half a second after its start
        gc.collect()
        after = _resident_mb()
        spent = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = spent.ru_utime + spent.ru_stime
        await asyncio.sleep(2.0)
        spent = resource.getrusage(resource.RUSAGE_SELF)
        percent = (spent.ru_utime + spent.ru_stime - cpu_s) / 2.0 * 100
    return {"providers.idle_mb_14_kinds": after - before, "providers.idle_cpu_percent": percent}


def _kinds() -> list[str]:
    from roadbed.apis.aws import KINDS

    return [kind.resource(legacy=legacy).qualified for kind in KINDS for legacy in (False, True)]


async def _created(plane: ControlPlane) -> dict[str, float]:
    recorder = Recorder(plane.client, "bench", plane.clock)
    reconciler = ManagedReconciler(
        ManagedKind(KIND), InstantCloud(), client=plane.client, recorder=recorder, clock=plane.clock
    )
    plane.manager.start(Controller("bench", reconciler, [Watch(KIND, predicate=matters)]))
    await asyncio.sleep(0.1)
    started = time.perf_counter()
    await plane.client.create(KIND, _object("one"))
    await _ready(plane, 1)
    one_ms = (time.perf_counter() - started) * 1e3
    cpu_s, started = time.process_time(), time.perf_counter()
    for number in range(OBJECTS):
        await plane.client.create(KIND, _object(f"o{number}"))
    await _ready(plane, OBJECTS + 1)
    seconds = time.perf_counter() - started
    cpu_s = time.process_time() - cpu_s
    looks = time.perf_counter()
    for number in range(LOOKS):
        await reconciler.reconcile(Request("default", f"o{number % OBJECTS}"))
    look_ms = (time.perf_counter() - looks) / LOOKS * 1e3
    return {
        "providers.ready_ms_1": one_ms,
        f"providers.ready_per_s_{OBJECTS}": OBJECTS / seconds,
        f"providers.cpu_ms_each_{OBJECTS}": cpu_s / OBJECTS * 1e3,
        "providers.steady_look_ms": look_ms,
    }


async def _ready(plane: ControlPlane, count: int) -> None:
    async with asyncio.timeout(120):
        while sum(is_true(obj, "Ready") for obj in await plane.client.list(KIND)) < count:
            await asyncio.sleep(0.005 if count == 1 else 0.05)


def _object(name: str) -> Object:
    return {
        "apiVersion": KIND.api_version,
        "kind": KIND.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"forProvider": {"region": "eu-central-1", "cidrBlock": "10.0.0.0/16"}},
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
