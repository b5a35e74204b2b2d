"""Events do not pile up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from roadbed.apis.core import EVENTS
from roadbed.apiserver.expiry import sweep


async def test_events_go_an_hour_after_they_were_last_written(api: Any, server: Any, clock: Any) -> None:
    about = {"kind": "ConfigMap", "name": "a", "namespace": "default"}
    for name in ("old", "seen"):
        body = {"metadata": {"name": name, "namespace": "default"}, "involvedObject": about}
        # What an event says about its own time is its author's, and does not count.
        await api.create(EVENTS, {**body, "lastTimestamp": "2039-01-02T04:00:00Z"})
    clock.now += timedelta(minutes=30)
    await api.patch(EVENTS, "seen", {"count": 2}, namespace="default")
    clock.now += timedelta(minutes=29)
    assert await sweep(server._core, api.transport) == 0
    clock.now += timedelta(minutes=2)
    assert await sweep(server._core, api.transport) == 1
    assert await api.names(EVENTS) == ["seen"]
    assert await sweep(server._core, api.transport, 7_200.0) == 0
