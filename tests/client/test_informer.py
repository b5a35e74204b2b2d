"""An informer over a stream that breaks: what its handlers are told, and that nothing is told twice."""

import asyncio
import contextlib

import orjson
import pytest

from roadbed.apimachinery.errors import ExpiredError, ServiceUnavailableError
from roadbed.apimachinery.objects import ObjectKey
from roadbed.apimachinery.request import Page, WatchEvent
from roadbed.apis.core import CONFIGMAPS
from roadbed.client import Client, Informer
from roadbed.testing import eventually


def encoded(name, revision, **data):
    metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(revision)}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


class Broken:
    """A server of which the test decides what it lists and when its streams end."""

    def __init__(self):
        self.page = Page([], "1")
        self.lists = 0
        self.events = asyncio.Queue()

    async def list(self, request):
        self.lists += 1
        return self.page

    async def watch(self, request):
        while True:
            event = await self.events.get()
            if isinstance(event, Exception):
                raise event
            yield event


@pytest.fixture
async def server():
    return Broken()


@pytest.fixture
async def informer(server):
    informer = Informer(Client(server), CONFIGMAPS)
    informer.told = []
    informer.add_handler(lambda change: informer.told.append((change.key.name, *names(change))))
    task = asyncio.create_task(informer.run())
    await informer.synced()
    yield informer
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def names(change):
    return tuple(None if obj is None else obj["data"].get("x") for obj in change.objects())


async def listed(server, times):
    async def ask():
        return server.lists >= times

    await eventually(ask)


async def test_after_a_forgotten_revision_it_lists_again_and_tells_only_what_changed(server, informer):
    for name in "abc":
        server.events.put_nowait(WatchEvent("ADDED", encoded(name, 2, x="1")))
    server.page = Page([encoded("a", 2, x="1"), encoded("b", 7, x="2")], "9")
    server.events.put_nowait(ExpiredError("too old resource version: 2 (8)"))
    await listed(server, 2)
    assert informer.told == [
        ("a", None, "1"),
        ("b", None, "1"),
        ("c", None, "1"),
        ("b", "1", "2"),
        ("c", "1", None),
    ]


async def test_a_server_that_went_away_keeps_what_is_known_until_it_is_back(server, informer):
    server.events.put_nowait(WatchEvent("ADDED", encoded("a", 2, x="1")))
    server.page = Page([encoded("a", 2, x="1")], "2")
    server.events.put_nowait(ServiceUnavailableError("gone for a moment"))
    await listed(server, 2)
    assert informer.get(ObjectKey("default", "a"))["data"] == {"x": "1"}
    assert informer.told == [("a", None, "1")]


async def test_a_bookmark_moves_the_revision_and_nothing_else(server, informer):
    bookmark = orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": "50"}})
    server.events.put_nowait(WatchEvent("BOOKMARK", bookmark))
    server.events.put_nowait(WatchEvent("ADDED", encoded("a", 51, x="1")))

    async def told():
        return informer.told

    assert await eventually(told) == [("a", None, "1")]


async def test_the_event_of_an_observed_write_is_not_told_again(server, informer):
    informer.observe(orjson.loads(encoded("a", 5, x="1")))
    server.events.put_nowait(WatchEvent("ADDED", encoded("a", 5, x="1")))
    server.events.put_nowait(WatchEvent("MODIFIED", encoded("a", 6, x="2")))

    async def told():
        return len(informer.told) >= 2

    await eventually(told)
    assert informer.told == [("a", None, "1"), ("a", "1", "2")]


async def test_a_late_answer_does_not_bring_back_what_was_deleted(server, informer):
    server.events.put_nowait(WatchEvent("ADDED", encoded("a", 5, x="1")))
    server.events.put_nowait(WatchEvent("DELETED", encoded("a", 6, x="1")))

    async def told():
        return len(informer.told) == 2

    await eventually(told)
    informer.observe(orjson.loads(encoded("a", 5, x="1")))
    assert informer.get(ObjectKey("default", "a")) is None
