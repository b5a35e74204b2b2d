"""What Kubernetes' own plug-ins fill in and refuse; the texts are the real server's."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.gvk import Resource

PODS = Resource("", "v1", "pods", "Pod")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
STORAGE = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass")
PRIORITIES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
INGRESS_CLASSES = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass")
REQUESTS = Resource("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest")
RANGES = Resource("", "v1", "limitranges", "LimitRange")


async def make(api: Any, resource: Resource, name: str, **members: Any) -> Any:
    meta = {"name": name, **members.pop("metadata", {})}
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **members}
    namespace = "default" if resource in (PODS, CLAIMS, INGRESSES, RANGES) else ""
    return await api.ask("create", resource, namespace=namespace, body=body)


async def pod(api: Any, name: str = "p", **spec: Any) -> Any:
    resources = spec.pop("resources", {})
    containers = [{"name": "c", "image": "i", "resources": resources}]
    return await make(api, PODS, name, spec={"containers": containers, **spec})


async def test_a_pod_gets_priority_and_tolerations(api: Any) -> None:
    spec = (await pod(api))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [each["key"] for each in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert {each["tolerationSeconds"] for each in spec["tolerations"]} == {300}


async def test_a_pod_gets_the_priority_of_its_class_or_of_the_default_one(api: Any) -> None:
    with pytest.raises(
        ForbiddenError, match='pods "p" is forbidden: no PriorityClass with name high was found'
    ):
        await pod(api, priorityClassName="high")
    await make(api, PRIORITIES, "high", value=1000, preemptionPolicy="Never")
    spec = (await pod(api, "a", priorityClassName="high"))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    await make(api, PRIORITIES, "usual", value=5, globalDefault=True)
    spec = (await pod(api, "b"))["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (5, "usual")
    with pytest.raises(ForbiddenError, match=r"the integer value of priority \(7\) must not be provided"):
        await pod(api, "c", priority=7)
    with pytest.raises(ForbiddenError, match="PriorityClass usual is already marked as default"):
        await make(api, PRIORITIES, "other", value=6, globalDefault=True)


async def test_claims_and_ingresses_get_the_default_class_unless_they_name_one(api: Any) -> None:
    def marked(group: str) -> dict[str, Any]:
        return {"annotations": {f"{group}.kubernetes.io/is-default-class": "true"}}

    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = await make(api, CLAIMS, "before", spec=claim)
    assert "storageClassName" not in made["spec"]
    await make(api, STORAGE, "plain", provisioner="x.org/y")
    await make(api, STORAGE, "gold", provisioner="x.org/y", metadata=marked("storageclass"))
    made = await make(api, CLAIMS, "a", spec=claim)
    assert made["spec"]["storageClassName"] == "gold"
    made = await make(api, CLAIMS, "b", spec={**claim, "storageClassName": ""})
    assert made["spec"]["storageClassName"] == ""
    controller = {"controller": "x.org/y"}
    await make(api, INGRESS_CLASSES, "front", spec=controller, metadata=marked("ingressclass"))
    backend = {"service": {"name": "s", "port": {"number": 1}}}
    made = await make(api, INGRESSES, "i", spec={"defaultBackend": backend})
    assert made["spec"]["ingressClassName"] == "front"


async def test_containers_get_what_the_limit_range_gives_and_are_held_to_it(api: Any) -> None:
    limit = {
        "type": "Container",
        "default": {"cpu": "500m"},
        "defaultRequest": {"cpu": "100m"},
        "max": {"cpu": "1"},
        "min": {"cpu": "50m"},
    }
    await make(api, RANGES, "limits", spec={"limits": [limit]})
    made = await pod(api)
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m"},
        "requests": {"cpu": "100m"},
    }
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    }
    with pytest.raises(ForbiddenError) as refused:
        await pod(api, "q", resources={"limits": {"cpu": "2"}, "requests": {"cpu": "10m"}})
    assert refused.value.message == (
        'pods "q" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, maximum cpu usage per '
        "Container is 1, but limit is 2]"
    )


async def test_claims_are_held_to_their_limits(api: Any) -> None:
    limit = {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}}
    await make(api, RANGES, "limits", spec={"limits": [limit]})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}
    with pytest.raises(
        ForbiddenError, match="maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    ):
        await make(api, CLAIMS, "c", spec=claim)


async def test_nobody_asks_for_a_certificate_of_system_masters(api: Any) -> None:
    def asked(group: str) -> dict[str, Any]:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "me"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, group),
            ]
        )
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        pem = signed.public_bytes(serialization.Encoding.PEM)
        return {
            "request": base64.b64encode(pem).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        }

    await make(api, REQUESTS, "fine", spec=asked("devs"))
    with pytest.raises(ForbiddenError, match="signer with system:masters group is not allowed"):
        await make(api, REQUESTS, "root", spec=asked("system:masters"))
