"""Compositions, revisions, functions and definitions change under live composites."""

import pytest

from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.core import CONFIGMAPS, SERVICEACCOUNTS
from roadbed.apis.crossplane import COMPOSITION_REVISIONS, COMPOSITIONS, FUNCTIONS, XRDS
from roadbed.testing import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


def set_base(composition, name, **data):
    for template in composition["spec"]["pipeline"][0]["input"]["resources"]:
        if template["name"] == name:
            template["base"]["data"] = data


async def edit(space, composition, change):
    found = await space.client.get(COMPOSITIONS, composition["metadata"]["name"])
    change(found)
    await space.client.update(COMPOSITIONS, found)


async def test_an_edited_composition_is_followed(space):
    (composition,) = await space.offer()
    before = await space.order()
    await edit(space, composition, lambda it: set_base(it, "settings", mode="new"))
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"].get("mode") == "new")
    after = await space.until(Ready="True")
    reference = "compositionRevisionRef"
    assert after["spec"]["crossplane"][reference] != before["spec"]["crossplane"][reference]
    listed = await space.client.list(
        COMPOSITION_REVISIONS, labels=f"crossplane.io/composition-name={composition['metadata']['name']}"
    )
    assert sorted(each["spec"]["revision"] for each in listed) == [1, 2]


async def test_a_manual_composite_stays_on_its_revision(space):
    (composition,) = await space.offer()
    app = space.app(crossplane={"compositionUpdatePolicy": "Manual"})
    await space.plane.create(app)
    before = await space.until(Ready="True")
    await edit(space, composition, lambda it: set_base(it, "settings", mode="new"))
    await space.plane.manager.idle()
    after = await space.until(Ready="True")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert "mode" not in (await space.composed(CONFIGMAPS, "settings"))["data"]


async def test_a_resource_taken_out_of_the_composition_is_collected(space):
    (composition,) = await space.offer()
    await space.order()

    def drop(it):
        it["spec"]["pipeline"][0]["input"]["resources"].pop()

    await edit(space, composition, drop)
    account = await space.composed(SERVICEACCOUNTS, "account")
    if account:
        await space.until_gone(SERVICEACCOUNTS, account["metadata"]["name"])
    found = await space.until(Ready="True")
    assert [each["kind"] for each in found["spec"]["crossplane"]["resourceRefs"]] == ["ConfigMap"]


async def test_what_someone_else_controls_is_never_collected(space):
    """A reference is user input: it must not be enough to have something deleted."""
    await space.offer()
    found = await space.order()
    victim = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "victim", "namespace": space.namespace},
    }
    victim["metadata"]["annotations"] = {"crossplane.io/composition-resource-name": "victim"}
    await space.plane.create(victim)
    references = [*found["spec"]["crossplane"]["resourceRefs"]]
    references.append({"apiVersion": "v1", "kind": "ConfigMap", "name": "victim"})
    await space.patch(found, {"spec": {"crossplane": {"resourceRefs": references}}})

    async def settled():
        now = await space.client.get(space.apps, "orders", space.namespace)
        return len(now["spec"]["crossplane"]["resourceRefs"]) == 2

    await eventually(settled)
    assert await space.client.find(CONFIGMAPS, "victim", space.namespace)


async def test_a_composite_waits_for_a_composition_and_says_so(space):
    definition, composition = space.documents()
    await space.plane.create(definition)
    await space.established(definition["metadata"]["name"])
    await space.plane.create(space.app())
    found = await space.until(Synced="False", saying="no compatible Compositions found: create a Composition")
    assert space.condition(found, "Synced")["reason"] == "ReconcileError"
    await space.plane.create(composition)
    await space.until(Synced="True", Ready="True")


async def test_among_several_compositions_the_first_is_taken_and_said(space):
    definition, composition = space.documents()
    other = {**composition, "metadata": {"name": f"zz-{space.namespace}"}}
    await space.plane.create(definition, composition, other)
    await space.established(definition["metadata"]["name"])
    found = await space.order()
    assert found["spec"]["crossplane"]["compositionRef"]["name"] == f"app-{space.namespace}"
    (message,) = await space.until_told("CompositionSelection")
    assert message.startswith("2 Compositions match")


async def test_an_enforced_composition_replaces_the_chosen_one(space):
    definition, composition = space.documents()
    forced = {**composition, "metadata": {"name": f"zz-{space.namespace}"}}
    definition["spec"]["enforcedCompositionRef"] = {"name": forced["metadata"]["name"]}
    await space.plane.create(definition, composition, forced)
    await space.established(definition["metadata"]["name"])
    found = await space.order(crossplane={"compositionRef": {"name": composition["metadata"]["name"]}})
    assert found["spec"]["crossplane"]["compositionRef"]["name"] == forced["metadata"]["name"]


