"""Composites from definition to deletion, on a real control plane."""

from roadbed.apimachinery.gvk import Resource
from roadbed.apis.core import CONFIGMAPS

APPS = Resource("example.org", "v1", "apps", "App")


async def test_a_composite_becomes_ready_with_what_its_composition_says(platform, wait, app, status_of):
    await platform.create(app())
    found = await wait(APPS, "orders", "shop", Ready="True", Synced="True")
    assert found["spec"]["crossplane"]["compositionRef"] == {"name": "app"}
    (settings,) = await platform.client.list(CONFIGMAPS, "shop")
    assert settings["data"] == {"image": "nginx", "replicas": "1"}
    assert found["status"]["address"] == f"http://{settings['metadata']['name']}.example.org"
