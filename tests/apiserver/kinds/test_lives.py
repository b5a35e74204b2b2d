"""What recordings can't hold: choices that differ each time, and what is refused because nothing runs."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from roadbed.apimachinery.errors import BadRequestError, InvalidError, MethodNotAllowedError
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


async def test_times_are_told_in_utc_with_as_many_digits_as_their_types_have(api: Any) -> None:
    """Contracts replace every time by a word."""
    meta = {"name": "a", "namespace": "default"}
    spec = {"renewTime": "2024-01-01T02:00:00.123456+02:00"}
    lease = await api.create(kind("leases"), {"metadata": meta, "spec": spec})
    assert lease["spec"]["renewTime"] == "2024-01-01T00:00:00.123456Z"
    for text in ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", "0001-01-01T00:00:00.000000+02:00"):
        with pytest.raises(BadRequestError, match="parsing time"):
            await api.create(kind("leases"), {"metadata": {**meta, "name": "b"}, "spec": {"renewTime": text}})
    pod = await api.create(
        kind("pods"), {"metadata": meta, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    )
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-01T02:00:00.9+02:00"}
    pod["status"] = {"startTime": "2024-01-01T00:00:00.987654321Z", "conditions": [condition]}
    told = await api.ask("update", kind("pods"), "a", "default", subresource="status", body=pod)
    assert told["status"]["startTime"] == "2024-01-01T00:00:00Z"
    assert told["status"]["conditions"][0]["lastTransitionTime"] == "2024-01-01T00:00:00Z"


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


async def test_selectors_meet_what_an_object_leaves_out(api: Any) -> None:
    """Schedulers and test suites look for nodes that are *not* unschedulable."""
    meta = {"name": "a", "namespace": "default"}
    pod = {"containers": [{"name": "a", "image": "a"}], "restartPolicy": "Never"}
    await api.create(kind("nodes"), {"metadata": {"name": "a"}})
    await api.create(kind("pods"), {"metadata": meta, "spec": pod})
    await api.create(kind("jobs"), {"metadata": meta, "spec": {"template": {"spec": pod}}})

    async def found(plural: str, selector: str) -> int:
        return len(await api.names(kind(plural), fieldSelector=selector))

    assert await found("nodes", "spec.unschedulable=false") == 1
    assert await found("nodes", "spec.unschedulable=true") == 0
    assert await found("pods", "spec.hostNetwork=false") == 1
    assert await found("jobs", "status.successful=0") == 1
    await api.patch(kind("jobs"), "a", {"status": {"succeeded": 1}}, "default", subresource="status")
    assert await found("jobs", "status.successful=1") == 1


async def test_deleting_a_job_or_an_old_controller_leaves_its_pods_unless_told_otherwise(api: Any) -> None:
    """They are older than collection: a suite of Kubernetes waits to see that pods stay."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    meta = {"name": "a", "namespace": "default"}
    await api.create(
        kind("replicationcontrollers"),
        {"metadata": meta, "spec": {"selector": {"a": "b"}, "template": template}},
    )
    job = {"spec": {**template["spec"], "restartPolicy": "Never"}}
    await api.create(kind("jobs"), {"metadata": meta, "spec": {"template": job}})
    for plural, warnings in (("replicationcontrollers", 0), ("jobs", 1)):
        answer = await api.answer("delete", kind(plural), "a", "default")
        assert len(answer.warnings) == warnings
        assert (await api.get(kind(plural), "a", "default"))["metadata"]["finalizers"] == ["orphan"]
        await api.delete(kind(plural), "a", "default", body={"propagationPolicy": "Background"})
        assert await api.names(kind(plural)) == []


async def test_a_signing_request_says_who_asked_for_it_and_stays_as_it_was(api: Any) -> None:
    """Signers put that name's word against the request; nobody may claim another's."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bob")])
    )
    pem = asked.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    spec = {
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "request": base64.b64encode(pem).decode(),
        "username": "somebody-else",
    }
    requests = kind("certificatesigningrequests")
    made = await api.create(requests, {"metadata": {"name": "bob"}, "spec": spec})
    assert made["spec"]["username"] == "tester"
    assert "spec" not in str(made["metadata"].get("managedFields"))
    changed = await api.patch(requests, "bob", {"spec": {"usages": ["server auth"], "username": "eve"}})
    assert changed["spec"] == made["spec"]


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
