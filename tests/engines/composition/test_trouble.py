"""What goes wrong is said on the composite, with object, field and next step; and mends when it can."""

import copy

import pytest

from roadbed.apimachinery.objects import ObjectKey, gvk_of, namespace_of
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.core import CONFIGMAPS, EVENTS, SERVICEACCOUNTS
from roadbed.apis.crossplane import COMPOSITIONS, XRDS
from roadbed.engines.composition import pipeline
from roadbed.testing import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def offer(space, change):
    """Offer App with its Composition changed; gives the Composition."""
    definition, composition = space.documents()
    change(composition)
    await space.plane.create(definition, composition)
    await space.established(definition["metadata"]["name"])
    return composition


def templates(composition):
    return composition["spec"]["pipeline"][0]["input"]["resources"]


def add_patch(**patch):
    return lambda composition: templates(composition)[0]["patches"].append(patch)


async def test_a_wrong_field_of_an_input_is_named(space):
    await offer(space, add_patch(type="FromCompositeFieldPath"))
    await space.plane.create(space.app())
    found = await space.until(
        Synced="False",
        saying="resources[0].patches[4].fromFieldPath: Required value: fromFieldPath must be set",
    )
    assert 'pipeline step "compose"' in space.condition(found, "Synced")["message"]
    assert await space.client.list(CONFIGMAPS, space.namespace, labels="crossplane.io/composite") == []


async def test_a_field_that_a_composed_kind_lacks_is_named_with_the_composition(space):
    composition = await offer(space, lambda it: templates(it)[0]["base"].update(colour="blue"))
    await space.plane.create(space.app())
    found = await space.until(Synced="False", saying=".colour: field not declared in schema")
    told = space.condition(found, "Synced")["message"]
    assert 'composed resource "settings"' in told
    assert told.endswith(f"; see Composition {composition['metadata']['name']}")


async def test_a_composition_that_was_just_edited_is_not_called_invalid(space):
    """Its verdict comes some milliseconds later; a warning about that would only frighten."""
    composition = await offer(space, lambda _: None)
    await space.order()
    live = await space.client.get(COMPOSITIONS, composition["metadata"]["name"])
    for number in range(3):
        templates(live)[0]["base"]["data"] = {"edit": str(number)}
        live = await space.client.update(COMPOSITIONS, live)
        await space.until_composed(
            CONFIGMAPS, "settings", lambda it, n=str(number): it["data"].get("edit") == n
        )
    events = await space.client.list(EVENTS, space.namespace)
    assert [each["message"] for each in events if each["type"] == "Warning"] == []


async def test_a_patch_that_fails_names_resource_and_reason(space):
    transform = {"type": "map", "map": {"x": "y"}}
    await offer(space, add_patch(fromFieldPath="spec.image", toFieldPath="data.x", transforms=[transform]))
    await space.plane.create(space.app())
    await space.until(
        Synced="False",
        saying='cannot render composed resource "settings" "FromCompositeFieldPath" patch at index 4: transform at '
        "index 0 returned error: map transform could not resolve: key nginx is not found in map",
    )


async def test_a_required_source_that_is_absent_is_named_and_awaited(space):
    policy = {"fromFieldPath": "Required"}
    await offer(space, add_patch(fromFieldPath="spec.owner", toFieldPath="data.owner", policy=policy))
    await space.plane.create(space.app())
    found = await space.until(Ready="False", saying="spec.owner: no such field")
    assert 'composed resource "settings"' in space.condition(found, "Ready")["message"]
    assert await space.composed(CONFIGMAPS, "settings") is None
    assert await space.composed(SERVICEACCOUNTS, "account")
    await space.patch(found, {"spec": {"owner": "me"}})
    await space.until(Ready="True")
    assert (await space.composed(CONFIGMAPS, "settings"))["data"]["owner"] == "me"


async def test_an_optional_source_that_is_absent_is_no_trouble(space):
    await offer(space, add_patch(fromFieldPath="spec.owner", toFieldPath="data.owner"))
    await space.order()
    assert "owner" not in (await space.composed(CONFIGMAPS, "settings"))["data"]


async def test_a_resource_that_the_server_refuses_does_not_hold_up_the_others(space):
    await offer(space, lambda it: templates(it)[0]["base"].update(data={"bad key!": "x"}))
    await space.plane.create(space.app())
    found = await space.until(Synced="False", saying="Unsynced resources: settings")
    assert "bad key!" in space.condition(found, "Synced")["message"]
    assert await space.composed(SERVICEACCOUNTS, "account")


async def test_a_refused_secret_is_not_quoted(space):
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"password": "hunter2 is not base64"}}
    await offer(space, lambda it: templates(it)[1].update(base=secret, patches=[]))
    await space.plane.create(space.app())
    found = await space.until(Synced="False", saying='"account"')
    assert "the server refused the Secret" in space.condition(found, "Synced")["message"]
    told = await space.until_told("ComposeResources")
    assert "hunter2" not in repr((found, told))


