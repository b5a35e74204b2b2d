"""Events do not pile up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from roadbed.apis.core import EVENTS
from roadbed.apiserver.expiry import sweep


async def test_events_go_an_hour_after_they_were_last_seen(api: Any, server: Any, clock: Any) -> None:
    about = {"kind": "ConfigMap", "name": "a", "namespace": "default"}
    for name, seen in (("old", None), ("seen", "2030-01-02T04:00:00Z")):
        body = {"metadata": {"name": name, "namespace": "default"}, "involvedObject": about}
        await api.create(EVENTS, {**body, "lastTimestamp": seen})
    clock.now += timedelta(minutes=59)
    assert await sweep(server._core, api.transport) == 0
    clock.now += timedelta(minutes=2)
    assert await sweep(server._core, api.transport) == 1
    assert await api.names(EVENTS) == ["seen"]
