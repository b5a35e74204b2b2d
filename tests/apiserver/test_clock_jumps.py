"""A clock that is set back an hour: order and identity come from revisions, so nothing is lost, early or twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from roadbed.apimachinery.request import APPLY_PATCH
from roadbed.apis.core import CONFIGMAPS, EVENTS
from roadbed.apiserver.expiry import sweep

HOUR = timedelta(hours=1)


def _map(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": value}}


async def _apply(api: Any, value: str) -> Any:
    return await api.ask(
        "patch",
        CONFIGMAPS,
        "a",
        "default",
        body=_map("a", value),
        patch_type=APPLY_PATCH,
        options={"fieldManager": "m"},
    )


async def test_objects_keep_their_beginning_and_revisions_their_order(api: Any, clock: Any) -> None:
    first = await _apply(api, "1")
    clock.now -= HOUR
    assert await _apply(api, "1") == first, "what changes nothing writes nothing, whatever the time"
    second = await _apply(api, "2")
    assert second["metadata"]["creationTimestamp"] == first["metadata"]["creationTimestamp"]
    assert second["metadata"]["managedFields"][0]["time"] < first["metadata"]["managedFields"][0]["time"]
    later = await api.ask("create", CONFIGMAPS, namespace="default", body=_map("b", "1"))
    revisions = [int(each["metadata"]["resourceVersion"]) for each in (first, second, later)]
    revisions.append(int((await api.page(CONFIGMAPS, "default")).revision))
    assert revisions == sorted(revisions)
    assert len(set(revisions[:3])) == 3
    assert later["metadata"]["creationTimestamp"] < first["metadata"]["creationTimestamp"]
    gone = await api.ask("delete", CONFIGMAPS, "b", "default")
    assert gone["status"] == "Success"


async def test_events_never_go_early_and_all_go_in_the_end(api: Any, server: Any, clock: Any) -> None:
    about = {"kind": "ConfigMap", "name": "a", "namespace": "default"}
    await api.create(
        EVENTS, {"metadata": {"name": "before", "namespace": "default"}, "involvedObject": about}
    )
    clock.now -= HOUR
    await api.create(EVENTS, {"metadata": {"name": "after", "namespace": "default"}, "involvedObject": about})
    assert await sweep(server._core, api.transport) == 0
    clock.now += timedelta(minutes=61)
    assert await sweep(server._core, api.transport) == 1
    assert await api.names(EVENTS) == ["before"]
    clock.now += HOUR
    assert await sweep(server._core, api.transport) == 1
