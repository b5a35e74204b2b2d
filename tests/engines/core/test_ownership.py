"""The graph behind garbage collection, as a function of objects."""

from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import Uid
from roadbed.engines.core.ownership import FOREGROUND, Node, Ownership

CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")


def node(name):
    return Node("default", name, CONFIGMAPS)


def obj(name, *owners, blocks=True, finalizers=(), deleting=False):
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "finalizers": list(finalizers)}
    metadata["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner,
            "uid": f"uid-{owner}",
            "blockOwnerDeletion": blocks,
        }
        for owner in owners
    ]
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def test_dependents_survive_the_removal_of_their_owner():
    graph = Ownership()
    graph.put(node("owner"), obj("owner"))
    graph.put(node("child"), obj("child", "owner"))
    graph.remove(Uid("uid-owner"))
    assert graph.node(Uid("uid-owner")) is None
    assert graph.dependents(Uid("uid-owner")) == [node("child")]


def test_an_object_that_changes_owners_leaves_the_old_one():
    graph = Ownership()
    graph.put(node("child"), obj("child", "a"))
    graph.put(node("child"), obj("child", "b"))
    assert graph.dependents(Uid("uid-a")) == []
    assert graph.dependents(Uid("uid-b")) == [node("child")]


def test_only_dependents_that_block_hold_a_foreground_deletion():
    graph = Ownership()
    graph.put(node("owner"), obj("owner", finalizers=[FOREGROUND], deleting=True))
    graph.put(node("free"), obj("free", "owner", blocks=False))
    assert graph.is_waiting(Uid("uid-owner"))
    assert graph.blocking(Uid("uid-owner")) == []
    graph.put(node("held"), obj("held", "owner"))
    assert graph.blocking(Uid("uid-owner")) == [node("held")]


def test_a_circle_is_seen_once_a_dependent_waits_too():
    graph = Ownership()
    graph.put(node("a"), obj("a", "b", finalizers=[FOREGROUND], deleting=True))
    graph.put(node("b"), obj("b", "a"))
    assert graph.in_circle(Uid("uid-b"))
    assert not graph.in_circle(Uid("uid-a"))


NAMES = st.sampled_from("abcdef")


@given(st.lists(st.tuples(NAMES, st.lists(NAMES, unique=True, max_size=3), st.booleans()), max_size=30))
def test_dependents_are_exactly_the_live_objects_that_name_the_owner(steps):
    graph, live = Ownership(), {}
    for name, owners, present in steps:
        if present:
            graph.put(node(name), obj(name, *owners))
            live[name] = owners
        else:
            graph.remove(Uid(f"uid-{name}"))
            live.pop(name, None)
    for owner in "abcdef":
        expected = {node(name) for name, owners in live.items() if owner in owners}
        assert set(graph.dependents(Uid(f"uid-{owner}"))) == expected
