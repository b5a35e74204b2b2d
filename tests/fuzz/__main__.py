"""A long run: ``python -m tests.fuzz --inputs 1000000 [--seed 1] [--jobs 2] [TARGET …]``.

Half of the inputs are whole requests to the server, the other half is shared by the targets. Prints a line a
target, and every finding with the input that made it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from .mutation import mutations
from .server import Finding, fuzz
from .targets import TARGETS

SERVER = "server"
CHUNK = 20_000


def run(name: str, count: int, seed: int) -> tuple[str, int, float, str]:
    """Run one target; gives its name, the inputs run, the seconds taken, and the first finding or nothing."""
    begin = time.perf_counter()
    done, finding = 0, ""
    if name == SERVER:
        try:
            asyncio.run(fuzz(count, seed))
            done = count
        except Finding:
            finding = traceback.format_exc()
    else:
        inputs = mutations(TARGETS[name].seeds, seed)
        for content in inputs:
            if done == count:
                break
            done += 1
            try:
                TARGETS[name](content)
            except Exception:  # noqa: BLE001 - any of them is a finding
                finding = f"{content!r}\n{traceback.format_exc()}"
                break
    return name, done, time.perf_counter() - begin, finding


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[SERVER, *TARGETS, []], help="all if none is named")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    names = options.targets or [SERVER, *TARGETS]
    shares = {name: options.inputs // (2 if name == SERVER else 2 * len(TARGETS)) + 1 for name in names}
    if options.targets:
        shares = {name: options.inputs // len(names) for name in names}
    jobs = [
        (name, min(CHUNK, share - start), options.seed * 1_000_003 + start)
        for name, share in shares.items()
        for start in range(0, share, CHUNK)
    ]
    found = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for name, done, taken_s, finding in pool.map(run, *zip(*jobs, strict=True)):
            found += bool(finding)
            sys.stdout.write(f"{name:<16}{done:>9} inputs {taken_s:>8.1f} s {finding or 'ok'}\n")
            sys.stdout.flush()
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    sys.stdout.write(
        f"{sum(count for _, count, _ in jobs)} inputs, {found} findings, {peak_mb:.0f} MB at most\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
