"""An APIService tells of each group version that is served, and nothing else is touched."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from roadbed.apimachinery.errors import InvalidError
from roadbed.apimachinery.gvk import ALL_VERBS, Resource
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apiserver.registration import keeper

SERVICES = Resource(
    "apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False, verbs=ALL_VERBS
)


def remote(name="v1.remote.example.org", **spec):
    told = {"group": "remote.example.org", "version": "v1", "groupPriorityMinimum": 9, "versionPriority": 9}
    service = {"name": "x", "namespace": "default"}
    return {"metadata": {"name": name}, "spec": {**told, "service": service, **spec}}


async def changes(api, wanted):
    """Give events until every wanted name had its type."""
    found = {}
    async for event in api.watch(SERVICES, resourceVersion="0"):
        meta = orjson.loads(event.object)["metadata"]
        found[meta["name"]] = event.type
        if wanted.items() <= found.items():
            return


@pytest.fixture
async def registering(server, api, monkeypatch):
    monkeypatch.setattr(keeper, "SETTLE_S", 0)
    found = keeper.Registrations(server._registry, server._hub, lambda: ())
    task = asyncio.create_task(found.run(api.transport))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_every_group_version_has_one_and_only_while_it_is_served(registering, api, make_crd):
    await changes(api, {"v1.": "ADDED", "v2.autoscaling": "ADDED"})
    core = await api.get(SERVICES, "v1.")
    assert core["spec"] == {"version": "v1", "groupPriorityMinimum": 18_000, "versionPriority": 1}
    (condition,) = core["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Local")

    await api.create(SERVICES, remote())
    await api.create(CUSTOMRESOURCEDEFINITIONS, make_crd())
    await changes(api, {"v1.example.org": "ADDED"})
    custom = await api.get(SERVICES, "v1.example.org")
    assert custom["metadata"]["labels"] == {keeper.LABEL: "true"}
    assert custom["spec"]["groupPriorityMinimum"] == 1_000

    await api.delete(SERVICES, "v1.apps")  # clients look there; it comes back
    await api.delete(CUSTOMRESOURCEDEFINITIONS, "widgets.example.org")
    async for event in api.watch(SERVICES, resourceVersion=custom["metadata"]["resourceVersion"]):
        if event.type == "DELETED" and b'"v1.example.org"' in event.object:
            break
    await changes(api, {"v1.apps": "ADDED"})
    assert (await api.get(SERVICES, "v1.remote.example.org"))["status"] == {}  # nobody forwards to it


async def test_one_that_says_nothing_sensible_is_refused(api):
    for wrong, where in (
        (remote(name="other"), "metadata.name"),
        (remote(groupPriorityMinimum=0), "spec.groupPriorityMinimum"),
        (remote(versionPriority=2_000), "spec.versionPriority"),
        (remote(service=None, insecureSkipTLSVerify=True), "spec.insecureSkipTLSVerify"),
        (remote(service={"name": "x"}), "spec.service.namespace"),
    ):
        with pytest.raises(InvalidError) as refused:
            await api.create(SERVICES, wrong)
        assert [cause.field for cause in refused.value.causes] == [where]