async def test_what_the_server_refuses_for_now_is_told_without_a_traceback_and_tried_again(space, caplog):
    """It used to be logged as a bug of ours, with a traceback for every try."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": space.namespace},
        "spec": {"hard": {"count/configmaps": "0"}},
    }
    quotas = await space.client.resource_for(gvk_of(quota))
    await space.client.create(quotas, quota)
    await space.offer()
    await space.plane.create(space.app())
    await space.until(Synced="False", saying='cannot apply composed resource "settings"')
    told = await space.until_told("ComposeResources")
    assert "exceeded quota: none" in told[0]
    lines = await eventually(lambda: _logged(caplog, f"{space.namespace}/orders"), within_s=10)
    assert {(line.levelname, line.exc_info) for line in lines} == {("WARNING", None)}
    assert 'cannot apply composed resource "settings"' in lines[0].error
    await space.client.delete(quotas, "none", space.namespace)
    await space.until(Synced="True", Ready="True")


async def _logged(caplog, request):
    return [line for line in caplog.records if getattr(line, "request", "") == request]


async def test_a_kind_that_is_not_served_is_named_and_awaited(space):
    kind = {"apiVersion": f"{space.group}/v1", "kind": "Widget", "spec": {}}
    await offer(space, lambda it: templates(it)[1].update(base=kind, patches=[]))
    await space.plane.create(space.app())
    await space.until(Synced="False", saying=f"no kind 'Widget' is served in '{space.group}/v1'")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    await space.plane.create(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{space.group}"},
            "spec": {
                "group": space.group,
                "scope": "Namespaced",
                "names": {
                    "kind": "Widget",
                    "plural": "widgets",
                    "singular": "widget",
                    "listKind": "WidgetList",
                },
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }
    )
    await space.until(Synced="True", saying="Unready resources: account")


async def test_a_cluster_scoped_resource_in_a_namespaced_composite_is_refused(space):
    namespace = {"apiVersion": "v1", "kind": "Namespace"}
    await offer(space, lambda it: templates(it)[1].update(base=namespace, patches=[]))
    await space.plane.create(space.app())
    await space.until(
        Synced="False", saying='cannot apply cluster scoped composed resource "account" (a Namespace'
    )


async def test_a_template_without_a_kind_is_named(space):
    await offer(space, lambda it: templates(it)[1].update(base={"apiVersion": "v1"}, patches=[]))
    await space.plane.create(space.app())
    await space.until(Synced="False", saying='composed resource "account" has no apiVersion or no kind')


async def test_an_invalid_name_is_refused(space):
    await offer(space, lambda it: templates(it)[1]["base"].update(metadata={"name": "No Such Name"}))
    await space.plane.create(space.app())
    await space.until(Synced="False", saying='"account" because it has an invalid name "No Such Name"')


async def test_two_composites_that_claim_one_object_do_not_fight_over_it(space):
    await offer(space, lambda it: templates(it)[1]["base"].update(metadata={"name": "shared"}))
    await space.order("one")
    await space.plane.create(space.app("two"))
    await space.until("two", Synced="False", saying='is controlled by App "one"')
    await space.plane.manager.idle()
    shared = await space.client.get(SERVICEACCOUNTS, "shared", space.namespace)
    assert shared["metadata"]["ownerReferences"][0]["name"] == "one"


async def test_another_namespace_is_overridden_and_said(space):
    await offer(space, lambda it: templates(it)[1]["base"].update(metadata={"namespace": "kube-system"}))
    await space.order()
    account = await space.composed(SERVICEACCOUNTS, "account")
    assert account["metadata"]["namespace"] == space.namespace
    (message,) = await space.until_told("NamespaceOverridden")
    assert f'using XR namespace "{space.namespace}" instead' in message


async def test_composites_that_compose_each_other_come_to_an_end(space):
    nested = {"apiVersion": f"{space.group}/v1", "kind": "App", "spec": {"image": "nginx"}}
    await offer(space, lambda it: templates(it)[1].update(base=nested, patches=[]))
    await space.plane.create(space.app())

    async def stopped():
        apps = await space.client.list(space.apps, space.namespace)
        said = [space.condition(each, "Synced").get("message", "") for each in apps]
        return any("compose each other in a cycle" in each for each in said) and len(apps)

    assert await eventually(stopped, within_s=10) <= 20


async def test_a_failing_pipeline_leaves_what_exists_alone(space):
    composition = await offer(space, lambda _: None)
    found = await space.order()
    address = found["status"]["address"]
    live = await space.client.get(COMPOSITIONS, composition["metadata"]["name"])
    add_patch(type="FromCompositeFieldPath")(live)
    await space.client.update(COMPOSITIONS, live)
    found = await space.until(Synced="False", saying="fromFieldPath: Required value")
    assert found["status"]["address"] == address
    assert space.condition(found, "Ready")["status"] == "True"
    assert await space.composed(CONFIGMAPS, "settings")


async def test_a_failure_that_is_over_leaves_no_word_behind(space):
    """Applying the status used to leave the message that the failure had patched in beside Synced=True."""
    composition = await offer(space, lambda _: None)
    await space.order()
    live = await space.client.get(COMPOSITIONS, composition["metadata"]["name"])
    for _ in range(2):
        live["spec"]["pipeline"][0]["functionRef"]["name"] = "function-nope"
        live = await space.client.update(COMPOSITIONS, live)
        await space.until(Synced="False", saying='function "function-nope" is not installed')
        live["spec"] = copy.deepcopy(composition["spec"])
        live = await space.client.update(COMPOSITIONS, live)
        await space.until(Synced="True", Ready="True")
        await space.plane.manager.idle()
        found = await space.client.get(space.apps, "orders", space.namespace)
        assert [each for each in found["status"]["conditions"] if "message" in each] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda spec: spec["versions"][0].pop("schema"),
            "spec.versions[v1].schema.openAPIV3Schema: Required value",
        ),
        (
            lambda spec: spec["versions"][0].update(referenceable=False),
            "exactly one must be referenceable, found none",
        ),
        (
            lambda spec: spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
                "properties"
            ].update(bad={"properties": {}}),
            "must not be empty",
        ),
    ],
)
async def test_a_definition_that_can_not_work_says_why(space, change, message):
    definition, _ = space.documents()
    change(definition["spec"])
    await space.plane.create(definition)

    async def refused():
        found = await space.client.get(XRDS, space.name)
        return space.condition(found, "Established").get("message")

    assert message in await eventually(refused, within_s=10)


async def test_a_crd_of_someone_else_is_not_taken_over(space):
    definition, _ = space.documents()
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": space.name},
        "spec": {
            "group": space.group,
            "scope": "Namespaced",
            "names": {"kind": "App", "plural": "apps", "singular": "app", "listKind": "AppList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    await space.plane.create(crd, definition)

    async def refused():
        found = await space.client.get(XRDS, space.name)
        return "is not controlled by this definition" in space.condition(found, "Established").get(
            "message", ""
        )

    await eventually(refused, within_s=10)
    await space.client.delete(XRDS, space.name)

    async def gone():
        return await space.client.find(XRDS, space.name) is None

    await eventually(gone, within_s=10)
    assert await space.client.find(CUSTOMRESOURCEDEFINITIONS, space.name)


@pytest.mark.timeout(30)  # tokens come back at three a second, and a look takes one
async def test_a_fight_is_spaced_but_the_last_state_is_seen(space, monkeypatch):
    """Crossplane's circuit breaker drops events, and drift then takes up to a minute to mend."""
    for name, value in {"BURST": 3.0, "REFILL_PER_S": 3.0, "CALM": 2.0}.items():
        monkeypatch.setattr(f"roadbed.engines.composition.tracking.{name}", value)
    monkeypatch.setattr("roadbed.engines.composition.conditions.CALM_CHECK_S", 0.8)
    await space.offer()
    await space.order()
    settings = await space.composed(CONFIGMAPS, "settings")
    for number in range(16):
        await space.patch(settings, {"data": {"image": f"evil-{number}"}})
        await space.plane.manager.idle()
    meta = settings["metadata"]
    source = f"ConfigMap/{meta['name']} ({space.namespace})"
    await space.until(Responsive="False", saying=f"Too many watch events from {source}")
    await space.until_composed(CONFIGMAPS, "settings", lambda it: it["data"]["image"] == "nginx")
    await space.until(Responsive="True", Ready="True")


