"""A cold `roadbed up` as its user meets it: time to ready, memory and CPU while nothing happens."""

import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

IDLE_S = 20.0
SETTLE_S = 3.0
TICKS = os.sysconf("SC_CLK_TCK")


async def measure() -> dict[str, float]:
    """Give the figures by name; ``up.ready_s`` is from process start to the first line that says so."""
    with tempfile.TemporaryDirectory(prefix="bench-up-") as folder:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "roadbed", "up", "--data-dir", str(Path(folder) / "data"), "--api-port", "0"),
            *("--portal-port", "0"),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                while b"ready in" not in (line := await process.stdout.readline()):
                    if not line:
                        raise RuntimeError("roadbed up ended before it was ready")
            ready_s = time.perf_counter() - started
            await asyncio.sleep(SETTLE_S)
            before = cpu_s(process.pid)
            await asyncio.sleep(IDLE_S)
            return {
                "up.ready_s": ready_s,
                "up.idle_mb": resident_mb(process.pid),
                "up.idle_cpu_percent": (cpu_s(process.pid) - before) / IDLE_S * 100,
            }
        finally:
            process.terminate()
            await process.wait()


def resident_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
