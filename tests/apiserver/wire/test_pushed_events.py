"""Events that leave as they come, and those that have to wait for their client, are one stream in order."""

from __future__ import annotations

from typing import Any

import orjson

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer

COUNT = 60
VALUE_BYTES = 200_000
MAPS = b"/api/v1/namespaces/default/configmaps"


async def test_a_client_that_pauses_misses_nothing_and_hears_all_in_order(
    wires: Any, api: Any, server: ApiServer
) -> None:
    wire = await wires()
    await wire.say(b"GET " + MAPS + b"?watch=true&resourceVersion=0 HTTP/1.1\r\nHost: x\r\n\r\n")
    await wire.reader.readuntil(b"\r\n\r\n")
    wire.writer.transport.pause_reading()
    (watcher,) = server._core.registry.get("", "v1", "configmaps").cache._watchers
    outcomes: list[bool] = []
    push = watcher.push

    def watched(batch: Any) -> bool:
        outcomes.append(push(batch))
        return outcomes[-1]

    watcher.push = watched
    for index in range(COUNT):
        meta = {"name": f"c{index:03}", "namespace": "default"}
        await api.create(CONFIGMAPS, {"metadata": meta, "data": {"x": "x" * VALUE_BYTES}})
    assert set(outcomes) == {True, False}
    wire.writer.transport.resume_reading()
    names: list[str] = []
    while len(names) < COUNT:
        size_bytes = int(await wire.reader.readuntil(b"\r\n"), 16)
        piece = await wire.reader.readexactly(size_bytes + 2)
        names += [orjson.loads(line)["object"]["metadata"]["name"] for line in piece.splitlines() if line]
    assert names == [f"c{index:03}" for index in range(COUNT)]
    assert server._core.metrics._watch_events.value(("", "v1", "configmaps")) == COUNT
    before = len(outcomes)
    await api.delete(CONFIGMAPS, "c000", "default")
    assert outcomes[before:] == [True]  # it is direct again, once the client has read all
