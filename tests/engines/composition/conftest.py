"""One control plane for all tests of the engine that need one; each test has a namespace and kinds of its own.

Starting one takes half a second, and these tests are many. What they share is what a platform's users
share as well, so that they also show that one composite does not disturb another.
"""

import copy
import itertools
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import gvk_of
from roadbed.apis.core import EVENTS
from roadbed.apis.crossplane import XRDS
from roadbed.testing import control_plane, eventually

FOLDER = Path(__file__).parent / "platform"
PLUGINS = ("roadbed.engines.core.plugin", "roadbed.engines.composition.plugin")
_numbers = itertools.count(1)


def _load(name):
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_plane():
    async with control_plane(*PLUGINS) as running:
        await running.create(*_load("functions"))
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def space(session_plane):
    made = Space(session_plane, next(_numbers))
    await made.plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}})
    return made


class Space:
    """A namespace, a kind ``App`` in an API group of its own, and the verbs that tests speak in."""

    def __init__(self, plane, number):
        self.plane = plane
        self.client = plane.client
        self.namespace = f"shop-{number}"
        self.group = f"g{number}.example.org"
        self.name = f"apps.{self.group}"
        self.apps = Resource(self.group, "v1", "apps", "App")

    def documents(self, name="app"):
        """Give the definition and Composition of a YAML file, moved into this test's group."""
        text = (FOLDER / f"{name}.yaml").read_text().replace("example.org/v1", f"{self.group}/v1")
        text = text.replace(".example.org\n", f".{self.group}\n").replace(
            "group: example.org", f"group: {self.group}"
        )
        definition, *compositions = copy.deepcopy(list(yaml.safe_load_all(text)))
        for composition in compositions:
            composition["metadata"]["name"] += f"-{self.namespace}"
        return definition, *compositions

    async def offer(self, name="app"):
        """Install a definition and its Compositions and wait until the kind is served."""
        definition, *compositions = self.documents(name)
        await self.plane.create(definition, *compositions)
        await self.established(definition["metadata"]["name"])
        return compositions

    async def established(self, name):
        async def ask():
            return condition(await self.client.get(XRDS, name), "Established").get("status") == "True"

        await eventually(ask, within_s=10)

    def app(self, name="orders", **spec):
        return {
            "apiVersion": self.apps.api_version,
            "kind": "App",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"image": "nginx", **spec},
        }

    async def order(self, name="orders", **spec):
        """Create an App and wait until it is ready."""
        await self.plane.create(self.app(name, **spec))
        return await self.until(name, Ready="True")

    async def until(self, name="orders", *, resource=None, saying="", **statuses):
        """Wait until an App has these conditions and one of them says this; gives the App."""

        async def ask():
            found = await self.client.find(resource or self.apps, name, self.namespace)
            if not found or any(
                condition(found, kind).get("status") != value for kind, value in statuses.items()
            ):
                return None
            said = " ".join(
                each.get("message", "") for each in (found.get("status") or {}).get("conditions", ())
            )
            return found if saying in said else None

        try:
            return await eventually(ask, within_s=10)
        except AssertionError:
            found = await self.client.find(resource or self.apps, name, self.namespace)
            raise AssertionError(f"{statuses} {saying!r} not reached by {found}") from None

    async def until_gone(self, resource, name):
        async def ask():
            return await self.client.find(resource, name, self.namespace) is None

        await eventually(ask, within_s=10)

    async def composed(self, resource, name):
        """Give the composed object of that name in the Composition, or None."""
        for obj in await self.client.list(resource, self.namespace):
            if obj["metadata"].get("annotations", {}).get("crossplane.io/composition-resource-name") == name:
                return obj
        return None

    async def until_composed(self, resource, name, holds):
        async def ask():
            found = await self.composed(resource, name)
            return found if found is not None and holds(found) else None

        return await eventually(ask, within_s=10)

    async def until_told(self, reason):
        """Wait until there are events with this reason; gives their messages."""

        async def ask():
            found = await self.client.list(EVENTS, self.namespace)
            return [each["message"] for each in found if each["reason"] == reason]

        return await eventually(ask)

    async def patch(self, obj, patch):
        resource = await self.client.resource_for(gvk_of(obj))
        meta = obj["metadata"]
        return await self.client.patch(resource, meta["name"], patch, namespace=meta.get("namespace", ""))

    @staticmethod
    def condition(obj, kind):
        return condition(obj, kind)


def condition(obj, kind):
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each["type"] == kind), {})


@pytest.fixture
def plugins():
    return PLUGINS


@pytest.fixture
def functions():
    return _load("functions")
