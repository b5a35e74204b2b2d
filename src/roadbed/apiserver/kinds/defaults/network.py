"""Defaults of services and networking. Pure.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go (services), networking/v1 and discovery/v1.
"""

from __future__ import annotations

from typing import Any

from .filling import Rule, fill

_AFFINITY_S = 10_800
_EXTERNAL = ("NodePort", "LoadBalancer")


def _service(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    fill(sessionAffinity="None", type="ClusterIP")(spec)
    _affinity(spec)
    for port in spec.get("ports") or ():
        fill(protocol="TCP")(port)
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    kind = spec["type"]
    if kind in _EXTERNAL or (kind == "ClusterIP" and spec.get("externalIPs")):
        fill(externalTrafficPolicy="Cluster")(spec)
    if kind in (*_EXTERNAL, "ClusterIP"):
        fill(internalTrafficPolicy="Cluster")(spec)
    if kind == "LoadBalancer":
        fill(allocateLoadBalancerNodePorts=True)(spec)
        balancer = (value.get("status") or {}).get("loadBalancer") or {}
        for ingress in balancer.get("ingress") or ():
            if ingress.get("ip"):
                fill(ipMode="VIP")(ingress)


def _affinity(spec: dict[str, Any]) -> None:
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_S}}


def _policy(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _endpoint_port(value: dict[str, Any]) -> None:
    value.setdefault("name", "")
    value.setdefault("protocol", "TCP")


NETWORK: dict[str, Rule] = {
    "core.v1.Service": _service,
    "core.v1.EndpointPort": fill(protocol="TCP"),
    "networking.v1.NetworkPolicy": _policy,
    "networking.v1.NetworkPolicyPort": fill(protocol="TCP"),
    "networking.v1.IngressClassParametersReference": fill(scope="Cluster"),
    "discovery.v1.EndpointPort": _endpoint_port,
}
