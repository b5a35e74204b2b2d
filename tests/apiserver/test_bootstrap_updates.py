"""What a newer Roadbed does to the roles that an older one left in the store."""

import pytest

from roadbed.apis.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES
from roadbed.apiserver.bootstrap import AUTOUPDATE
from roadbed.storage import open_storage
from roadbed.testing import control_plane

OWN = "system:engine:composition:own"
THEIRS = {"apiGroups": ["example.org"], "resources": ["things"], "verbs": ["get"]}


@pytest.fixture
async def storage():
    store = await open_storage("memory:")
    yield store
    await store.close()


async def leave(storage, annotations):
    """Let an older platform end with a role that lacks all rules but one of an operator's."""
    async with control_plane(storage=storage, crds=()) as older:
        whole = await older.client.get(CLUSTERROLES, OWN)
        patch = {"metadata": {"annotations": annotations}, "rules": [THEIRS]}
        await older.client.patch(CLUSTERROLES, OWN, patch)
        return whole["rules"]


async def test_missing_rules_are_added_and_others_stay(storage):
    ours = await leave(storage, {})
    async with control_plane(storage=storage, crds=()) as newer:
        assert (await newer.client.get(CLUSTERROLES, OWN))["rules"] == [THEIRS, *ours]


async def test_a_role_that_asks_to_be_left_alone_is(storage):
    await leave(storage, {AUTOUPDATE: "false"})
    async with control_plane(storage=storage, crds=()) as newer:
        assert (await newer.client.get(CLUSTERROLES, OWN))["rules"] == [THEIRS]


async def test_a_binding_gets_the_subjects_that_are_missing(storage):
    name = "system:controller:clusterrole-aggregation-controller"
    async with control_plane(storage=storage, crds=()) as older:
        whole = (await older.client.get(CLUSTERROLEBINDINGS, name))["subjects"]
        other = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "other"}
        await older.client.patch(CLUSTERROLEBINDINGS, name, {"subjects": [other]})
    async with control_plane(storage=storage, crds=()) as newer:
        assert (await newer.client.get(CLUSTERROLEBINDINGS, name))["subjects"] == [other, *whole]


async def test_a_start_that_brings_nothing_new_writes_nothing(storage):
    async with control_plane(storage=storage):
        pass
    before, seen = storage.revision, []
    end = storage.subscribe(lambda events: seen.extend(each.key for each in events))
    async with control_plane(storage=storage):
        pass
    end()
    # A control plane of tests has a new authority each time, and says so.
    assert seen == ["/core/configmaps/kube-system/extension-apiserver-authentication"]
    assert storage.revision == before + 1
