"""Periodic bookmarks: in the shape of the watch, at the store's revision, after all that was told before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer
from roadbed.apiserver.handlers import watch

MAPS = "/api/v1/namespaces/default/configmaps?watch=1&allowWatchBookmarks=true&timeoutSeconds=1"
KINDS = {
    "application/json": "ConfigMap",
    "application/json;as=Table;v=v1;g=meta.k8s.io": "Table",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io": "PartialObjectMetadata",
}


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(server.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def test_a_quiet_watch_hears_of_the_stores_revision(
    http: httpx.AsyncClient, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_S", 0.2)
    await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})
    other = await api.create(CONFIGMAPS, {"metadata": {"name": "b", "namespace": "kube-system"}})
    # Together, because a watch can't be asked to end before a second has passed.
    answers = await asyncio.gather(*(http.get(MAPS, headers={"accept": accept}) for accept in KINDS))
    for answer, kind in zip(answers, KINDS.values(), strict=True):
        told = [orjson.loads(line) for line in answer.content.splitlines()]
        events = [event["object"] for event in told if event["type"] == "BOOKMARK"]
        assert 2 <= len(events) <= 6
        for event in events:
            assert event["kind"] == kind
            # The server may write on its own meanwhile.
            assert int(event["metadata"]["resourceVersion"]) >= int(other["metadata"]["resourceVersion"])
