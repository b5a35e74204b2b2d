"""Pods on nodes: what a contract with the real server cannot show, because it differs or races."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roadbed.apimachinery.errors import ApiError, NotFoundError, TooManyRequestsError
from roadbed.apimachinery.gvk import Resource

PODS = Resource("", "v1", "pods", "Pod")
NODES = Resource("", "v1", "nodes", "Node")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")


async def run(api: Any, name: str, node: str) -> None:
    """Make a pod on a node, running and ready."""
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "x"}},
        "spec": spec,
    }
    made = await api.ask("create", PODS, namespace="default", body=body)
    made["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await api.ask("update", PODS, name, "default", subresource="status", body=made)


async def test_a_pod_whose_node_is_gone_does_not_wait_for_it(api: Any) -> None:
    await api.ask("create", NODES, body={"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    await run(api, "a", "n")
    await api.ask("delete", PODS, "a", "default")
    held = await api.ask("get", PODS, "a", "default")
    assert held["metadata"]["deletionGracePeriodSeconds"] == 30
    await api.ask("delete", NODES, "n")
    await api.ask("delete", PODS, "a", "default")
    with pytest.raises(NotFoundError):
        await api.ask("get", PODS, "a", "default")


async def test_evictions_at_once_never_take_more_than_a_budget_has(api: Any) -> None:
    for number in range(6):
        await run(api, f"p{number}", "n")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": spec}
    made = await api.ask("create", BUDGETS, namespace="default", body=body)
    made["status"] = {
        "observedGeneration": 1,
        "disruptionsAllowed": 2,
        "currentHealthy": 6,
        "desiredHealthy": 4,
        "expectedPods": 6,
    }
    await api.ask("update", BUDGETS, "b", "default", subresource="status", body=made)

    async def evict(name: str) -> bool:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        try:
            await api.ask("create", PODS, name, "default", subresource="eviction", body=eviction)
        except TooManyRequestsError as error:
            return error.causes[0].reason != "DisruptionBudget"
        return True

    assert sum(await asyncio.gather(*(evict(f"p{number}") for number in range(6)))) == 2
    left = await api.ask("get", BUDGETS, "b", "default")
    assert (left["status"]["disruptionsAllowed"], len(left["status"]["disruptedPods"])) == (0, 2)


async def test_the_address_of_a_pod_is_the_first_of_its_addresses(api: Any) -> None:
    await run(api, "a", "n")
    for sent in ({"podIP": "10.1.0.1"}, {"podIP": None, "podIPs": [{"ip": "10.1.0.1"}]}):
        body = {"status": {**sent, "phase": "Running"}}
        patch = {"subresource": "status", "patch_type": "application/merge-patch+json", "body": body}
        told = (await api.ask("patch", PODS, "a", "default", **patch))["status"]
        assert (told["podIP"], told["podIPs"]) == ("10.1.0.1", [{"ip": "10.1.0.1"}])


async def test_what_runs_nowhere_is_still_refused(api: Any) -> None:
    await run(api, "a", "n")
    with pytest.raises(ApiError, match="nothing runs"):
        await api.ask("get", PODS, "a", "default", subresource="log")
