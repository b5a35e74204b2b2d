"""Lists in pages and by selector; watches that lose nothing and say what they mean."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.errors import (
    BadRequestError,
    ExpiredError,
    InvalidError,
    TimeoutError,  # noqa: A004
)
from roadbed.apis.core import CONFIGMAPS, EVENTS, SECRETS
from roadbed.apis.events import EVENTS as NEW_EVENTS


def config(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "labels": labels}}


async def test_an_empty_list_has_the_store_s_revision(api: Any, storage: Any) -> None:
    page = await api.page(SECRETS)
    assert page.items == []
    assert page.revision == str(storage.revision) != "0"


async def test_pages_share_one_revision_and_do_not_see_later_writes(api: Any) -> None:
    for name in "abcde":
        await api.create(CONFIGMAPS, config(name))
    first = await api.page(CONFIGMAPS, "default", limit="2")
    assert first.remaining == 3
    await api.create(CONFIGMAPS, config("bb"))
    await api.delete(CONFIGMAPS, "d", "default")
    names, revisions, token = ["a", "b"], {first.revision}, first.continue_token
    while token:
        page = await api.page(CONFIGMAPS, "default", **{"limit": "2", "continue": token})
        names += [orjson.loads(item)["metadata"]["name"] for item in page.items]
        revisions.add(page.revision)
        token = page.continue_token
    assert names == ["a", "b", "c", "d", "e"]
    assert len(revisions) == 1
    assert await api.names(CONFIGMAPS, "default") == ["a", "b", "bb", "c", "e"]


async def test_an_expired_continue_token_comes_with_a_fresh_one(api: Any, storage: Any) -> None:
    for name in "abc":
        await api.create(CONFIGMAPS, config(name))
    first = await api.page(CONFIGMAPS, limit="1")
    await api.create(CONFIGMAPS, config("d"))
    await storage.compact(storage.revision)
    with pytest.raises(ExpiredError) as caught:
        await api.page(CONFIGMAPS, **{"limit": "1", "continue": first.continue_token})
    page = await api.page(CONFIGMAPS, **{"continue": caught.value.continue_token})
    assert [orjson.loads(item)["metadata"]["name"] for item in page.items] == ["b", "c", "d"]


async def test_an_exact_revision_shows_the_past_and_the_future_is_refused(api: Any, storage: Any) -> None:
    await api.create(CONFIGMAPS, config("a"))
    past = str(storage.revision)
    await api.create(CONFIGMAPS, config("b"))
    assert await api.names(CONFIGMAPS, resourceVersion=past, resourceVersionMatch="Exact") == ["a"]
    assert await api.names(CONFIGMAPS, resourceVersion=past, resourceVersionMatch="NotOlderThan") == [
        "a",
        "b",
    ]
    with pytest.raises(TimeoutError, match="Too large resource version") as caught:
        await api.page(CONFIGMAPS, resourceVersion="999999")
    assert caught.value.causes[0].reason == "ResourceVersionTooLarge"


async def test_selectors_on_labels_and_fields_choose(api: Any) -> None:
    await api.create(CONFIGMAPS, config("a", app="x"))
    await api.create(CONFIGMAPS, config("b", app="y"))
    assert await api.names(CONFIGMAPS, labelSelector="app in (x)") == ["a"]
    assert await api.names(CONFIGMAPS, labelSelector="app,app!=x") == ["b"]
    assert await api.names(CONFIGMAPS, fieldSelector="metadata.name=b") == ["b"]
    assert await api.names(CONFIGMAPS, fieldSelector="metadata.namespace!=default") == []
    with pytest.raises(BadRequestError, match=r'"spec\.x" is not a known field selector'):
        await api.page(CONFIGMAPS, fieldSelector="spec.x=1")
    with pytest.raises(BadRequestError):
        await api.page(CONFIGMAPS, labelSelector="a in (")


async def test_a_watch_without_revision_starts_with_what_is_there(api: Any) -> None:
    await api.create(CONFIGMAPS, config("a"))
    ((kind, obj),) = await api.events(CONFIGMAPS, 1, "default")
    assert (kind, obj["metadata"]["name"]) == ("ADDED", "a")


async def test_a_watch_resumes_after_any_revision_and_loses_nothing(api: Any, storage: Any) -> None:
    start = str(storage.revision)
    made = await api.create(CONFIGMAPS, config("a"))
    await api.update(CONFIGMAPS, {**made, "data": {"k": "v"}})
    await api.delete(CONFIGMAPS, "a", "default")
    events = await api.events(CONFIGMAPS, 3, resourceVersion=start)
    assert [kind for kind, _ in events] == ["ADDED", "MODIFIED", "DELETED"]
    revisions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] == storage.revision, "a deletion carries its own revision"


async def test_leaving_a_selection_is_deleted_and_entering_is_added(api: Any, storage: Any) -> None:
    start = str(storage.revision)
    await api.create(CONFIGMAPS, config("a"))
    await api.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"app": "x"}}}, "default")
    await api.patch(CONFIGMAPS, "a", {"data": {"k": "v"}}, "default")
    await api.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"app": "y"}}}, "default")
    await api.delete(CONFIGMAPS, "a", "default")
    await api.create(CONFIGMAPS, config("b", app="x"))
    events = await api.events(CONFIGMAPS, 4, resourceVersion=start, labelSelector="app=x")
    assert [(kind, obj["metadata"]["name"]) for kind, obj in events] == [
        ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b"),
    ]  # fmt: skip
    assert events[2][1]["metadata"]["labels"] == {"app": "x"}


async def test_initial_events_end_with_an_annotated_bookmark(api: Any) -> None:
    await api.create(CONFIGMAPS, config("a"))
    options = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    events = await api.events(CONFIGMAPS, 2, "default", **options)
    assert [kind for kind, _ in events] == ["ADDED", "BOOKMARK"]
    assert events[1][1]["kind"] == "ConfigMap"
    assert events[1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    with pytest.raises(InvalidError, match="NotOlderThan"):
        await api.events(CONFIGMAPS, 1, sendInitialEvents="true")


async def test_a_compacted_revision_is_expired(api: Any, storage: Any, server: Any) -> None:
    start = str(storage.revision)
    await api.create(CONFIGMAPS, config("a"))
    await api.create(CONFIGMAPS, config("b"))
    await storage.compact(storage.revision)
    cache = server._registry.get("", "v1", "configmaps").cache
    cache.ring_start = storage.revision  # as after a restart
    with pytest.raises(ExpiredError, match="too old resource version"):
        await api.events(CONFIGMAPS, 1, resourceVersion=start)


async def test_a_watch_older_than_the_ring_replays_from_the_log_and_goes_on_live(
    api: Any, storage: Any, server: Any
) -> None:
    start = str(storage.revision)
    await api.create(CONFIGMAPS, config("a"))
    await api.delete(CONFIGMAPS, "a", "default")
    server._registry.get("", "v1", "configmaps").cache.ring_start = storage.revision
    found = []
    async with aclosing(api.watch(CONFIGMAPS, resourceVersion=start)) as events:
        async for event in events:
            found.append((event.type, orjson.loads(event.object)["metadata"]["name"]))
            if len(found) == 2:
                await api.create(CONFIGMAPS, config("b"))
                await api.create(CONFIGMAPS, config("c"))
            if len(found) == 4:
                break
    assert found == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "b"), ("ADDED", "c")]


async def test_a_quiet_watch_from_the_log_gets_its_bookmarks(
    api: Any, storage: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roadbed.apiserver.handlers.watch.BOOKMARK_S", 0.05)
    start = str(storage.revision)
    server._registry.get("", "v1", "configmaps").cache.ring_start = storage.revision + 1  # as after a restart
    async with aclosing(api.watch(CONFIGMAPS, resourceVersion=start, allowWatchBookmarks="true")) as events:
        assert (await anext(events)).type == "BOOKMARK"


async def test_a_watch_ends_after_its_timeout(api: Any) -> None:
    events = [event async for event in api.watch(CONFIGMAPS, resourceVersion="1", timeoutSeconds="1")]
    assert events == []


async def test_a_slow_watcher_is_dropped_with_expired(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roadbed.apiserver.watchcache.QUEUE", 2)
    async with aclosing(api.watch(CONFIGMAPS)) as events:
        await api.create(CONFIGMAPS, config("a"))
        await anext(events)
        for name in "bcde":
            await api.create(CONFIGMAPS, config(name))
        with pytest.raises(ExpiredError, match="too slowly"):
            while True:
                await anext(events)


async def test_events_are_one_kind_in_two_groups(api: Any) -> None:
    about = {"kind": "ConfigMap", "name": "a", "namespace": "default"}
    body = {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": about, "message": "hello"}
    await api.create(EVENTS, body)
    new = await api.get(NEW_EVENTS, "e", "default")
    assert (new["apiVersion"], new["note"], new["regarding"]["name"]) == ("events.k8s.io/v1", "hello", "a")
    assert await api.names(EVENTS, fieldSelector="involvedObject.name=a,involvedObject.kind=ConfigMap") == [
        "e"
    ]
    assert await api.names(NEW_EVENTS, fieldSelector="regarding.name=b") == []
