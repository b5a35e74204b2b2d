"""kr8s, asynchronous: objects, selectors, waiting, patches, kinds that it learns of."""

import asyncio

import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap, CustomResourceDefinition, Deployment, Namespace, new_class

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
async def api(kubeconfig):
    made = await kr8s.asyncio.api(kubeconfig=str(kubeconfig))
    yield made
    await made._session.aclose()  # it has no end of its own, and leaves its connections to the collector


@pytest.fixture
async def home(api, namespace):
    made = await Namespace({"metadata": {"name": namespace}}, api=api)
    await made.create()
    yield namespace
    await made.delete()


async def test_objects_are_made_found_changed_and_deleted(api, home):
    for name in ("one", "two"):
        obj = await ConfigMap(
            {"metadata": {"name": name, "namespace": home, "labels": {"number": name}}, "data": {"a": "1"}},
            api=api,
        )
        await obj.create()
    found = [each async for each in api.get("configmaps", namespace=home, label_selector="number=two")]
    assert [each.name for each in found] == ["two"]
    await found[0].patch({"data": {"b": "2"}})
    await found[0].label({"seen": "yes"})
    await found[0].refresh()
    assert (found[0].raw["data"], found[0].labels["seen"]) == ({"a": "1", "b": "2"}, "yes")
    await found[0].delete()
    assert not await found[0].exists()


async def test_a_deployment_is_scaled_and_waited_for(api, home):
    labels = {"app": "web"}
    web = await Deployment(
        {
            "metadata": {"name": "web", "namespace": home},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]},
                },
            },
        },
        api=api,
    )
    await web.create()
    await web.patch({"spec": {"replicas": 3}})
    waiting = asyncio.create_task(web.wait("condition=Available", timeout=10))
    conditions = [{"type": "Available", "status": "True", "reason": "Pretended", "message": ""}]
    await web.patch({"status": {"conditions": conditions}}, subresource="status")
    await waiting
    assert web.replicas == 3


async def test_kinds_that_it_did_not_know(api, home, definition):
    crd = await CustomResourceDefinition(definition, api=api)
    await crd.create()
    await crd.wait("condition=Established", timeout=10)
    kettle = new_class("Kettle", f"{definition['spec']['group']}/v1", namespaced=True, plural="kettles")
    red = await kettle({"metadata": {"name": "red", "namespace": home}, "spec": {"litres": 2}}, api=api)
    await red.create()
    with pytest.raises(kr8s.ServerError, match="litres"):
        await red.patch({"spec": {"litres": 9}})
    await crd.delete()
