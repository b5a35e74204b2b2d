"""Sources on a real API server: status, refresh, folders that come and go, and who may name one."""

import asyncio

import pytest

from roadbed.apimachinery.conditions import find_condition
from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.request import User
from roadbed.apis import load_crds
from roadbed.apis.catalog import SOURCES
from roadbed.apis.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES
from roadbed.apiserver import ADMINS
from roadbed.controller import Recorder, Request, SystemClock
from roadbed.portal.catalog import EVERYTHING, Query
from roadbed.portal.catalog.sources import LOOK_AGAIN_S, LocalPaths, SourceReconciler
from roadbed.testing import control_plane

pytestmark = pytest.mark.timeout(10)

ADMIN = User("admin", (ADMINS, "system:authenticated"))
PORTAL = User("system:portal", ("system:authenticated",))
ONE = Request("", "one")

COMPONENT = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec: {{type: service, lifecycle: production, owner: team-a}}
"""


class World:
    """A server, a client for an admin, and the reconciler as the portal's user."""

    def __init__(self, plane, catalog):
        self.plane = plane
        self.connect = plane.as_user
        self.catalog = catalog
        self.client = plane.as_user(ADMIN)
        portal = plane.as_user(PORTAL)
        clock = SystemClock()
        self.reconciler = SourceReconciler(catalog, portal, Recorder(portal, "catalog", clock), clock)

    async def create(self, path, client=None, **meta):
        source = {
            "apiVersion": SOURCES.api_version,
            "kind": "Source",
            "metadata": {"name": "one", **meta},
            "spec": {"folder": {"path": path}},
        }
        return await (client or self.client).create(SOURCES, source)

    async def status(self):
        return (await self.client.get(SOURCES, "one"))["status"]

    async def condition(self, kind):
        return find_condition(await self.client.get(SOURCES, "one"), kind)

    async def names(self):
        return [entry.ref.name for entry in (await self.catalog.list(Query(), EVERYTHING)).entries]


@pytest.fixture
async def world(catalog):
    crds = [crd for crd in load_crds() if crd["spec"]["group"] == SOURCES.group]
    async with control_plane(crds=crds) as plane:
        yield World(plane, catalog)


async def test_a_source_fills_the_catalog_and_says_so(world, folder):
    folder.write("a.yaml", COMPONENT.format(name="orders") + "---" + COMPONENT.format(name="web"))
    await world.create(folder.path)
    result = await world.reconciler.reconcile(ONE)
    assert result.requeue_after_s == LOOK_AGAIN_S
    assert await world.names() == ["orders", "web"]
    status = await world.status()
    assert (status["entities"], status["errors"]) == (2, 0)
    assert (await world.condition("Synced"))["status"] == "True"
    assert (await world.condition("Ready"))["observedGeneration"] == 1


async def test_a_steady_source_is_neither_read_nor_written_again(world, folder, monkeypatch):
    folder.write("a.yaml", COMPONENT.format(name="orders"))
    await world.create(folder.path)
    await world.reconciler.reconcile(ONE)
    before = await world.client.get(SOURCES, "one")
    monkeypatch.setattr("roadbed.portal.catalog.sources.read_folder", lambda path: pytest.fail("read again"))
    await world.reconciler.reconcile(ONE)
    assert await world.client.get(SOURCES, "one") == before


async def test_changed_files_and_the_refresh_annotation_are_followed(world, folder):
    folder.write("a.yaml", COMPONENT.format(name="orders"))
    await world.create(folder.path)
    await world.reconciler.reconcile(ONE)
    folder.write("b.yaml", COMPONENT.format(name="web"))
    await world.reconciler.reconcile(ONE)
    assert await world.names() == ["orders", "web"]
    await world.client.patch(SOURCES, "one", {"metadata": {"annotations": {"roadbed.dev/refresh": "now"}}})
    await world.reconciler.reconcile(ONE)
    assert (await world.status())["lastRefresh"] == "now"


async def test_refused_documents_are_named_in_the_condition(world, folder):
    folder.write("a.yaml", COMPONENT.format(name="good") + "---" + COMPONENT.format(name="-bad"))
    folder.write("b.yaml", COMPONENT.format(name="good"))
    await world.create(folder.path)
    await world.reconciler.reconcile(ONE)
    synced = await world.condition("Synced")
    assert synced["reason"] == "EntitiesRefused"
    assert "a.yaml, document 2: metadata.name" in synced["message"]
    assert "b.yaml, document 1: metadata.name: component:default/good is defined twice" in synced["message"]
    assert (await world.condition("Ready"))["status"] == "True"
    assert (await world.status())["entities"] == 1


async def test_a_folder_that_goes_away_keeps_the_last_good_entities(world, folder):
    folder.write("a.yaml", COMPONENT.format(name="orders"))
    await world.create(folder.path)
    await world.reconciler.reconcile(ONE)
    folder.root.rename(folder.root.with_name("moved"))
    await world.reconciler.reconcile(ONE)
    assert await world.names() == ["orders"]
    synced = await world.condition("Synced")
    assert (synced["status"], folder.path in synced["message"]) == ("False", True)
    assert "mend spec.folder.path" in synced["message"]
    folder.root.with_name("moved").rename(folder.root)
    await world.reconciler.reconcile(ONE)
    assert (await world.condition("Synced"))["status"] == "True"


async def test_a_deleted_source_takes_its_entities_along(world, folder):
    folder.write("a.yaml", COMPONENT.format(name="orders"))
    await world.create(folder.path)
    await world.reconciler.reconcile(ONE)
    await world.client.delete(SOURCES, "one")
    await world.reconciler.reconcile(ONE)
    assert await world.names() == []


async def test_entities_of_sources_deleted_while_nobody_looked_are_forgotten(world, folder, catalog):
    folder.write("a.yaml", COMPONENT.format(name="orders"))
    await world.create(folder.path)
    await world.reconciler.reconcile(ONE)
    await world.client.delete(SOURCES, "one")
    later = World(world.plane, catalog)
    await later.reconciler.reconcile(Request("", "another"))
    assert await world.names() == []


async def test_naming_a_folder_takes_a_right_of_its_own(world, folder):
    world.plane.server.add_admitter(LocalPaths(world.connect))
    writer = User("writer", ("system:authenticated",))
    rules = [{"apiGroups": [SOURCES.group], "resources": ["sources"], "verbs": ["create", "get", "patch"]}]
    await _grant(world, rules)
    with pytest.raises(ForbiddenError, match="uselocalpath"):
        await world.create(folder.path, world.connect(writer))
    await world.create(folder.path)
    await world.connect(writer).patch(SOURCES, "one", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ForbiddenError, match="uselocalpath"):
        await world.connect(writer).patch(SOURCES, "one", {"spec": {"folder": {"path": "/etc"}}})


async def _grant(world, rules):
    role = {
        "apiVersion": CLUSTERROLES.api_version,
        "kind": "ClusterRole",
        "metadata": {"name": "writer"},
        "rules": rules,
    }
    binding = {
        "apiVersion": CLUSTERROLEBINDINGS.api_version,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "writer"},
        "roleRef": {"apiGroup": CLUSTERROLES.group, "kind": "ClusterRole", "name": "writer"},
        "subjects": [{"kind": "User", "name": "writer", "apiGroup": CLUSTERROLES.group}],
    }
    await asyncio.gather(
        world.client.create(CLUSTERROLES, role), world.client.create(CLUSTERROLEBINDINGS, binding)
    )
