"""What was stored otherwise than a definition now says, definitions that change under use, bodies at the limit."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from roadbed.apimachinery.errors import BadRequestError, InvalidError, NotFoundError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS

HOME = "/example.org/widgets/"
MIB = 1024 * 1024


async def test_bad_metadata_in_storage_is_shown_mended_and_can_be_deleted(
    api: Any, make_crd: Any, widgets: Any, storage: Any
) -> None:
    """Mistyped members are dropped on the way out; labels that break rules stay until someone writes."""
    embedded = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    await api.create(CRDS, make_crd(schema={"type": "object", "properties": {"embedded": embedded}}))
    bad = {"unknown": 42, "annotations": {"foo": 42, "bar": "abc"}, "labels": {"invalid": "x y"}}
    for name in ("a", "b"):
        obj = {
            "apiVersion": "example.org/v1",
            "kind": "Widget",
            "metadata": {"name": name, "namespace": "default", "uid": f"00000000-{name}", **bad},
            "embedded": {"apiVersion": "foo/v1", "kind": "Foo", "metadata": bad},
        }

        def encode(revision: int, obj: dict[str, Any] = obj) -> bytes:
            meta = {**obj["metadata"], "resourceVersion": str(revision)}
            return orjson.dumps({**obj, "metadata": meta})

        await storage.create(f"{HOME}default/{name}", encode)
    seen = await api.get(widgets, "a", "default")
    for meta in (seen["metadata"], seen["embedded"]["metadata"]):
        assert meta["labels"] == {"invalid": "x y"}
        assert not {"unknown", "annotations"} & meta.keys()
    seen["metadata"]["labels"]["other"] = "changed"
    with pytest.raises(InvalidError, match=r"metadata\.labels"):
        await api.update(widgets, seen)
    seen["metadata"]["labels"]["invalid"] = "fixed"
    seen["embedded"]["metadata"]["labels"]["other"] = "changed"
    with pytest.raises(InvalidError, match=r"embedded\.metadata\.labels"):
        await api.update(widgets, seen)
    seen["embedded"]["metadata"]["labels"]["invalid"] = "fixed"
    seen = await api.update(widgets, seen)
    seen["embedded"]["metadata"]["labels"]["invalid"] = 42
    with pytest.raises(BadRequestError, match=r"embedded\.metadata"):
        await api.update(widgets, seen)
    await api.delete(widgets, "b", "default")
    with pytest.raises(NotFoundError):
        await api.get(widgets, "b", "default")


async def test_a_changed_definition_ends_watches_in_good_order_and_never_fails_a_request(
    api: Any, make_crd: Any, widgets: Any
) -> None:
    await api.create(CRDS, make_crd())
    await api.create(widgets, {"metadata": {"name": "a", "namespace": "default"}})

    async def watched() -> list[str]:
        return [event.type async for event in api.watch(widgets, "default")]

    async def used(stop: asyncio.Event) -> int:
        times = 0
        while not stop.is_set():
            await api.get(widgets, "a", "default")
            times += 1
            await asyncio.sleep(0)
        return times

    async def change() -> None:
        crd = await api.get(CRDS, "widgets.example.org")
        versions = crd["spec"]["versions"]
        crd["spec"]["versions"] = versions[:1] if len(versions) > 1 else [
            versions[0], {**versions[0], "name": "v2", "storage": False},
        ]  # fmt: skip
        await api.update(CRDS, crd)

    async with asyncio.timeout(5):
        watches = [asyncio.ensure_future(watched()) for _ in range(3)]
        stop = asyncio.Event()
        user = asyncio.ensure_future(used(stop))
        await asyncio.sleep(0)
        for _ in range(10):
            await change()
        assert await asyncio.gather(*watches) == [["ADDED"]] * 3
        stop.set()
        assert await user > 10


async def test_a_webhook_is_not_asked_for_what_is_stored_as_it_is_served(
    api: Any, make_crd: Any, widgets: Any, webhook: Any
) -> None:
    crd = make_crd()
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    client = {"conversionReviewVersions": ["v1"], "clientConfig": webhook.config("/convert")}
    crd["spec"]["conversion"] = {"strategy": "Webhook", "webhook": client}
    await api.create(CRDS, crd)
    await api.create(widgets, {"metadata": {"name": "a", "namespace": "default"}})
    await api.patch(widgets, "a", {"metadata": {"labels": {"a": "b"}}}, "default")
    assert await api.names(widgets, "default") == ["a"]
    await api.delete(widgets, "a", "default")
    assert webhook.asked == []


NESTED = b"[" * (MIB * 3 // 2 - 500) + b"]" * (MIB * 3 // 2 - 500)
HEAD = b'{"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}, "values": '
YAML_HEAD = b"apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: a}\nvalues: "


async def test_bodies_at_the_limit_are_refused_whatever_they_nest(
    api: Any, make_crd: Any, widgets: Any, server: Any
) -> None:
    """Three MiB of brackets, closed or not, in every format and kind of patch: no 500, no long computation."""
    await api.create(CRDS, make_crd())
    await api.create(widgets, {"metadata": {"name": "a", "namespace": "default"}})
    place = "/apis/example.org/v1/namespaces/default/widgets"
    over, open_ended = b"[" * (3 * MIB), b"[" * (3 * MIB - 1000)
    json, yaml = "application/json", "application/yaml"
    asked = [
        ("POST", place, json, HEAD + over + b"}", 413),
        ("POST", place, json, HEAD + NESTED + b"}", 400),
        ("POST", place, json, HEAD + open_ended + b"}", 400),
        ("POST", place, yaml, YAML_HEAD + over, 413),
        ("POST", place, yaml, YAML_HEAD + NESTED, 400),
        ("POST", place, yaml, YAML_HEAD + open_ended, 400),
        ("PATCH", f"{place}/a", "application/json-patch+json", b'[{"op":"add","path":"/foo","value":' + NESTED + b"}]", 400),
        ("PATCH", f"{place}/a", "application/merge-patch+json", b'{"value":' + NESTED + b"}", 400),
        ("PATCH", f"{place}/a?fieldManager=m", "application/apply-patch+yaml", b'{"value":' + NESTED + b"}", 400),
    ]  # fmt: skip
    transport = httpx.ASGITransport(server.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        for method, url, media_type, body, wanted in asked:
            answer = await client.request(method, url, content=body, headers={"content-type": media_type})
            assert (answer.status_code, answer.json()["kind"]) == (wanted, "Status"), (method, media_type)
