"""Stopping at any point loses nothing and makes nothing twice."""

import asyncio

import pytest
import yaml

from roadbed.apimachinery.gvk import Resource
from roadbed.apis.core import CONFIGMAPS, EVENTS, SERVICEACCOUNTS
from roadbed.engines.composition.writing import Writer
from roadbed.storage import open_storage
from roadbed.testing import control_plane, eventually

APPS = Resource("example.org", "v1", "apps", "App")
GIVEN = ("kube-root-ca.crt", "default")  # what every namespace has


def app(name):
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "example.org/v1", "kind": "App", "metadata": meta, "spec": {"image": "nginx"}}


@pytest.fixture
async def storage():
    opened = await open_storage("memory:")
    yield opened
    await opened.close()


@pytest.fixture
def platform(functions, request):
    text = (request.path.parent / "platform" / "app.yaml").read_text()
    return [*functions, *yaml.safe_load_all(text)]


async def offered(plane, platform):
    await plane.create(*platform)

    async def ask():
        return any(each == APPS for each in await plane.client.resources())

    await eventually(ask)


async def ready(plane, name):
    async def ask():
        found = await plane.client.find(APPS, name, "default")
        conditions = ((found or {}).get("status") or {}).get("conditions") or ()
        return found if any((it["type"], it["status"]) == ("Ready", "True") for it in conditions) else None

    return await eventually(ask, within_s=10)


async def versions(plane):
    found = {}
    for resource in (APPS, CONFIGMAPS, SERVICEACCOUNTS, EVENTS):
        for obj in await plane.client.list(resource, "default"):
            if obj["metadata"]["name"] in GIVEN:
                continue
            if obj.get("involvedObject", {}).get("kind", "App") != "App":
                continue  # the definition says that its controller started again
            found[resource.plural, obj["metadata"]["name"]] = obj["metadata"]["resourceVersion"]
    return found


@pytest.mark.timeout(6)
async def test_a_restart_writes_nothing_where_nothing_changed(storage, plugins, platform, monkeypatch):
    async with control_plane(*plugins, storage=storage) as plane:
        await offered(plane, platform)
        await plane.create(app("one"), app("two"))
        await ready(plane, "one")
        await ready(plane, "two")
        await plane.manager.idle()
        before = await versions(plane)
    applied = []
    apply = Writer._apply_one
    monkeypatch.setattr(Writer, "_apply_one", lambda *args: applied.append(args) or apply(*args))
    async with control_plane(*plugins, storage=storage) as plane:

        async def running():
            return plane.manager.is_running("composite/apps.example.org")

        await eventually(running)
        await plane.manager.idle()
        assert await versions(plane) == before
        assert applied == []


@pytest.mark.timeout(6)
@pytest.mark.parametrize(
    "writes", [2, *(pytest.param(each, marks=pytest.mark.slow) for each in (0, 1, 3, 4))]
)
async def test_stopping_between_any_two_writes_makes_nothing_twice(
    storage, plugins, platform, writes, monkeypatch
):
    """References are stored before anything is made, so what a crash leaves behind is always found again."""
    from roadbed.client import Client

    done = asyncio.Event()
    count = 0
    call = Client._call

    async def counted(client, verb, resource, **members):
        nonlocal count
        is_ours = resource.plural in ("apps", "configmaps", "serviceaccounts") and armed
        if is_ours and verb in ("patch", "create", "update"):
            if count >= writes:
                done.set()
                await asyncio.Event().wait()  # dies here, before the next write
            count += 1
        return await call(client, verb, resource, **members)

    armed = False
    monkeypatch.setattr(Client, "_call", counted)
    async with control_plane(*plugins, storage=storage) as plane:
        await offered(plane, platform)
        await plane.manager.idle()
        await plane.create(app("orders"))
        armed = True
        await done.wait()
    monkeypatch.setattr(Client, "_call", call)
    async with control_plane(*plugins, storage=storage) as plane:
        found = await ready(plane, "orders")
        references = found["spec"]["crossplane"]["resourceRefs"]
        made = [
            it["metadata"]["name"]
            for resource in (CONFIGMAPS, SERVICEACCOUNTS)
            for it in await plane.client.list(resource, "default")
            if it["metadata"]["name"] not in GIVEN
        ]
        assert sorted(made) == sorted(reference["name"] for reference in references)
        assert len(references) == 2
