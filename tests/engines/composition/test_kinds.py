"""Legacy, cluster-scoped and nested composites."""

import base64

import pytest

from roadbed.apimachinery.gvk import Resource
from roadbed.apis.core import CONFIGMAPS, SECRETS
from roadbed.testing import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


def store(space, **spec):
    return {
        "apiVersion": f"{space.group}/v1",
        "kind": "XStore",
        "metadata": {"name": f"orders-{space.namespace}"},
        "spec": {"namespace": space.namespace, **spec},
    }


async def ready_store(space, **spec):
    obj = store(space, **spec)
    stores = Resource(space.group, "v1", "xstores", "XStore", namespaced=False)
    await space.plane.create(obj)

    async def ask():
        found = await space.client.get(stores, obj["metadata"]["name"])
        return found if space.condition(found, "Ready").get("status") == "True" else None

    return await eventually(ask, within_s=10)


async def test_a_legacy_composite_keeps_its_machinery_in_spec_and_composes_into_namespaces(space):
    await space.offer("legacy")
    found = await ready_store(space)
    assert found["spec"]["compositionRef"]["name"] == f"xstore-{space.namespace}"
    (reference,) = found["spec"]["resourceRefs"]
    assert reference["namespace"] == space.namespace
    assert await space.composed(CONFIGMAPS, "settings")


async def test_a_legacy_composite_publishes_only_the_keys_that_its_definition_allows(space):
    await space.offer("legacy")
    reference = {"name": "connection", "namespace": space.namespace}
    found = await ready_store(space, writeConnectionSecretToRef=reference)
    secret = await space.client.get(SECRETS, "connection", space.namespace)
    assert secret["data"] == {"host": base64.b64encode(b"store.example.com").decode()}
    assert secret["type"] == "connection.crossplane.io/v1alpha1"
    assert secret["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
    assert found["status"]["connectionDetails"]["lastPublishedTime"]
    assert "not-to-be-published" not in repr(found)


async def test_a_connection_secret_of_someone_else_is_not_overwritten(space):
    await space.offer("legacy")
    taken = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "taken", "namespace": space.namespace},
    }
    await space.plane.create({**taken, "data": {"host": "bWluZQ=="}})
    obj = store(space, writeConnectionSecretToRef={"name": "taken", "namespace": space.namespace})
    await space.plane.create(obj)
    stores = Resource(space.group, "v1", "xstores", "XStore", namespaced=False)

    async def refused():
        found = await space.client.get(stores, obj["metadata"]["name"])
        return "is not controlled by this composite" in space.condition(found, "Synced").get("message", "")

    await eventually(refused, within_s=10)
    assert (await space.client.get(SECRETS, "taken", space.namespace))["data"] == {"host": "bWluZQ=="}


async def test_a_cluster_scoped_composite_must_say_where_things_go(space):
    await space.offer("legacy")
    obj = store(space)
    del obj["spec"]["namespace"]
    await space.plane.create(obj)
    stores = Resource(space.group, "v1", "xstores", "XStore", namespaced=False)

    async def refused():
        found = await space.client.get(stores, obj["metadata"]["name"])
        return 'composed resource "settings" (a ConfigMap) has no namespace' in space.condition(
            found, "Synced"
        ).get("message", "")

    await eventually(refused, within_s=10)


async def test_a_composite_of_composites_is_ready_when_they_are_and_hears_their_status(space):
    await space.offer()
    await space.offer("nested")
    systems = Resource(space.group, "v1", "systems", "System")
    system = {
        "apiVersion": f"{space.group}/v1",
        "kind": "System",
        "metadata": {"name": "all", "namespace": space.namespace},
        "spec": {"image": "nginx"},
    }
    await space.plane.create(system)
    found = await space.until("all", resource=systems, Ready="True")
    assert found["status"]["address"].startswith("http://all-")
    app = await space.composed(space.apps, "app")
    assert app["metadata"]["labels"]["crossplane.io/composite"] == "all"
    settings = await space.composed(CONFIGMAPS, "settings")
    assert settings["metadata"]["labels"]["crossplane.io/composite"] == "all"
    await space.patch(found, {"spec": {"image": "caddy"}})
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["image"] == "caddy")


async def test_nested_composites_are_deleted_bottom_up(space):
    await space.offer()
    await space.offer("nested")
    systems = Resource(space.group, "v1", "systems", "System")
    system = {
        "apiVersion": f"{space.group}/v1",
        "kind": "System",
        "metadata": {"name": "all", "namespace": space.namespace},
        "spec": {"image": "nginx"},
    }
    await space.plane.create(system)
    await space.until("all", resource=systems, Ready="True")
    settings = await space.composed(CONFIGMAPS, "settings")
    await space.patch(settings, {"metadata": {"finalizers": ["example.org/external"]}})
    await space.client.delete(systems, "all", space.namespace)
    await space.until("all", resource=systems, Ready="False", saying="Waiting for composed resources")
    assert await space.composed(space.apps, "app")
    await space.patch(settings, {"metadata": {"finalizers": None}})
    await space.until_gone(systems, "all")
    assert await space.client.list(space.apps, space.namespace) == []
