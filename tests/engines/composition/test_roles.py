"""Who may do what with a defined kind: bound to Kubernetes' or Crossplane's roles, and nothing else written."""

import pytest

from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.objects import owner_reference
from roadbed.apimachinery.request import User
from roadbed.apis.core import EVENTS, NAMESPACES
from roadbed.apis.crossplane import XRDS
from roadbed.apis.rbac import CLUSTERROLES
from roadbed.engines.composition import roles
from roadbed.testing import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = ("edit", "view", "browse")


def named(space, word):
    return f"crossplane:composite:{space.name}:aggregate-to-{word}"


async def bound(space, role, name="ann"):
    """Give the client of a user who is bound to a ClusterRole in the test's namespace."""
    user = User(f"{name}-{role}-{space.namespace}", ("system:authenticated",))
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": user.name, "namespace": space.namespace},
        "subjects": [{"kind": "User", "name": user.name}],
        "roleRef": {"kind": "ClusterRole", "name": role},
    }
    await space.plane.create(binding)
    return space.plane.as_user(user)


async def settled(space, word, holds):
    """Wait until a role is as a test wants it; gives the role."""

    async def ask():
        found = await space.client.find(CLUSTERROLES, named(space, word))
        return found if found is not None and holds(found) else None

    return await eventually(ask, within_s=10)


@pytest.mark.parametrize("role", ["edit", "admin", "crossplane-edit", "crossplane-admin"])
async def test_who_edits_a_namespace_orders_there_and_nowhere_else(space, role):
    await space.offer()
    client = await bound(space, role)
    await client.create(space.apps, space.app())
    await space.until(Ready="True")
    await client.patch(space.apps, "orders", {"spec": {"size": "large"}}, namespace=space.namespace)
    assert (await client.get(space.apps, "orders", space.namespace))["spec"]["size"] == "large"
    assert len(await client.list(space.apps, space.namespace)) == 1
    await client.delete(space.apps, "orders", space.namespace)
    await space.until_gone(space.apps, "orders")

    elsewhere = space.app()
    elsewhere["metadata"]["namespace"] = "default"
    with pytest.raises(ForbiddenError, match=r'cannot create resource "apps".*in the namespace "default"'):
        await client.create(space.apps, elsewhere)
    with pytest.raises(ForbiddenError, match=r'cannot list resource "apps".*at the cluster scope'):
        await client.list(space.apps)


@pytest.mark.parametrize("role", ["view", "crossplane-view"])
async def test_who_views_a_namespace_reads_there_and_writes_nothing(space, role):
    await space.offer()
    await space.order()
    client = await bound(space, role)
    assert await client.get(space.apps, "orders", space.namespace)
    assert await client.list(space.apps, space.namespace)
    with pytest.raises(ForbiddenError, match='cannot create resource "apps"'):
        await client.create(space.apps, space.app("second"))
    with pytest.raises(ForbiddenError, match='cannot patch resource "apps"'):
        await client.patch(space.apps, "orders", {"spec": {"size": "large"}}, namespace=space.namespace)
    with pytest.raises(ForbiddenError, match='cannot delete resource "apps"'):
        await client.delete(space.apps, "orders", space.namespace)


async def test_who_has_no_role_sees_no_composite(space):
    await space.offer()
    await space.order()
    client = space.plane.as_user(User("nobody", ("system:authenticated",)))
    with pytest.raises(ForbiddenError, match='cannot get resource "apps"'):
        await client.get(space.apps, "orders", space.namespace)


async def test_a_definition_is_established_only_when_its_roles_are_there(space):
    """Or who waits for the kind would sometimes be refused."""
    await space.offer()
    for word in WORDS:
        assert await space.client.find(CLUSTERROLES, named(space, word)), word


