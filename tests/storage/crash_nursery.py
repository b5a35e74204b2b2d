"""Writers to be killed: run by ``test_crash`` as a program, told on stdin when to start the next one.

The program has everything imported and forks for each round, so that a round costs milliseconds. A forked
writer opens the store, writes from many tasks, and says what was acknowledged, one line each on stdout:
``pid <pid>``, then ``<verb> <key> <revision>`` in the moment that the write returned.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys

from roadbed.storage.compaction import Retention
from roadbed.storage.sqlite import Limits, open_url

WRITERS = 12


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def write(url: str, seed: int) -> None:
    # A past short enough that compaction is under way when the end comes.
    store = await open_url(url, Limits(retention=Retention(revisions=400, most_revisions=400, step=50)))
    choice = random.Random(seed)
    say(f"pid {os.getpid()}")

    async def work(writer: int) -> None:
        for turn in itertools.count():
            key = f"/crash/{writer}/{turn % 5}"
            encode = lambda revision, key=key: f"{key}@{revision}".encode() * choice.choice((1, 40, 400))  # noqa: E731
            record = store.get(key)
            if record is None:
                verb, record = "put", await store.create(key, encode)
            elif choice.random() < 0.3:
                verb, record = "delete", await store.delete(key, encode, expected=record.revision)
            else:
                verb, record = "put", await store.update(key, encode, expected=record.revision)
            say(f"{verb} {key} {record.revision}")

    async with asyncio.TaskGroup() as writers:
        for writer in range(WRITERS):
            writers.create_task(work(writer))


def main() -> None:
    for seed in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(write(sys.argv[1], int(seed)))
            os._exit(1)  # writers don't return
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