async def test_a_missing_function_is_named_and_awaited(space):
    definition, composition = space.documents()
    name = f"ready-{space.namespace}"
    composition["spec"]["pipeline"][1]["functionRef"]["name"] = name
    await space.plane.create(definition, composition)
    await space.established(definition["metadata"]["name"])
    await space.plane.create(space.app())
    await space.until(Synced="False", saying=f'step "ready": function "{name}" is not installed')
    function = {
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {"package": "xpkg.example.org/any/function-auto-ready:v1"},
    }
    await space.plane.create(function)
    await space.until(Synced="True", Ready="True")


async def test_a_function_that_is_not_built_in_is_refused_in_its_own_conditions(space):
    name = f"kcl-{space.namespace}"
    function = {
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {"package": "xpkg.example.org/any/function-kcl:v1"},
    }
    await space.plane.create(function)

    async def refused():
        found = await space.client.get(FUNCTIONS, name)
        return space.condition(found, "Healthy").get("status") == "False" and found

    found = await eventually(refused)
    assert "function-kcl:v1" in space.condition(found, "Installed")["message"]
    assert "function-patch-and-transform" in space.condition(found, "Installed")["message"]


async def test_built_in_functions_are_healthy_at_any_registry_and_tag(space, functions):
    for function in functions:
        found = await space.client.get(FUNCTIONS, function["metadata"]["name"])
        assert space.condition(found, "Healthy")["status"] == "True"
        assert found["status"]["resolvedPackage"] == function["spec"]["package"]


async def test_a_schema_that_changes_under_live_composites_is_followed(space):
    await space.offer()
    await space.order()
    definition = await space.client.get(XRDS, space.name)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    schema["spec"]["properties"]["colour"] = {"type": "string", "default": "blue"}
    await space.client.update(XRDS, definition)

    async def offered():
        found = await space.client.get(space.apps, "orders", space.namespace)
        return found["spec"].get("colour") == "blue"

    await eventually(offered)
    await space.patch(await space.until(Ready="True"), {"spec": {"size": "large"}})
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["replicas"] == "9")
    await space.until(Synced="True", Ready="True")


async def test_a_composite_that_a_new_schema_forbids_keeps_what_it_has(space):
    await space.offer()
    await space.order(size="large")
    definition = await space.client.get(XRDS, space.name)
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["size"]["enum"] = ["small", "medium"]
    await space.client.update(XRDS, definition)
    await space.plane.manager.idle()
    settings = await space.composed(CONFIGMAPS, "settings")
    await space.patch(settings, {"data": {"image": "evil"}})
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["image"] == "nginx")
    assert (await space.composed(CONFIGMAPS, "settings"))["data"]["replicas"] == "9"


async def test_deleting_a_definition_deletes_its_composites_first(space):
    await space.offer()
    await space.order("one")
    await space.order("two")
    await space.client.delete(XRDS, space.name)

    async def gone():
        return await space.client.find(XRDS, space.name) is None

    await eventually(gone, within_s=10)
    assert await space.client.list(CONFIGMAPS, space.namespace, labels="crossplane.io/composite") == []
    assert space.apps not in await space.client.resources()


async def test_a_composition_that_goes_and_comes_back_is_awaited(space):
    (composition,) = await space.offer()
    found = await space.order()
    await space.client.delete(COMPOSITIONS, composition["metadata"]["name"])
    await space.patch(found, {"spec": {"size": "large"}})
    await space.until(Synced="False", saying=f'cannot get Composition "{composition["metadata"]["name"]}"')
    assert await space.composed(CONFIGMAPS, "settings")
    await space.plane.create(composition)
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["replicas"] == "9")
    await space.until(Synced="True", Ready="True")


async def test_a_new_version_of_the_kind_takes_over_running_composites(space):
    (composition,) = await space.offer()
    await space.order()
    newer = {**composition, "metadata": {"name": f"newer-{space.namespace}"}}
    newer["spec"] = {
        **composition["spec"],
        "compositeTypeRef": {"apiVersion": f"{space.group}/v2", "kind": "App"},
    }
    await space.plane.create(newer)
    definition = await space.client.get(XRDS, space.name)
    (first,) = definition["spec"]["versions"]
    second = {**first, "name": "v2"}
    definition["spec"]["versions"] = [{**first, "referenceable": False}, second]
    await space.client.update(XRDS, definition)

    async def served():
        return any(
            each.version == "v2" and each.group == space.group for each in await space.client.resources()
        )

    await eventually(served)
    found = await space.until(Synced="False", saying="referenced composition is not compatible")
    await space.patch(
        found,
        {"spec": {"crossplane": {"compositionRef": {"name": newer["metadata"]["name"]}}, "size": "large"}},
    )
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["replicas"] == "9")
    await space.until(Synced="True", Ready="True")


async def test_a_deleted_crd_comes_back_and_serves_again(space):
    await space.offer()
    await space.order()
    before = await space.client.get(CUSTOMRESOURCEDEFINITIONS, space.name)
    await space.client.delete(CUSTOMRESOURCEDEFINITIONS, space.name)

    async def again():
        found = await space.client.find(CUSTOMRESOURCEDEFINITIONS, space.name)
        return found and found["metadata"]["uid"] != before["metadata"]["uid"]

    await eventually(again, within_s=10)
    await space.established(space.name)
    await space.order("second")
