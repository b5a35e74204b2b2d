"""What recordings can't hold: choices that differ each time, and what is refused because nothing runs."""

from __future__ import annotations

from typing import Any

import pytest

from roadbed.apimachinery.errors import InvalidError, MethodNotAllowedError
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.kubernetes import SERVED
from roadbed.apiserver.kinds import autoscaling


def kind(plural: str, version: str = "v1") -> Resource:
    return next(each for each in SERVED if (each.plural, each.version) == (plural, version))


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}], **spec},
    }


async def test_no_two_services_share_an_address_or_a_port(api: Any) -> None:
    made = [await api.create(kind("services"), service(f"s{each}", type="NodePort")) for each in range(40)]
    assert len({each["spec"]["clusterIP"] for each in made}) == 40
    assert len({each["spec"]["ports"][0]["nodePort"] for each in made}) == 40
    taken = made[0]["spec"]["ports"][0]["nodePort"]
    wanted = service("more", type="NodePort", ports=[{"port": 80, "nodePort": taken}])
    with pytest.raises(InvalidError, match="provided port is already allocated"):
        await api.create(kind("services"), wanted)


async def test_a_service_keeps_its_address_when_an_update_leaves_it_out(api: Any) -> None:
    made = await api.create(kind("services"), service("web"))
    changed = {**made, "spec": {"selector": {"app": "b"}, "ports": [{"port": 81}]}}
    kept = await api.update(kind("services"), changed)
    assert kept["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert kept["spec"]["clusterIPs"] == made["spec"]["clusterIPs"]


async def test_logs_are_refused_with_the_reason(api: Any) -> None:
    with pytest.raises(MethodNotAllowedError, match="nothing runs"):
        await api.ask("get", kind("pods"), "web", "default", subresource="log")


async def test_scale_writes_the_replicas_of_a_deployment_and_tells_its_selector(api: Any) -> None:
    container = {"name": "a", "image": "a"}
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template}
    meta = {"name": "web", "namespace": "default"}
    await api.create(kind("deployments"), {"metadata": meta, "spec": spec})
    scale = await api.patch(
        kind("deployments"), "web", {"spec": {"replicas": 4}}, "default", subresource="scale"
    )
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (4, "app=a")
    stored = await api.get(kind("deployments"), "web", "default")
    assert (stored["spec"]["replicas"], stored["metadata"]["generation"]) == (4, 2)


def test_an_autoscaler_survives_the_way_through_the_old_version() -> None:
    metrics = [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
        },
        {
            "type": "Pods",
            "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}},
        },
        {
            "type": "Object",
            "object": {
                "describedObject": {"kind": "Service", "name": "web"},
                "metric": {"name": "hits"},
                "target": {"type": "Value", "value": "5"},
            },
        },
    ]
    new = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"minReplicas": 1, "maxReplicas": 3, "metrics": metrics},
        "status": {"currentMetrics": None, "desiredReplicas": 0},
    }
    old = autoscaling.from_storage(new)
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    assert autoscaling.to_storage(old) == new
