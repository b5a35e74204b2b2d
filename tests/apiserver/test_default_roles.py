"""What Kubernetes brings itself is there from the start, as the real API server makes it."""

from __future__ import annotations

import itertools
from typing import Any

from roadbed.apimachinery.gvk import Resource
from roadbed.apis import kubernetes
from roadbed.apis.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from roadbed.testing import control_plane

PRIORITIES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
KINDS = (CLUSTERROLES, CLUSTERROLEBINDINGS, ROLES, ROLEBINDINGS, PRIORITIES)


def key(obj: dict[str, Any]) -> tuple[str, str, str]:
    meta = obj["metadata"]
    return obj["kind"], meta.get("namespace", ""), meta["name"]


def facts(obj: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Give what an object says where the other says something; a server adds revisions, times and managers."""
    found = {name: obj.get(name) for name in wanted}
    return {**found, "metadata": {name: obj["metadata"].get(name) for name in wanted["metadata"]}}


async def test_roles_bindings_and_priority_classes_are_those_of_the_real_server() -> None:
    recorded = kubernetes.defaults()
    async with control_plane(crds=()) as plane:
        listed = [await plane.client.list(kind) for kind in KINDS]
    stored = {key(each): each for each in itertools.chain(*listed)}
    assert [facts(stored[key(each)], each) for each in recorded] == recorded
    # A controller of Kubernetes, its scheduler, a Role of a namespace: each with who has it.
    assert ("ClusterRoleBinding", "", "system:controller:root-ca-cert-publisher") in stored
    assert ("ClusterRole", "", "system:kube-scheduler") in stored
    assert ("RoleBinding", "kube-system", "system::leader-locking-kube-scheduler") in stored
