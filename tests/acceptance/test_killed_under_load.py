"""A platform under full load that is killed, backed up or left running: nothing acknowledged is lost or doubled.

Eight writers and three watchers reach a real ``roadbed up`` over TLS. A writer knows what was acknowledged to it
and, after a kill, which one write of each of its objects is in doubt. A watcher resumes from the last revision it
saw; if that is refused (410), it lists again, as every informer does.
"""

import asyncio
import json
import random
import signal
import socket
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from roadbed.apimachinery.errors import ApiError, ExpiredError, GoneError, NotFoundError
from roadbed.apimachinery.objects import name_of, revision_of
from roadbed.apis.core import CONFIGMAPS
from roadbed.client import connect

NAMESPACE = "default"
WRITERS, WATCHERS, OBJECTS_EACH = 8, 3, 6
GONE = "gone"


def configmap(name, text):
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": text}}


@dataclass
class Writer:
    """Creates, changes and deletes objects of its own, and remembers every answer."""

    number: int
    choice: random.Random
    known: dict = field(default_factory=dict)  # name -> (revision, text or GONE), as acknowledged
    doubt: dict = field(default_factory=dict)  # name -> the text (or GONE) of a write that got no answer
    acknowledged: list = field(default_factory=list)  # (revision, name, text or GONE)
    turn: int = 0

    async def work(self, client, until):
        """Write until told to stop, or until the server is gone."""
        while not until.is_set():
            self.turn += 1
            name = f"w{self.number}-{self.turn % OBJECTS_EACH}"
            is_there = self.known.get(name, (0, GONE))[1] != GONE
            text = f"{self.number}/{self.turn}" * self.choice.choice((1, 30, 300))
            wanted = GONE if is_there and self.choice.random() < 0.25 else text
            try:
                revision = await self._write(client, name, wanted, is_there=is_there)
            except ApiError:
                self.doubt[name] = wanted
                return
            assert revision > self.known.get(name, (0, ""))[0], f"{name} went back in time"
            self.known[name] = (revision, wanted)
            self.acknowledged.append((revision, name, wanted))

    async def _write(self, client, name, wanted, *, is_there):
        if wanted is GONE:
            answer = await client.delete(CONFIGMAPS, name, NAMESPACE)
            assert answer["status"] == "Success"
            return self.known[name][0] + 1  # a Status has no revision; it was later than the last one
        if is_there:
            patch = {"data": {"text": wanted}}
            return int(revision_of(await client.patch(CONFIGMAPS, name, patch, namespace=NAMESPACE)))
        return int(revision_of(await client.create(CONFIGMAPS, configmap(name, wanted))))

    def settle(self, live):
        """Compare with what a list says after the restart; what was in doubt is certain then."""
        for name in {*self.known, *self.doubt}:
            found = live.get(name, (0, GONE))
            revision, text = self.known.get(name, (0, GONE))
            if name in self.doubt and found[1] == self.doubt[name]:
                assert found[0] > revision or found[1] == GONE, f"{name} was written at an old revision"
            else:
                assert found[1] == text, f"{name}: acknowledged {text[:40]!r}, found {found[1][:40]!r}"
                assert found[1] == GONE or found[0] == revision, (
                    f"{name} has another revision than acknowledged"
                )
            self.known[name] = (max(found[0], revision), found[1])
        self.doubt.clear()


@dataclass
class Watcher:
    """Follows everything through any number of broken streams."""

    seen: dict = field(default_factory=dict)  # name -> revision
    revision: str = ""
    resumed: int = 0
    expired: int = 0

    async def follow(self, client):
        """Follow until the server is gone."""
        while True:
            try:
                if not self.revision:
                    page = await client.read_all(CONFIGMAPS, NAMESPACE)
                    self.seen = {name_of(obj): revision_of(obj) for obj in map(json.loads, page.items)}
                    self.revision = page.revision
                else:
                    self.resumed += 1
                async with aclosing(client.watch(CONFIGMAPS, NAMESPACE, after=self.revision)) as events:
                    async for kind, obj in events:
                        self.take(kind, obj)
            except (ExpiredError, GoneError):
                self.expired += 1
                self.revision = ""
            except ApiError:
                return

    def take(self, kind, obj):
        revision = revision_of(obj)
        assert int(revision) > int(self.revision), "an event came twice, or late"
        self.revision = revision
        if kind == "DELETED":
            self.seen.pop(name_of(obj), None)
        else:
            self.seen[name_of(obj)] = revision


async def listed(client):
    objects = await client.list(CONFIGMAPS, NAMESPACE)
    ours = [obj for obj in objects if name_of(obj).startswith("w")]
    return {name_of(obj): (int(revision_of(obj)), obj["data"]["text"]) for obj in ours}


