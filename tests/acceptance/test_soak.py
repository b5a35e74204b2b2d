"""A platform that works on and on at a bounded rate: its memory stays where it was once its bounds are full.

The server keeps a window of the newest events (8,192 of them, at most 16 MiB), the newest 2,048 changes of each kind,
and what lives. Memory grows until these windows are full, and no longer: 6,500 writes fill all but those of the kinds
that seldom change here, which are namespaces and what every namespace has. They take 1,100 namespaces, some 40 MiB on
the way; the long soak fills them first, for what they still grow while it is measured would look like a leak. The short
soak makes too few namespaces for it to matter. What is measured then is the growth from the first to the last tenth.
"""

import asyncio
import contextlib
import itertools
import os
import random
import re
import time
from pathlib import Path

import pytest

from roadbed.apimachinery.errors import ApiError
from roadbed.apis.core import CONFIGMAPS, EVENTS, NAMESPACES
from roadbed.client import connect

CLIENTS = 8
NAMESPACERS = 6
GROWTH_MIB = 8.0  # what fragments and samples may cost; a leak of 2 KiB a write would show as 10 MiB
LONG_GROWTH_MIB = 6.0  # with every window full; a leak of 250 bytes a write would show as 6.5 MiB over 26,000


def resident_mib(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


class Traffic:
    """Writes, reads, watches, namespaces that come and go, at ``rate`` writes a second."""

    def __init__(self, client, rate):
        self.client = client
        self.rate = rate
        self.writes = 0
        self.namespaces = 0
        self.is_warm = False
        self.began = time.monotonic()

    async def pace(self):
        self.writes += 1
        ahead_s = self.writes / self.rate - (time.monotonic() - self.began)
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)

    async def write(self, number):
        choice = random.Random(number)
        for turn in itertools.count():
            name = f"soak-{number}-{turn % 25}"
            meta = {"name": name, "namespace": "default"}
            obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
            with contextlib.suppress(ApiError):  # the object is there already, or not there any more
                match turn % 4:
                    case 0:
                        await self.client.delete(CONFIGMAPS, name, "default")
                    case 1:
                        await self.client.apply(
                            CONFIGMAPS, {**obj, "data": {"x": "y" * choice.randrange(2_000)}}
                        )
                    case 2:
                        patch = {"data": {f"k{choice.randrange(5)}": "z" * choice.randrange(500)}}
                        await self.client.patch(CONFIGMAPS, name, patch, namespace="default")
                    case _:
                        about = {"kind": "ConfigMap", "namespace": "default", "name": name}
                        event = {"metadata": {"name": f"{number}-{turn % 50}", "namespace": "default"}}
                        event |= {
                            "apiVersion": "v1",
                            "kind": "Event",
                            "involvedObject": about,
                            "reason": "Soak",
                        }
                        await self.client.apply(EVENTS, {**event, "message": str(turn)})
            await self.pace()

    async def watch(self):
        while True:
            page = await self.client.read_all(CONFIGMAPS, "default")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0.2, 2)):
                    async for _ in self.client.watch(CONFIGMAPS, "default", after=page.revision):
                        pass

    async def come_and_go(self, number):
        for turn in itertools.count():
            name = f"soak-{number}-{turn}"
            await self.client.create(NAMESPACES, {"metadata": {"name": name}})
            await self.client.delete(NAMESPACES, name)
            while await self.client.find(NAMESPACES, name) is not None:
                await asyncio.sleep(0.05)
            self.namespaces += 1
            if self.is_warm:
                await asyncio.sleep(NAMESPACERS / 2)


async def soak(running, *, rate, warm, writes, namespaces=0, growth_mib=GROWTH_MIB):
    client = connect(running.kubeconfig)
    traffic = Traffic(client, rate)
    samples = []
    async with asyncio.TaskGroup() as tasks:
        working = [tasks.create_task(traffic.write(number)) for number in range(CLIENTS)]
        working += [tasks.create_task(traffic.watch()) for _ in range(4)]
        working += [tasks.create_task(traffic.come_and_go(number)) for number in range(NAMESPACERS)]
        while traffic.namespaces < namespaces:
            await asyncio.sleep(0.2)
        traffic.is_warm = True
        # Namespaces leave small events in the window; it grows once more until others have taken their place.
        warm += traffic.writes
        while traffic.writes < warm:
            await asyncio.sleep(0.2)
        while traffic.writes < warm + writes:
            samples.append(resident_mib(running.process))
            await asyncio.sleep(0.2)
        for task in working:
            task.cancel()
    await client.transport.close()
    # The middle of the first and of the last tenth: one sample may be taken in the middle of a large list.
    tenth = max(1, len(samples) // 10)
    first, last = sorted(samples[:tenth])[tenth // 2], sorted(samples[-tenth:])[tenth // 2]
    seconds = time.monotonic() - traffic.began
    figures = {
        "writes": traffic.writes,
        "namespaces": traffic.namespaces,
        "per_second": traffic.writes / seconds,
        "first_mib": first,
        "last_mib": last,
    }
    assert last - first < growth_mib, figures
    return figures


async def test_memory_is_steady_over_a_short_soak(start_platform, tmp_path, record_testsuite_property):
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    record_testsuite_property("figures", await soak(running, rate=1_000, warm=8_500, writes=5_000))


@pytest.mark.slow
@pytest.mark.timeout(1_500)
@pytest.mark.skipif(
    "ROADBED_SOAK_WRITES" not in os.environ, reason="takes minutes: ROADBED_SOAK_WRITES=180000 runs it"
)
async def test_memory_is_steady_over_a_long_soak(start_platform, tmp_path, record_testsuite_property):
    """As many writes as an hour at fifty a second."""
    writes = int(os.environ["ROADBED_SOAK_WRITES"])
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    figures = await soak(
        running, rate=500, warm=9_500, writes=writes, namespaces=1_100, growth_mib=LONG_GROWTH_MIB
    )
    record_testsuite_property("figures", figures)
