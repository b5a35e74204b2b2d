"""Composites from creation to deletion, on a real control plane."""

import pytest

from roadbed.apis.core import CONFIGMAPS, EVENTS, SERVICEACCOUNTS
from roadbed.engines.composition.naming import composed_manager, composed_name

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_composite_becomes_ready_with_what_its_composition_says(space):
    await space.offer()
    found = await space.order(size="medium")
    assert space.condition(found, "Synced")["reason"] == "ReconcileSuccess"
    assert space.condition(found, "Ready")["reason"] == "Available"
    settings = await space.composed(CONFIGMAPS, "settings")
    assert settings["data"] == {"image": "nginx", "replicas": "3"}
    assert found["status"]["address"] == f"http://{settings['metadata']['name']}.example.com"


async def test_the_status_is_observed_at_the_generation_it_is_of(space):
    await space.offer()
    found = await space.order()
    generation = found["metadata"]["generation"]
    assert space.condition(found, "Ready")["observedGeneration"] == generation


async def test_composed_resources_are_named_labelled_owned_and_managed_as_crossplane_does(space):
    await space.offer()
    found = await space.order()
    settings = await space.composed(CONFIGMAPS, "settings")
    meta = settings["metadata"]
    assert meta["name"] == composed_name("orders", found["metadata"]["uid"], "settings")
    assert meta["labels"]["crossplane.io/composite"] == "orders"
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("App", "orders", True)
    (managed,) = meta["managedFields"]
    assert managed["manager"] == composed_manager("orders", space.apps.gvk)
    assert managed["operation"] == "Apply"
    assert found["metadata"]["finalizers"] == ["composite.apiextensions.crossplane.io"]
    assert found["metadata"]["labels"]["crossplane.io/composite"] == "orders"


async def test_references_are_kept_in_a_stable_order_without_a_namespace(space):
    await space.offer()
    found = await space.order()
    references = found["spec"]["crossplane"]["resourceRefs"]
    assert [reference["kind"] for reference in references] == ["ConfigMap", "ServiceAccount"]
    assert all("namespace" not in reference for reference in references)


async def test_an_edit_of_the_composite_reaches_what_it_is_composed_of(space):
    await space.offer()
    found = await space.order()
    await space.patch(found, {"spec": {"size": "large", "labels": {"team": "a"}}})
    settings = await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["replicas"] == "9")
    assert settings["metadata"]["labels"]["team"] == "a"


async def test_a_field_that_is_no_longer_desired_is_taken_out(space):
    await space.offer()
    found = await space.order(labels={"team": "a"})
    await space.patch(found, {"spec": {"labels": None}})
    await space.until_composed(CONFIGMAPS, "settings", lambda it: "team" not in it["metadata"]["labels"])


async def test_drift_in_a_composed_resource_is_mended(space):
    await space.offer()
    await space.order()
    settings = await space.composed(CONFIGMAPS, "settings")
    await space.patch(settings, {"data": {"image": "evil", "extra": "kept"}})
    mended = await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["image"] == "nginx")
    assert mended["data"]["extra"] == "kept"


async def test_a_deleted_composed_resource_comes_back_under_its_name(space):
    await space.offer()
    await space.order()
    before = await space.composed(CONFIGMAPS, "settings")
    await space.client.delete(CONFIGMAPS, before["metadata"]["name"], space.namespace)
    after = await space.until_composed(
        CONFIGMAPS, "settings", lambda it: it["metadata"]["uid"] != before["metadata"]["uid"]
    )
    assert after["metadata"]["name"] == before["metadata"]["name"]
    await space.until(Ready="True")


async def test_a_steady_composite_is_not_written(space):
    await space.offer()
    found = await space.order()
    settings = await space.composed(CONFIGMAPS, "settings")
    touched = await space.patch(settings, {"metadata": {"annotations": {"note": "seen"}}})
    await space.plane.manager.idle()
    assert (await space.until(Ready="True"))["metadata"]["resourceVersion"] == found["metadata"][
        "resourceVersion"
    ]
    settings = await space.composed(CONFIGMAPS, "settings")
    assert settings["metadata"]["resourceVersion"] == touched["metadata"]["resourceVersion"]
    assert {event["count"] for event in await space.client.list(EVENTS, space.namespace)} == {1}


async def test_a_paused_composite_is_left_alone_until_it_is_resumed(space):
    await space.offer()
    found = await space.order()
    await space.patch(found, {"metadata": {"annotations": {"crossplane.io/paused": "true"}}})
    found = await space.until(Synced="False", saying="paused")
    assert space.condition(found, "Synced")["reason"] == "ReconcilePaused"
    settings = await space.composed(CONFIGMAPS, "settings")
    await space.patch(settings, {"data": {"image": "mine"}})
    await space.plane.manager.idle()
    assert (await space.composed(CONFIGMAPS, "settings"))["data"]["image"] == "mine"
    await space.patch(found, {"metadata": {"annotations": {"crossplane.io/paused": None}}})
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["image"] == "nginx")
    await space.until(Synced="True", Ready="True")


async def test_deleting_takes_everything_with_it(space):
    await space.offer()
    await space.order()
    await space.client.delete(space.apps, "orders", space.namespace)
    await space.until_gone(space.apps, "orders")
    assert await space.composed(CONFIGMAPS, "settings") is None
    assert await space.composed(SERVICEACCOUNTS, "account") is None


async def test_deleting_waits_for_what_was_composed_and_names_it(space):
    """A managed resource goes only after its external resource: its finalizer stands for that here."""
    await space.offer()
    await space.order()
    settings = await space.composed(CONFIGMAPS, "settings")
    await space.patch(settings, {"metadata": {"finalizers": ["example.org/external"]}})
    await space.client.delete(space.apps, "orders", space.namespace)
    found = await space.until(Ready="False", saying="Waiting for composed resources to be deleted: settings")
    assert space.condition(found, "Ready")["reason"] == "Deleting"
    await space.patch(settings, {"metadata": {"finalizers": None}})
    await space.until_gone(space.apps, "orders")


async def test_orphaning_keeps_what_was_composed(space):
    await space.offer()
    await space.order()
    await space.client.delete(space.apps, "orders", space.namespace, propagation="Orphan")
    await space.until_gone(space.apps, "orders")
    await space.plane.manager.idle()
    settings = await space.composed(CONFIGMAPS, "settings")
    assert "deletionTimestamp" not in settings["metadata"]
    assert not settings["metadata"].get("ownerReferences")


async def test_two_composites_of_one_kind_do_not_disturb_each_other(space):
    await space.offer()
    await space.order("one", image="a")
    await space.order("two", image="b")
    images = [
        each["data"]["image"]
        for each in await space.client.list(CONFIGMAPS, space.namespace, labels="crossplane.io/composite")
    ]
    assert sorted(images) == ["a", "b"]


async def test_the_user_is_told_what_was_selected_once(space):
    await space.offer()
    found = await space.order()
    await space.patch(found, {"spec": {"size": "large"}})
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["replicas"] == "9")
    await space.plane.manager.idle()
    revision = found["spec"]["crossplane"]["compositionRevisionRef"]["name"]
    assert sorted(await space.until_told("SelectComposition")) == [
        f"Selected composition revision: {revision}",
        f"Successfully selected composition: app-{space.namespace}",
    ]
