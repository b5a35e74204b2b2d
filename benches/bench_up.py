"""A cold start as its user meets it, of the platform and of the API server alone: time, memory, idle CPU."""

import asyncio
import tempfile
from pathlib import Path

from benches.program import running

IDLE_S = 20.0
SETTLE_S = 3.0


async def measure() -> dict[str, float]:
    """Give the figures by name; ``ready_s`` is from process start to the line that says so."""
    with tempfile.TemporaryDirectory(prefix="bench-up-") as folder:
        data = str(Path(folder) / "data")
        async with running("up", "--data-dir", data, "--api-port", "0", "--portal-port", "0") as platform:
            await asyncio.sleep(SETTLE_S)
            before = platform.cpu_s()
            await asyncio.sleep(IDLE_S)
            figures = {
                "up.ready_s": platform.ready_s,
                "up.idle_mb": platform.memory_mb(),
                "up.idle_cpu_percent": (platform.cpu_s() - before) / IDLE_S * 100,
            }
        async with running(
            "apiserver", "--data-dir", str(Path(folder) / "alone"), "--secure-port", "0"
        ) as alone:
            await asyncio.sleep(SETTLE_S)
            return figures | {"alone.ready_s": alone.ready_s, "alone.idle_mb": alone.memory_mb()}
