"""What garbage collection and namespace deletion leave behind, step by step, as the real controllers do.

Each story acts through a client and looks at what stands after each act. The real kube-apiserver and
kube-controller-manager told what it should be: ``python tests/engines/core/test_as_kubernetes_collects.py KUBECONFIG [STORY…]``
writes ``recordings/collection.json`` anew from a server that runs (see ``tests/oracle/peer.py``).
"""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from roadbed.apimachinery.errors import AlreadyExistsError, ApiError, ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.request import ApiRequest
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.core import CONFIGMAPS, EVENTS, NAMESPACES

pytestmark = pytest.mark.acceptance  # two dozen control planes, one a story
RECORDINGS = Path(__file__).parent / "recordings" / "collection.json"
STORIES = {}
WIDGETS = Resource("collect.example.org", "v1", "widgets", "Widget", True)
THINGS = Resource("collect.example.org", "v1", "things", "Thing", False)
GONE = Resource("gone.example.org", "v1", "sparks", "Spark", True)
SETTLED_S = 2.5  # nothing changed for so long: the recorder takes what it sees


def story(tell):
    STORIES[tell.__name__] = tell
    return tell


def definition(resource):
    names = {"plural": resource.plural, "kind": resource.kind, "singular": resource.kind.lower()}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


class Stage:
    """Acts in one namespace; ``look`` gives what is there, with names where the server has uids."""

    def __init__(self, client, namespace, settle):
        self.client, self.namespace, self.settle = client, namespace, settle
        self.objects = {}  # name -> (resource, namespace, uid, object)

    async def make(
        self, name, *owners, resource=CONFIGMAPS, blocks=False, finalizers=(), references=(), into=""
    ):
        refs = [self.reference(owner, blocks=blocks) for owner in owners]
        meta = {"name": name, "finalizers": list(finalizers), "ownerReferences": [*refs, *references]}
        if resource.namespaced:
            meta["namespace"] = into or self.namespace
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        made = await self.client.create(resource, obj)
        self.objects[name] = (resource, meta.get("namespace", ""), made["metadata"]["uid"])
        return made

    def reference(self, owner, /, *, blocks=False, **other):
        resource, _, uid = self.objects[owner]
        known = {"apiVersion": resource.api_version, "kind": resource.kind, "name": owner, "uid": uid}
        return {**known, **({"blockOwnerDeletion": True} if blocks else {}), **other}

    async def delete(self, name, **body):
        resource, namespace, _ = self.objects[name]
        options = {"kind": "DeleteOptions", "apiVersion": "v1", **body} if body else None
        request = ApiRequest.on("delete", resource, namespace=namespace, name=name, body=options)
        answer = json.loads((await self.client.transport.call(request)).body)
        return answer["kind"]

    async def delete_all(self, resource, **body):
        options = {"kind": "DeleteOptions", "apiVersion": "v1", **body}
        request = ApiRequest.on("deletecollection", resource, namespace=self.namespace, body=options)
        await self.client.transport.call(request)

    async def patch(self, name, **meta):
        resource, namespace, _ = self.objects[name]
        return await self.client.patch(resource, name, {"metadata": meta}, namespace=namespace)

    async def look(self, *names):
        """Give what stands of every object made so far, and what was told about it."""
        names_by_uid = {uid: name for name, (_, _, uid) in self.objects.items()}
        found = {}
        for name, (resource, namespace, uid) in self.objects.items():
            if names and name not in names:
                continue
            obj = await self.client.find(resource, name, namespace)
            if obj is None or obj["metadata"]["uid"] != uid:
                found[name] = "gone"
                continue
            meta = obj["metadata"]
            state = {"deleting": "deletionTimestamp" in meta}
            if meta.get("finalizers"):
                state["finalizers"] = meta["finalizers"]
            if meta.get("ownerReferences"):
                state["owners"] = [
                    names_by_uid.get(ref["uid"], ref["uid"]) + ("!" if ref.get("blockOwnerDeletion") else "")
                    for ref in meta["ownerReferences"]
                ]
            found[name] = state
        return found

    async def events(self):
        """Give the reasons told, and about whom."""
        told = set()
        for namespace in (self.namespace, "default"):
            for event in await self.client.list(EVENTS, namespace):
                if event["involvedObject"].get("name") in self.objects:
                    message = event["message"]
                    for name, (_, _, uid) in self.objects.items():
                        message = message.replace(uid, f"<{name}>")
                    message = message.replace(self.namespace, "<ns>")
                    told.add((event["involvedObject"]["name"], event["type"], event["reason"], message))
        return sorted(told)

    async def conditions(self):
        namespace = await self.client.find(NAMESPACES, self.namespace)
        if namespace is None:
            return "gone"
        told = namespace["status"].get("conditions") or []
        return {
            "phase": namespace["status"]["phase"],
            "finalizers": namespace["spec"].get("finalizers", []),
            **{each["type"]: [each["status"], each["reason"], each["message"]] for each in told},
        }


