"""A long run: ``python -m tests.fuzz --inputs 1000000 [--seed 1] [--jobs 2] [TARGET …]``.

A quarter of the inputs are requests of any bytes, a quarter are steps of stories (``steps``: one step is one to six
requests), the rest is shared by the targets. Prints a line a target, and every finding with the input that made it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from .catalogue import ALL, SLOW, feed
from .server import fuzz
from .steps import tell

SERVER, STORY = "server", "story"
SLOWLY = 20  # a target that takes long gets so many times fewer
CHUNK = 20_000


def run(name: str, count: int, seed: int) -> tuple[str, int, float, str]:
    """Run one target; gives its name, the inputs run, the seconds taken, and the first finding or nothing."""
    begin = time.perf_counter()
    done, finding = 0, ""
    if name in (SERVER, STORY):
        try:
            asyncio.run(fuzz(count, seed) if name == SERVER else tell(count, seed))
            done = count
        except Exception:  # noqa: BLE001 - any of them is a finding
            finding = traceback.format_exc()
    else:
        for content in feed(name, seed):
            if done == count:
                break
            done += 1
            try:
                ALL[name](content)
            except Exception:  # noqa: BLE001 - any of them is a finding
                finding = f"{content!r}\n{traceback.format_exc()}"
                break
    return name, done, time.perf_counter() - begin, finding


def _share(name: str, inputs: int) -> int:
    if name in (SERVER, STORY):
        return inputs // 4 + 1
    share = inputs // (2 * (len(ALL) - len(SLOW))) + 1
    return share // SLOWLY + 1 if name in SLOW else share


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[SERVER, STORY, *ALL, []], help="all if none is named")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    names = options.targets or [SERVER, STORY, *ALL]
    shares = {name: _share(name, options.inputs) for name in names}
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
