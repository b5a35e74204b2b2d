"""Garbage collection and namespace deletion, on a real control plane."""

import pytest

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import owner_reference
from roadbed.apis.core import CONFIGMAPS, NAMESPACES, SECRETS
from roadbed.testing import control_plane, eventually

CORE = "roadbed.engines.core.plugin"


@pytest.fixture
async def plane():
    async with control_plane(CORE, crds=()) as running:
        yield running


def configmap(name, *owners, namespace="default", **metadata):
    metadata = {"name": name, "namespace": namespace, **metadata}
    if owners:
        metadata["ownerReferences"] = [owner_reference(owner, controller=False) for owner in owners]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def gone(plane, name, namespace="default", resource=CONFIGMAPS):
    async def ask():
        return await plane.client.find(resource, name, namespace) is None

    await eventually(ask)


async def test_a_dependent_goes_after_its_last_owner(plane):
    first, second = await plane.create(configmap("first"), configmap("second"))
    await plane.create(configmap("child", first, second))
    await plane.client.delete(CONFIGMAPS, "first", "default")

    async def has_one_owner():
        child = await plane.client.get(CONFIGMAPS, "child", "default")
        return len(child["metadata"]["ownerReferences"]) == 1

    await eventually(has_one_owner)
    await plane.client.delete(CONFIGMAPS, "second", "default")
    await gone(plane, "child")


async def test_a_dependent_whose_owner_never_existed_is_collected(plane):
    (owner,) = await plane.create(configmap("owner"))
    await plane.client.delete(CONFIGMAPS, "owner", "default")
    await plane.create(configmap("child", owner))
    await gone(plane, "child")


async def test_an_owner_of_the_same_name_but_another_uid_does_not_count(plane):
    (owner,) = await plane.create(configmap("owner"))
    await plane.client.delete(CONFIGMAPS, "owner", "default")
    await plane.create(configmap("owner"))
    await plane.create(configmap("child", owner))
    await gone(plane, "child")


async def test_foreground_deletion_waits_for_blocking_dependents(plane):
    (owner,) = await plane.create(configmap("owner"))
    await plane.create(configmap("child", owner, finalizers=["example.org/held"]))
    await plane.client.delete(CONFIGMAPS, "owner", "default", propagation="Foreground")

    async def child_is_terminating():
        child = await plane.client.get(CONFIGMAPS, "child", "default")
        return "deletionTimestamp" in child["metadata"]

    await eventually(child_is_terminating)
    held = await plane.client.get(CONFIGMAPS, "owner", "default")
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
    await plane.client.patch(CONFIGMAPS, "child", {"metadata": {"finalizers": None}}, namespace="default")
    await gone(plane, "owner")
    await gone(plane, "child")


async def test_orphan_deletion_keeps_dependents_and_drops_the_reference(plane):
    (owner,) = await plane.create(configmap("owner"))
    await plane.create(configmap("child", owner))
    await plane.client.delete(CONFIGMAPS, "owner", "default", propagation="Orphan")
    await gone(plane, "owner")
    child = await plane.client.get(CONFIGMAPS, "child", "default")
    assert "ownerReferences" not in child["metadata"]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_a_circle_of_owners_goes_in_a_foreground_deletion(plane, size):
    """Of three or more, the one that is let go used to be told to nobody, and all of them stayed for ever."""
    names = [f"ring-{number}" for number in range(size)]
    made = await plane.create(*(configmap(name) for name in names))
    for name, owner in zip(names, [*made[1:], made[0]], strict=True):
        reference = {**owner_reference(owner, controller=False), "blockOwnerDeletion": True}
        await plane.client.patch(
            CONFIGMAPS, name, {"metadata": {"ownerReferences": [reference]}}, namespace="default"
        )
    await plane.manager.idle()
    await plane.client.delete(CONFIGMAPS, names[0], "default", propagation="Foreground")
    for name in names:
        await gone(plane, name)


async def test_a_circle_that_nobody_deletes_stays(plane):
    (first,) = await plane.create(configmap("first"))
    (second,) = await plane.create(configmap("second", first))
    reference = owner_reference(second, controller=False)
    await plane.client.patch(
        CONFIGMAPS, "first", {"metadata": {"ownerReferences": [reference]}}, namespace="default"
    )
    await plane.manager.idle()
    assert len(await plane.client.list(CONFIGMAPS, "default", fields="metadata.name=first")) == 1


async def test_a_terminating_namespace_takes_its_content_along(plane):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}
    await plane.create(namespace, configmap("a", namespace="shop"), secret)
    await plane.client.delete(NAMESPACES, "shop")
    await gone(plane, "shop", "", NAMESPACES)
    assert await plane.client.list(SECRETS, "shop") == []


async def test_a_namespace_says_what_holds_it_and_goes_when_that_is_gone(plane):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await plane.create(namespace, configmap("held", namespace="shop", finalizers=["example.org/held"]))
    await plane.client.delete(NAMESPACES, "shop")

    async def condition():
        found = await plane.client.get(NAMESPACES, "shop")
        conditions = {c["type"]: c for c in found["status"].get("conditions", ())}
        return conditions.get("NamespaceFinalizersRemaining")

    told = await eventually(condition)
    assert told["status"] == "True"
    assert "example.org/held in 1 resource instances" in told["message"]
    await plane.client.patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, namespace="shop")
    await gone(plane, "shop", "", NAMESPACES)


WIDGETS = Resource("example.org", "v1", "widgets", "Widget")
WIDGET_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


async def test_secrets_of_a_namespace_outlive_the_custom_resources_that_may_need_them(plane):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}
    held = {"name": "w", "namespace": "shop", "finalizers": ["example.org/held"]}
    widget = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": held}
    await plane.create(WIDGET_CRD, namespace, secret, widget)
    await plane.client.delete(NAMESPACES, "shop")

    async def widget_is_terminating():
        found = await plane.client.get(WIDGETS, "w", "shop")
        return "deletionTimestamp" in found["metadata"]

    await eventually(widget_is_terminating)
    await plane.manager.idle()
    assert await plane.client.find(SECRETS, "s", "shop")
    await plane.client.patch(WIDGETS, "w", {"metadata": {"finalizers": None}}, namespace="shop")
    await gone(plane, "shop", "", NAMESPACES)
