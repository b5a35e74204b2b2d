"""What every transport promises, asked of both: in process and over HTTP with TLS."""

import asyncio
import stat
from contextlib import aclosing

import pytest

from roadbed.apimachinery.errors import (
    AlreadyExistsError,
    BadRequestError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ServiceUnavailableError,
)
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.objects import revision_of
from roadbed.apimachinery.request import JSON_PATCH, User
from roadbed.apis.authorization import SELFSUBJECTACCESSREVIEWS
from roadbed.apis.core import CONFIGMAPS, NAMESPACES
from roadbed.client import connect
from roadbed.testing import control_plane, serving


@pytest.fixture
async def plane():
    async with control_plane(crds=()) as running:
        yield running


@pytest.fixture(params=["in process", "http"])
async def client(plane, request, tmp_path):
    if request.param == "in process":
        yield plane.client
        return
    async with serving(plane, tmp_path) as kubeconfig:
        remote = connect(kubeconfig, field_manager="test")
        yield remote
        await remote.transport.close()


def configmap(name="a", namespace="default", **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


async def test_an_object_lives_through_every_verb(client):
    created = await client.create(CONFIGMAPS, configmap(x="1"))
    assert created["metadata"]["uid"]
    created["data"]["x"] = "2"
    updated = await client.update(CONFIGMAPS, created)
    patched = await client.patch(CONFIGMAPS, "a", {"data": {"y": "3"}}, namespace="default")
    assert patched["data"] == {"x": "2", "y": "3"}
    operations = [{"op": "remove", "path": "/data/x"}]
    await client.patch(CONFIGMAPS, "a", operations, namespace="default", patch_type=JSON_PATCH)
    assert (await client.get(CONFIGMAPS, "a", "default"))["data"] == {"y": "3"}
    assert revision_of(updated) != revision_of(created)
    await client.delete(CONFIGMAPS, "a", "default")
    assert await client.find(CONFIGMAPS, "a", "default") is None


async def test_errors_arrive_as_what_they_are(client):
    with pytest.raises(NotFoundError) as missing:
        await client.get(CONFIGMAPS, "none", "default")
    assert (missing.value.kind, missing.value.name) == ("configmaps", "none")
    created = await client.create(CONFIGMAPS, configmap())
    with pytest.raises(AlreadyExistsError):
        await client.create(CONFIGMAPS, configmap())
    await client.patch(CONFIGMAPS, "a", {"data": {"x": "1"}}, namespace="default")
    with pytest.raises(ConflictError):
        await client.update(CONFIGMAPS, {**created, "data": {"x": "2"}})
    with pytest.raises(InvalidError) as invalid:
        await client.create(CONFIGMAPS, configmap("Not A Name"))
    assert [cause.field for cause in invalid.value.causes] == ["metadata.name"]


async def test_a_list_over_many_pages_is_whole_and_at_one_revision(client, monkeypatch):
    monkeypatch.setattr("roadbed.client.client.PAGE_SIZE", 2)
    for number in range(5):
        await client.create(CONFIGMAPS, configmap(f"c{number}"))
    page = await client.read_all(CONFIGMAPS, "default")
    assert len(page.items) == 5
    assert page.revision.isdigit()
    found = await client.list(CONFIGMAPS, "default", fields="metadata.name=c3")
    assert [(item["kind"], item["metadata"]["name"]) for item in found] == [("ConfigMap", "c3")]


async def test_a_watch_brings_what_happened_after_a_revision(client):
    page = await client.read_all(CONFIGMAPS)
    await client.create(CONFIGMAPS, configmap(x="1"))
    await client.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, namespace="default")
    await client.delete(CONFIGMAPS, "a", "default")
    seen = []
    async with aclosing(client.watch(CONFIGMAPS, "default", after=page.revision)) as events:
        async for kind, obj in events:
            seen.append((kind, obj["data"]["x"]))
            if len(seen) == 3:
                break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


async def test_a_watch_from_a_forgotten_revision_says_expired(plane, client):
    for number in range(3):
        await client.create(CONFIGMAPS, configmap(f"c{number}"))
    await plane.storage.compact(plane.storage.revision)
    with pytest.raises(ExpiredError):
        async with aclosing(client.watch(CONFIGMAPS, after="1")) as events:
            async for _ in events:
                pass


async def test_apply_owns_fields_and_meets_conflicts(client):
    await client.apply(CONFIGMAPS, configmap(x="1"), manager="one")
    with pytest.raises(ConflictError) as conflict:
        await client.apply(CONFIGMAPS, configmap(x="2"), manager="two", force=False)
    assert conflict.value.causes[0].field == ".data.x"
    forced = await client.apply(CONFIGMAPS, configmap(x="2"), manager="two")
    assert forced["data"] == {"x": "2"}


async def test_a_dry_run_stores_nothing(client):
    answer = await client.create(CONFIGMAPS, configmap(), dry_run=True)
    assert answer["metadata"]["uid"]
    assert await client.find(CONFIGMAPS, "a", "default") is None


async def test_an_impersonating_client_has_the_other_users_rights(client):
    someone = client.impersonate(
        User("someone", ("system:authenticated", "developers"), extra={"from": ["x", "y"]})
    )
    with pytest.raises(ForbiddenError) as forbidden:
        await someone.list(NAMESPACES)
    assert 'User "someone" cannot list resource "namespaces"' in forbidden.value.message


async def test_kinds_are_mapped_and_an_unknown_one_says_what_to_do(client):
    assert await client.resource_for(GVK("", "v1", "ConfigMap")) == CONFIGMAPS
    with pytest.raises(NotFoundError, match="its definition is installed"):
        await client.resource_for(GVK("example.org", "v1", "Nothing"))


async def test_preconditions_guard_a_delete(client):
    await client.create(CONFIGMAPS, configmap())
    with pytest.raises(ConflictError):
        await client.delete(CONFIGMAPS, "a", "default", uid="another")
    assert await client.find(CONFIGMAPS, "a", "default")


async def test_a_review_may_carry_the_nulls_that_go_clients_write(client):
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {"creationTimestamp": None},
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
        "status": {"allowed": False},
    }
    assert (await client.ask(SELFSUBJECTACCESSREVIEWS, question))["status"]["allowed"] is True


async def test_a_dead_server_is_named(plane, tmp_path):
    async with serving(plane, tmp_path) as kubeconfig:
        client = connect(kubeconfig)
        server = client.transport.server
    with pytest.raises(ServiceUnavailableError, match=server):
        await client.get(CONFIGMAPS, "a", "default")
    await client.transport.close()


async def test_a_watch_over_http_ends_with_its_reader(plane, tmp_path):
    async with serving(plane, tmp_path) as kubeconfig:
        client = connect(kubeconfig)
        async with asyncio.timeout(1):
            async with aclosing(client.watch(CONFIGMAPS)) as events:
                await client.create(CONFIGMAPS, configmap())
                kind, _ = await anext(events)
        assert kind == "ADDED"
        await client.transport.close()


def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path):
    broken = tmp_path / "kubeconfig"
    with pytest.raises(BadRequestError, match=str(broken)):
        connect(broken)
    broken.write_text("clusters: 7")
    with pytest.raises(BadRequestError, match=str(broken)):
        connect(broken)


async def test_a_written_kubeconfig_is_its_owners_alone(plane, tmp_path):
    async with serving(plane, tmp_path) as kubeconfig:
        assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
        with pytest.raises(BadRequestError, match="other"):
            connect(kubeconfig, context="other")