@story
async def background(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("child", "owner", blocks=True)
    await stage.make("grandchild", "child")
    yield await stage.delete("owner", propagationPolicy="Background")
    yield stage.look


@story
async def no_options_at_all(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("child", "owner")
    yield await stage.delete("owner")
    yield stage.look


@story
async def background_of_a_held_owner_waits_for_the_owner(stage):
    await stage.make("owner", resource=WIDGETS, finalizers=["example.org/held"])
    await stage.make("child", "owner", blocks=True)
    yield await stage.delete("owner", propagationPolicy="Background")
    yield stage.look
    await stage.patch("owner", finalizers=None)
    yield stage.look


@story
async def foreground_waits_for_those_that_block(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("blocking", "owner", blocks=True, finalizers=["example.org/held"])
    await stage.make("free", "owner", finalizers=["example.org/held"])
    await stage.make("grandchild", "blocking")
    yield await stage.delete("owner", propagationPolicy="Foreground")
    yield stage.look
    await stage.patch("blocking", finalizers=None)
    yield stage.look
    await stage.patch("free", finalizers=None)
    yield stage.look


@story
async def foreground_of_one_without_dependents(stage):
    await stage.make("owner", resource=WIDGETS)
    yield await stage.delete("owner", propagationPolicy="Foreground")
    yield stage.look


@story
async def foreground_goes_down_a_chain(stage):
    await stage.make("a", resource=WIDGETS)
    await stage.make("b", "a", blocks=True, resource=WIDGETS)
    await stage.make("c", "b", blocks=True, finalizers=["example.org/held"])
    await stage.delete("a", propagationPolicy="Foreground")
    yield stage.look
    await stage.patch("c", finalizers=None)
    yield stage.look


@story
async def a_dependent_made_while_its_owner_waits(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("first", "owner", blocks=True, finalizers=["example.org/held"])
    await stage.delete("owner", propagationPolicy="Foreground")
    yield stage.look
    await stage.make("late", "owner", blocks=True)  # deleted now or with the next change of the others
    yield lambda: stage.look("first", "owner")
    await stage.patch("first", finalizers=None)
    yield stage.look


@story
async def orphan(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("other", resource=WIDGETS)
    await stage.make("child", "owner", blocks=True)
    await stage.make("shared", "owner", "other")
    yield await stage.delete("owner", propagationPolicy="Orphan")
    yield stage.look


@story
async def orphan_by_the_deprecated_member(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("child", "owner")
    yield await stage.delete("owner", orphanDependents=True)
    yield stage.look
    await stage.make("owner2", resource=WIDGETS)
    await stage.make("child2", "owner2")
    yield await stage.delete("owner2", orphanDependents=False)
    yield stage.look


@story
async def a_second_delete_changes_the_policy(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("child", "owner", blocks=True, finalizers=["example.org/held"])
    yield await stage.delete("owner", propagationPolicy="Foreground")
    yield stage.look
    yield await stage.delete("owner", propagationPolicy="Orphan")
    yield stage.look


@story
async def an_absent_owner_beside_a_present_one(stage):
    await stage.make("present", resource=WIDGETS)
    await stage.make("absent", resource=WIDGETS)
    await stage.make("child", "present", "absent")
    await stage.delete("absent")
    yield stage.look


@story
async def a_waiting_owner_beside_a_present_one(stage):
    await stage.make("present", resource=WIDGETS)
    await stage.make("waiting", resource=WIDGETS)
    await stage.make("child", "present", "waiting", blocks=True)
    await stage.make("held", "waiting", blocks=True, finalizers=["example.org/held"])
    await stage.delete("waiting", propagationPolicy="Foreground")
    yield stage.look
    await stage.patch("held", finalizers=None)
    yield stage.look


@story
async def an_owner_that_never_was(stage):
    await stage.make("owner", resource=WIDGETS)
    never = "11111111-2222-3333-4444-555555555555"
    await stage.make("wrong-uid", references=[stage.reference("owner", uid=never)])
    await stage.make("wrong-name", references=[stage.reference("owner", name="other", uid=never)])
    await stage.make("mistaken-name", references=[stage.reference("owner", name="other")])
    await stage.make(
        "mistaken-kind", references=[stage.reference("owner", kind="ConfigMap", apiVersion="v1")]
    )
    yield stage.look


@story
async def an_owner_of_an_unknown_kind(stage):
    unknown = {"apiVersion": "nobody.example.org/v1", "kind": "Nothing", "name": "x", "uid": "1-2-3"}
    await stage.make("child", references=[unknown])
    yield stage.look


@story
async def a_cluster_scoped_owner(stage):
    await stage.make(f"{stage.namespace}-owner", resource=THINGS)
    await stage.make("child", f"{stage.namespace}-owner", blocks=True)
    await stage.delete(f"{stage.namespace}-owner", propagationPolicy="Foreground")
    yield lambda: stage.look("child")


@story
async def a_namespaced_owner_of_a_cluster_scoped_object(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("cluster-wide", "owner", resource=THINGS)
    yield lambda: stage.look("cluster-wide")
    yield stage.events
    await stage.delete("owner")
    yield lambda: stage.look("cluster-wide")
    await stage.delete("cluster-wide")


@story
async def an_owner_in_another_namespace(stage):
    await stage.make("owner", resource=WIDGETS)
    await stage.make("elsewhere", "owner", into="default")
    yield stage.look
    yield stage.events


@story
async def a_circle_in_the_foreground(stage):
    await stage.make("a")
    await stage.make("b", "a", blocks=True)
    await stage.patch("a", ownerReferences=[stage.reference("b", blocks=True)])
    await stage.delete("a", propagationPolicy="Foreground")
    yield stage.look


@story
async def a_circle_in_the_background(stage):
    await stage.make("a")
    await stage.make("b", "a", blocks=True)
    await stage.patch("a", ownerReferences=[stage.reference("b", blocks=True)])
    await stage.delete("a", propagationPolicy="Background")
    yield stage.look


@story
async def a_collection_in_the_foreground_and_one_orphaned(stage):
    await stage.make("one", resource=WIDGETS)
    await stage.make("child", "one", blocks=True, finalizers=["example.org/held"])
    await stage.delete_all(WIDGETS, propagationPolicy="Foreground")
    yield stage.look
    await stage.patch("child", finalizers=None)
    yield stage.look
    await stage.make("two", resource=WIDGETS)
    await stage.make("kept", "two", blocks=True)
    await stage.delete_all(WIDGETS, propagationPolicy="Orphan")
    yield stage.look


@story
async def a_definition_that_goes_takes_instances_and_theirs(stage):
    await stage.client.create(CUSTOMRESOURCEDEFINITIONS, definition(GONE))
    for _ in range(200):
        with suppress(ApiError):
            await stage.client.resource_for(GVK(GONE.group, "v1", GONE.kind))
            await stage.client.list(GONE, stage.namespace)
            break
        await asyncio.sleep(0.05)
    await stage.make("spark", resource=GONE)
    await stage.make("child", "spark")
    yield stage.look
    await stage.client.delete(CUSTOMRESOURCEDEFINITIONS, GONE.qualified)
    yield stage.look


@story
async def a_namespace_that_is_held(stage):
    await stage.make("free")
    await stage.make("held", finalizers=["example.org/held", "example.org/also"])
    await stage.make("widget", resource=WIDGETS, finalizers=["example.org/held"])
    yield stage.conditions
    await stage.client.delete(NAMESPACES, stage.namespace)
    yield stage.conditions
    yield lambda: stage.look("held", "widget")
    for make in (stage.make("new"), stage.client.create(NAMESPACES, {"metadata": {"name": stage.namespace}})):
        try:
            yield await make
        except (ForbiddenError, AlreadyExistsError) as error:
            causes = [[cause.reason, cause.field] for cause in error.causes]
            yield [type(error).__name__, error.message.replace(stage.namespace, "<ns>"), causes]
    await stage.patch("widget", finalizers=None)
    yield stage.conditions
    await stage.patch("held", finalizers=["example.org/held"])
    yield stage.conditions
    await stage.patch("held", finalizers=None)
    yield stage.conditions
    again = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stage.namespace}}
    await stage.client.create(NAMESPACES, again)
    yield stage.conditions


@story
async def a_namespace_with_finalizers_of_its_own(stage):
    name = f"{stage.namespace}-own"
    obj = {"apiVersion": "v1", "kind": "Namespace", "spec": {"finalizers": ["example.org/mine"]}}
    made = await stage.client.create(
        NAMESPACES, {**obj, "metadata": {"name": name, "finalizers": ["example.org/meta"]}}
    )
    own = Stage(stage.client, name, stage.settle)
    yield made["spec"]
    await own.make("content")
    await stage.client.delete(NAMESPACES, name)
    yield own.conditions
    yield own.look
    namespace = await stage.client.get(NAMESPACES, name)
    namespace["spec"]["finalizers"] = []
    await stage.client.update(NAMESPACES, namespace, subresource="finalize")
    yield own.conditions
    await stage.client.patch(NAMESPACES, name, {"metadata": {"finalizers": None}})
    yield own.conditions


async def tell(name, client, settle, number=0):
    """Run one story; gives what was seen at each of its looks."""
    namespace = f"collect-{number}-{name.replace('_', '-')}"[:50].rstrip("-")
    await client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    )
    stage, seen = Stage(client, namespace, settle), []
    async for look in STORIES[name](stage):
        seen.append(await settle(look, len(seen)) if callable(look) else look)
    return json.loads(json.dumps(seen).replace(namespace, "<ns>"))


async def install(client):
    for resource in (WIDGETS, THINGS):
        with suppress(AlreadyExistsError):
            await client.create(CUSTOMRESOURCEDEFINITIONS, definition(resource))
    for resource in (WIDGETS, THINGS):
        for _ in range(200):
            with suppress(NotFoundError):
                await client.list(resource)
                break
            await asyncio.sleep(0.05)


@pytest.fixture
async def plane():
    from roadbed.testing import control_plane

    async with control_plane("roadbed.engines.core.plugin", crds=()) as running:
        await install(running.client)
        await running.manager.idle()
        yield running


@pytest.mark.parametrize("name", STORIES)
async def test_the_world_ends_up_as_with_kubernetes(plane, name):
    expected = json.loads(RECORDINGS.read_text())[name]

    async def settle(look, step):
        """Look until it is as recorded, and once more when nobody has anything left to do."""
        want = expected[step]
        for _ in range(150):
            seen = json.loads(json.dumps(await look()).replace(namespace, "<ns>"))
            if seen == want:
                break
            await asyncio.sleep(0.01)
        await plane.manager.idle()
        return await look()

    namespace = f"collect-0-{name.replace('_', '-')}"[:50].rstrip("-")
    assert await tell(name, plane.client, settle) == expected


async def record(kubeconfig, *names):
    from roadbed.client import connect

    client = connect(Path(kubeconfig))
    await install(client)
    await asyncio.sleep(35)  # the real collector looks for new kinds every 30 s

    async def settle(look, _):
        seen, since = await look(), 0.0
        while since < SETTLED_S:
            await asyncio.sleep(0.25)
            now = await look()
            since = since + 0.25 if now == seen else 0.0
            seen = now
        return seen

    async def one(number, name):
        if "definition" in name:
            # A kind that is new is collected from only after the next look for kinds.
            async def patient(look, step):
                await asyncio.sleep(40)
                return await settle(look, step)

            return await tell(name, client, patient, number)
        if "namespace_" in name:
            # A namespace is looked at again some seconds after what held it went.
            async def slow(look, step):
                await asyncio.sleep(8)
                return await settle(look, step)

            return await tell(name, client, slow, number)
        return await tell(name, client, settle, number)

    names = names or tuple(STORIES)
    number = int(asyncio.get_running_loop().time())
    told = await asyncio.gather(*(one(number, name) for name in names), return_exceptions=True)
    failed = {name: each for name, each in zip(names, told, strict=True) if isinstance(each, Exception)}
    if failed:
        raise ExceptionGroup(", ".join(failed), list(failed.values()))
    RECORDINGS.parent.mkdir(exist_ok=True)
    known = json.loads(RECORDINGS.read_text()) if RECORDINGS.exists() else {}
    known = {name: known.get(name) for name in STORIES} | dict(zip(names, told, strict=True))
    text = json.dumps(known, indent=1, sort_keys=True)
    RECORDINGS.write_text(text + "\n")
    await client.transport.close()


if __name__ == "__main__":
    asyncio.run(record(*sys.argv[1:]))
