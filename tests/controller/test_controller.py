"""Controllers on a real control plane: what wakes them, how a reconcile may end, how they stop."""

import asyncio
import contextlib
import logging

import pytest

from roadbed.apimachinery.objects import ObjectKey
from roadbed.apis.core import EVENTS, SECRETS
from roadbed.controller import Controller, Recorder, Request, Result, SystemClock, TerminalError, Watch
from roadbed.testing import control_plane, eventually


@pytest.fixture
async def plane():
    async with control_plane(crds=()) as running:
        yield running


def secret(name, **data):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


class Counting:
    """Counts looks per request and ends as it is told, one ending after the other."""

    def __init__(self, *endings):
        self.endings = list(endings)
        self.looks = []

    async def reconcile(self, request):
        self.looks.append(request)
        ending = self.endings.pop(0) if self.endings else Result()
        if isinstance(ending, Exception):
            raise ending
        return ending

    async def looked(self, times):
        async def ask():
            return len(self.looks) >= times

        await eventually(ask)


async def test_a_controller_sees_what_was_there_before_and_what_comes(plane):
    await plane.create(secret("before"))
    reconciler = Counting()
    plane.manager.start(Controller("test", reconciler, [Watch(SECRETS)]))
    await reconciler.looked(1)
    await plane.create(secret("after"))
    await reconciler.looked(2)
    assert reconciler.looks == [Request("default", "before"), Request("default", "after")]


async def test_a_failed_reconcile_is_retried_and_a_terminal_one_is_not(plane, caplog):
    reconciler = Counting(ValueError("broken"), TerminalError("for good"))
    plane.manager.start(Controller("test", reconciler, [Watch(SECRETS)]))
    await plane.create(secret("a"))
    await reconciler.looked(2)
    await plane.manager.idle()
    await asyncio.sleep(0.03)  # longer than the backoff that a retry would have had
    assert len(reconciler.looks) == 2
    assert any("for good" in getattr(record, "error", "") for record in caplog.records)


async def test_a_terminal_error_ends_with_the_next_change(plane):
    reconciler = Counting(TerminalError("for good"))
    plane.manager.start(Controller("test", reconciler, [Watch(SECRETS)]))
    await plane.create(secret("a"))
    await reconciler.looked(1)
    await plane.client.patch(SECRETS, "a", {"data": {"x": "eQ=="}}, namespace="default")
    await reconciler.looked(2)


async def test_a_requeue_brings_another_look(plane):
    reconciler = Counting(Result(requeue_after_s=0.001))
    plane.manager.start(Controller("test", reconciler, [Watch(SECRETS)]))
    await plane.create(secret("a"))
    await reconciler.looked(2)


async def test_a_predicate_keeps_changes_away(plane):
    reconciler = Counting()
    only_new = Watch(SECRETS, predicate=lambda old, new: old is None)
    plane.manager.start(Controller("test", reconciler, [only_new]))
    await plane.create(secret("a"))
    await reconciler.looked(1)
    await plane.client.patch(SECRETS, "a", {"data": {"x": "eQ=="}}, namespace="default")
    await plane.create(secret("b"))
    await reconciler.looked(2)
    assert reconciler.looks[-1].name == "b"
    assert len(reconciler.looks) == 2


async def test_a_stopped_controller_does_nothing_more_and_frees_its_name(plane):
    reconciler = Counting()
    plane.manager.start(Controller("test", reconciler, [Watch(SECRETS)]))
    await plane.create(secret("a"))
    await reconciler.looked(1)
    await plane.manager.stop("test")
    await plane.create(secret("b"))
    plane.manager.start(Controller("test", Counting(), []))
    assert len(reconciler.looks) == 1


async def test_two_controllers_of_one_name_are_refused(plane):
    plane.manager.start(Controller("test", Counting(), []))
    with pytest.raises(ValueError, match="runs already"):
        plane.manager.start(Controller("test", Counting(), []))


async def test_an_informer_shows_our_own_write_before_its_event(plane):
    plane.manager.start(Controller("test", Counting(), [Watch(SECRETS)]))

    async def informer():
        with contextlib.suppress(KeyError):
            return plane.manager.informers.of(SECRETS)
        return None

    found = await eventually(informer)
    await found.synced()
    (written,) = await plane.create(secret("a"))
    found.observe(written)
    assert found.get(ObjectKey("default", "a"))["metadata"]["uid"] == written["metadata"]["uid"]


async def test_indexes_follow_changes(plane):
    plane.manager.start(Controller("test", Counting(), [Watch(SECRETS)]))
    await plane.create(secret("a", colour="cmVk"), secret("b", colour="Ymx1ZQ=="))

    async def informer():
        with contextlib.suppress(KeyError):
            return plane.manager.informers.of(SECRETS)
        return None

    found = await eventually(informer)
    await found.synced()
    found.add_index("colour", lambda obj: list(obj.get("data", {}).values()))
    await plane.client.patch(SECRETS, "b", {"data": {"colour": "cmVk"}}, namespace="default")

    async def two_red():
        return len(found.by_index("colour", "cmVk")) == 2

    await eventually(two_red)
    assert found.by_index("colour", "Ymx1ZQ==") == []


async def test_repeated_events_are_counted_not_multiplied(plane):
    (obj,) = await plane.create(secret("a"))
    recorder = Recorder(plane.client, "test", SystemClock())
    for _ in range(3):
        await recorder.event(obj, "Warning", "Failed", "the same thing")
    await recorder.event(obj, "Normal", "Mended", "all well")
    events = await plane.client.list(EVENTS, "default", fields="involvedObject.name=a")
    assert sorted((event["reason"], event["count"]) for event in events) == [("Failed", 3), ("Mended", 1)]


async def test_an_event_that_cannot_be_written_is_only_logged(plane, caplog):
    obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "nowhere", "uid": "u"},
    }
    with caplog.at_level(logging.WARNING):
        await Recorder(plane.client, "test", SystemClock()).event(obj, "Normal", "Reason", "message")
    assert "event lost" in caplog.text
