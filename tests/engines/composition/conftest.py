"""A control plane with composition and garbage collection, and a small platform to compose on it."""

import copy
from pathlib import Path

import pytest
import yaml

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import namespace_of
from roadbed.testing import control_plane, eventually

FOLDER = Path(__file__).parent / "platform"
APPS = Resource("example.org", "v1", "apps", "App")
FUNCTION = "xpkg.crossplane.io/crossplane-contrib/function-patch-and-transform:v0.9.0"


def load(name):
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))


@pytest.fixture
def documents():
    """Give the objects of one YAML file of the test platform, by name."""
    return lambda name: copy.deepcopy(load(name))


@pytest.fixture
async def plane():
    async with control_plane("roadbed.engines.core.plugin", "roadbed.engines.composition.plugin") as running:
        yield running


@pytest.fixture
async def platform(plane, documents):
    """A control plane that offers App: a Deployment's settings as ConfigMaps, namespaced, as in a first tutorial."""
    await plane.create(*documents("functions"), *documents("app"))
    await plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await established(plane, "apps.example.org")
    return plane


async def established(plane, name):
    from roadbed.apis.crossplane import XRDS

    async def ask():
        found = await plane.client.get(XRDS, name)
        return condition(found, "Established").get("status") == "True"

    await eventually(ask)


def condition(obj, kind):
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each["type"] == kind), {})


@pytest.fixture
def wait(plane):
    """Wait until a composite has a condition; gives the composite."""

    async def until(resource, name, namespace, **wanted):
        async def ask():
            found = await plane.client.find(resource, name, namespace)
            held = found and all(
                condition(found, kind).get("status") == value for kind, value in wanted.items()
            )
            return found if held else None

        return await eventually(ask, within_s=1.5)

    return until


@pytest.fixture
def status_of():
    return condition


@pytest.fixture
def app():
    """Make an App."""

    def make(name="orders", namespace="shop", **spec):
        spec = {"image": "nginx", "size": "small", **spec}
        obj = {
            "apiVersion": "example.org/v1",
            "kind": "App",
            "metadata": {"name": name, "namespace": namespace},
        }
        assert namespace_of(obj) == namespace
        return {**obj, "spec": spec}

    return make