async def test_roles_carry_the_names_labels_and_owner_of_crossplane(space):
    await space.offer()
    definition = await space.client.get(XRDS, space.name)
    found = {word: await space.client.get(CLUSTERROLES, named(space, word)) for word in WORDS}
    for role in found.values():
        (owner,) = role["metadata"]["ownerReferences"]
        assert owner == {
            "apiVersion": "apiextensions.crossplane.io/v1",
            "kind": "CompositeResourceDefinition",
            "name": space.name,
            "uid": definition["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        (rule,) = role["rules"]
        assert (rule["apiGroups"], rule["resources"]) == ([space.group], ["apps", "apps/status"])
    labels = {word: set(role["metadata"]["labels"]) for word, role in found.items()}
    prefix = "rbac.crossplane.io/aggregate-to-"
    crossplane = {
        word: {label for label in each if label.startswith("rbac.crossplane.io/")}
        for word, each in labels.items()
    }
    assert crossplane == {
        "edit": {f"{prefix}{word}" for word in ("admin", "edit", "ns-admin", "ns-edit")},
        "view": {f"{prefix}{word}" for word in ("view", "ns-view")},
        "browse": {f"{prefix}browse"},
    }
    assert labels["browse"] == crossplane["browse"]


async def test_roles_go_with_their_definition(space):
    await space.offer()
    await space.order()
    await space.client.delete(XRDS, space.name)

    async def gone():
        found = [await space.client.find(CLUSTERROLES, named(space, word)) for word in WORDS]
        return not any(found) and await space.client.find(XRDS, space.name) is None

    await eventually(gone, within_s=10)


async def test_a_definition_made_anew_gets_roles_of_its_own(space):
    """The old roles may still wait for collection: they must neither be kept nor go with the new definition."""
    definition, *_ = space.documents()
    await space.offer()
    before = await space.client.get(XRDS, space.name)
    await space.client.delete(XRDS, space.name)

    async def gone():
        return await space.client.find(XRDS, space.name) is None

    await eventually(gone, within_s=10)
    await space.plane.create(definition)
    await space.established(space.name)
    after = await space.client.get(XRDS, space.name)
    uid = after["metadata"]["uid"]
    assert uid != before["metadata"]["uid"]
    for word in WORDS:
        await settled(space, word, lambda it: it["metadata"]["ownerReferences"][0]["uid"] == uid)
    client = await bound(space, "edit")
    await client.create(space.apps, space.app())
    await space.until(Ready="True")


async def test_a_role_that_was_changed_or_deleted_comes_back(space):
    await space.offer()
    before = await space.client.get(CLUSTERROLES, named(space, "view"))
    await space.client.patch(
        CLUSTERROLES, named(space, "view"), {"rules": [], "metadata": {"labels": {"a": "b"}}}
    )
    after = await settled(space, "view", lambda it: it.get("rules") == before["rules"])
    assert after["metadata"]["labels"]["a"] == "b"  # what others add stays
    await space.client.patch(
        CLUSTERROLES,
        named(space, "view"),
        {"metadata": {"labels": dict.fromkeys(before["metadata"]["labels"])}},
    )
    await settled(
        space, "view", lambda it: before["metadata"]["labels"].items() <= it["metadata"]["labels"].items()
    )
    await space.client.delete(CLUSTERROLES, named(space, "edit"))
    await settled(space, "edit", lambda it: it["rules"])


async def test_a_change_that_roles_do_not_depend_on_writes_none(space):
    await space.offer()
    before = [await space.client.get(CLUSTERROLES, named(space, word)) for word in WORDS]
    definition = await space.client.get(XRDS, space.name)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    schema["spec"]["properties"]["colour"] = {"type": "string", "default": "blue"}
    await space.client.update(XRDS, definition)
    await space.plane.manager.idle()
    assert [await space.client.get(CLUSTERROLES, named(space, word)) for word in WORDS] == before


async def test_a_role_that_something_else_controls_is_left_alone_and_said(space):
    definition, composition = space.documents()
    namespace = await space.client.get(NAMESPACES, space.namespace)
    taken = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": named(space, "edit")},
        "rules": [],
    }
    taken["metadata"]["ownerReferences"] = [owner_reference(namespace)]
    await space.plane.create(taken, definition, composition)
    await space.established(space.name)

    async def told():
        found = [each for each in await space.client.list(EVENTS) if each["reason"] == "ApplyClusterRoles"]
        return [each["message"] for each in found if each["involvedObject"]["name"] == space.name]

    (message,) = await eventually(told)
    assert message == (
        f'cannot apply ClusterRoles: ClusterRole "{named(space, "edit")}" is controlled by Namespace "{space.namespace}": '
        "delete it, or name the defined kind differently"
    )
    assert (await space.client.get(CLUSTERROLES, named(space, "edit"))).get("rules") in ([], None)
    await space.order()  # the kind itself works


async def test_the_engine_grants_no_right_that_it_lacks(space):
    """A Composition composes as the engine: were it allowed to escalate, every author of one would be."""
    engine = space.plane.as_user(User("system:engine:composition", ("system:authenticated",)))
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"root-{space.namespace}"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }
    with pytest.raises(ForbiddenError, match="attempting to grant RBAC permissions not currently held"):
        await engine.create(CLUSTERROLES, role)


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("crossplane:composite:apps.example.org:aggregate-to-edit", "apps.example.org"),
        ("crossplane:composite:apps.example.org", ""),
        ("crossplane:composite:apps.example.org:system", ""),
        ("apps.example.org:aggregate-to-edit", ""),
        ("edit", ""),
    ],
)
async def test_only_a_role_with_a_definitions_name_wakes_one(name, definition):
    assert roles.definition_of({"metadata": {"name": name}}) == definition