async def test_an_edit_during_a_reconcile_that_fails_for_good_is_not_lost(space, monkeypatch):
    """A terminal failure waits for the next change; the change may come while it is still failing."""
    run = pipeline.run
    await space.offer()

    async def fails_once(steps, observed, sources):
        if namespace_of(observed.composite.resource) != space.namespace:
            return await run(steps, observed, sources)  # of another test, whose composites live on
        monkeypatch.setattr(pipeline, "run", run)
        await space.patch(observed.composite.resource, {"spec": {"image": "caddy"}})

        async def seen():
            key = ObjectKey(space.namespace, "orders")
            return space.plane.manager.informers.of(space.apps).get(key)["spec"]["image"] == "caddy"

        await eventually(seen)
        raise pipeline.PipelineError("not this time")

    monkeypatch.setattr(pipeline, "run", fails_once)
    await space.order()
    assert (await space.composed(CONFIGMAPS, "settings"))["data"]["image"] == "caddy"


async def test_deleting_does_not_wait_for_a_kind_that_is_gone(space):
    await space.offer()
    await space.order()
    found = await space.until(Ready="True")
    gone = {"apiVersion": f"{space.group}/v1", "kind": "Gone", "name": "x"}
    await space.patch(found, {"metadata": {"annotations": {"crossplane.io/paused": "true"}}})
    found = await space.until(Synced="False", saying="paused")
    references = [*found["spec"]["crossplane"]["resourceRefs"], gone]
    await space.patch(found, {"spec": {"crossplane": {"resourceRefs": references}}})
    await space.client.delete(space.apps, "orders", space.namespace)
    await space.patch(found, {"metadata": {"annotations": {"crossplane.io/paused": None}}})
    await space.until_gone(space.apps, "orders")
