"""Starts ``roadbed`` as its user does, in a process of its own, and reads what it uses from /proc."""

import asyncio
import compileall
import os
import re
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import roadbed

READY = re.compile(rb"ready (at \S+ )?in ")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Program:
    """A server that said it is ready: its processes, what it said, and how long that took from the start."""

    pids: tuple[int, ...]
    said: str
    ready_s: float

    def memory_mb(self) -> float:
        """Give the resident memory of all its processes."""
        return sum(_resident_kb(pid) for pid in self.pids) / 1024

    def cpu_s(self) -> float:
        """Give the processor time that they have used, their kernel time included."""
        return sum(_cpu_ticks(pid) for pid in self.pids) / TICKS_PER_S


@asynccontextmanager
async def running(*words: str):
    """Run ``roadbed`` with ``words`` for the block; it is given once it says that it is ready."""
    # An installed program has its bytecode; where none may be written (PYTHONDONTWRITEBYTECODE), or a module was
    # just edited, every start would compile all of it again.
    compileall.compile_dir(Path(roadbed.__file__).parent, quiet=2)
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "roadbed", *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            while not READY.search(line := await process.stdout.readline()):
                if not line:
                    raise RuntimeError(f"roadbed {words[0]} ended before it was ready")
        yield Program((process.pid,), line.decode(), time.perf_counter() - started)
    finally:
        process.terminate()
        await process.wait()


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