async def caught_up(watchers, client):
    """Wait until every watcher shows what a list shows."""
    async with asyncio.timeout(20):
        while True:
            live = {name: str(revision) for name, (revision, _) in (await listed(client)).items()}
            shown = [{k: v for k, v in each.seen.items() if k.startswith("w")} for each in watchers]
            # In an empty store nothing is missing; a watcher that has not begun has nothing to resume from, either.
            if all(each == live for each in shown) and all(each.revision for each in watchers):
                return
            await asyncio.sleep(0.02)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


async def kill_rounds(count, start_platform, folder):
    port = str(free_port())  # the same in each life, so that clients come back by themselves
    choice = random.Random()
    writers = [Writer(number, choice) for number in range(WRITERS)]
    watchers = [Watcher() for _ in range(WATCHERS)]
    newest = 0
    for _ in range(count):
        running = await asyncio.to_thread(start_platform, folder, "--no-demo", "--api-port", port)
        client = connect(running.kubeconfig)
        live = await listed(client)
        for writer in writers:
            writer.settle(live)
        async with asyncio.TaskGroup() as tasks:
            for watcher in watchers:
                tasks.create_task(watcher.follow(client))
            await caught_up(watchers, client)  # through whatever the last kill cut off
            for writer in writers:
                tasks.create_task(writer.work(client, asyncio.Event()))
            first = len(writers[0].acknowledged)
            await asyncio.sleep(choice.uniform(0.05, 0.8))
            await asyncio.to_thread(running.stop, signal.SIGKILL)
        await client.transport.close()
        written = [each for writer in writers for each in writer.acknowledged if each[2] is not GONE]
        revisions = [revision for revision, _, _ in written]
        assert len(revisions) == len(set(revisions)), "a revision was given twice"
        fresh = [
            revision
            for writer in writers
            for revision, _, text in writer.acknowledged[first:]
            if text is not GONE
        ]
        newest = max([newest, *fresh])
    total = sum(len(writer.acknowledged) for writer in writers)
    assert total > count * 20, "hardly any load: this proved little"
    assert sum(watcher.resumed + watcher.expired for watcher in watchers) >= (count - 1) * WATCHERS
    return {
        "acknowledged": total,
        "resumed": sum(watcher.resumed for watcher in watchers),
        "expired": sum(watcher.expired for watcher in watchers),
        "newest": newest,
    }


async def test_ten_kills_under_load_lose_nothing_acknowledged(
    start_platform, tmp_path, record_testsuite_property
):
    record_testsuite_property("figures", await kill_rounds(10, start_platform, tmp_path / "data"))


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_hundred_kills_under_load_lose_nothing_acknowledged(
    start_platform, tmp_path, record_testsuite_property
):
    record_testsuite_property("figures", await kill_rounds(100, start_platform, tmp_path / "data"))


async def test_a_backup_of_a_busy_platform_is_one_moment_of_it(start_platform, tmp_path):
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    client = connect(running.kubeconfig)
    writers = [Writer(number, random.Random(number)) for number in range(WRITERS)]
    done = asyncio.Event()
    changes = {}  # revision -> (name, text or GONE): what a watcher of everything saw

    async def follow():
        async with aclosing(client.watch(CONFIGMAPS, NAMESPACE, after="1")) as events:
            async for kind, obj in events:
                text = GONE if kind == "DELETED" else (obj.get("data") or {}).get("text")
                changes[int(revision_of(obj))] = (name_of(obj), text)

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        working = [tasks.create_task(writer.work(client, done)) for writer in writers]
        while len(changes) < 300:
            await asyncio.sleep(0.01)
        took = await asyncio.to_thread(
            running.roadbed, "backup", "--data-dir", running.data_dir, tmp_path / "b.tar", "-o", "json"
        )
        report = json.loads(took.stdout)
        done.set()
        await asyncio.gather(*working)
        last = max(writer.acknowledged[-1][0] for writer in writers)
        while not any(revision >= last for revision in changes):
            await asyncio.sleep(0.01)
        following.cancel()
    await client.transport.close()
    assert max(changes) > report["revision"], "nothing was written after the backup: this proved little"
    expected = {}
    for revision in sorted(changes):
        if revision <= report["revision"]:
            name, text = changes[revision]
            expected[name] = (revision, text)
    expected = {name: found for name, found in expected.items() if found[1] != GONE and name.startswith("w")}

    check = running.roadbed("fsck", "--data-dir", running.data_dir, "-o", "json")
    assert json.loads(check.stdout)["findings"] == []
    running.roadbed("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "again")
    again = await asyncio.to_thread(start_platform, tmp_path / "again", "--no-demo")
    client = connect(Path(again.kubeconfig))
    assert await listed(client) == expected
    with pytest.raises(ExpiredError):
        async with aclosing(client.watch(CONFIGMAPS, NAMESPACE, after=str(max(changes)))) as events:
            async for _ in events:
                pass
    with pytest.raises(NotFoundError):
        await client.get(CONFIGMAPS, "never", NAMESPACE)
    await client.transport.close()
