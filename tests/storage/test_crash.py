"""``kill -9`` at any moment: every acknowledged write is there, and no revision is given twice."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from roadbed.storage.sqlite import Limits

NURSERY = Path(__file__).with_name("crash_nursery.py")
STAMP = re.compile(rb"/crash/\d+/\d+@\d+")


class Rounds:
    """What was acknowledged and what was seen, over all rounds on one file."""

    def __init__(self, file, open_store):
        self.file = file
        self.open_store = open_store
        self.acknowledged = {}  # revision -> (verb, key)
        self.seen = {}  # revision -> (verb, key, value)
        self.newest = 0

    async def crash(self, nursery, choice):
        """Let a writer work for a random number of acknowledgements, kill it, note what it said."""
        nursery.stdin.write(f"{choice.randrange(1 << 30)}\n".encode())
        _, pid = (await nursery.stdout.readline()).split()
        enough = choice.choice((1, 5, 30, 300)) + choice.randrange(30)
        lines = [await nursery.stdout.readline() for _ in range(enough)]
        os.kill(int(pid), signal.SIGKILL)
        while (line := await nursery.stdout.readline()) != b"dead\n":
            lines.append(line)
        acknowledged = [line.decode().split() for line in lines]
        for verb, key, revision in acknowledged:
            assert int(revision) > self.newest, "a revision of an earlier life was given again"
            assert int(revision) not in self.acknowledged
            self.acknowledged[int(revision)] = (verb, key)
        return len(acknowledged)

    async def verify(self):
        """Open the store as the next process would; compare it with what was acknowledged."""
        store = await self.open_store(
            self.file, Limits(window_events=100)
        )  # some from disk, some from memory
        before = max(self.newest, store.compacted)
        async with aclosing(store.watch("", after=before)) as events:
            revision = before
            while revision < store.revision:
                event = await anext(events)
                assert event.revision > revision
                revision = event.revision
                assert set(STAMP.findall(event.value)) == {f"{event.key}@{revision}".encode()}
                self.seen[revision] = ("delete" if event.is_delete else "put", event.key)
        for revision, wrote in self.acknowledged.items():
            if revision > before:
                assert self.seen.get(revision) == wrote
            assert revision <= store.revision
        self.check_live(store)
        self.newest = store.revision
        await store.close()

    def check_live(self, store):
        newest = {}
        for revision, (verb, key) in sorted((self.seen | self.acknowledged).items()):
            newest[key] = (verb, revision)
        live = {record.key: record for record in store.scan("")}
        for key, (verb, revision) in newest.items():
            if verb == "delete":
                assert key not in live
            else:
                assert live[key].revision == revision
                assert live[key].value.startswith(f"{key}@{revision}".encode())
        assert live.keys() <= newest.keys()


async def crash_rounds(count, file, open_store):
    file.parent.mkdir()
    choice = random.Random()  # any moment will do, and must
    nursery = await asyncio.create_subprocess_exec(
        sys.executable, NURSERY, f"sqlite:///{file}", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    rounds, acknowledged = Rounds(file, open_store), 0
    try:
        for _ in range(count):
            acknowledged += await rounds.crash(nursery, choice)
            await rounds.verify()
    finally:
        nursery.stdin.close()
        await nursery.wait()
    assert acknowledged > count * 10
    assert len(rounds.seen) >= count


@pytest.mark.timeout(20)
async def test_twenty_crashes_lose_no_acknowledged_write(file, open_store):
    await crash_rounds(20, file, open_store)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_two_hundred_crashes_lose_no_acknowledged_write(file, open_store):
    await crash_rounds(200, file, open_store)
