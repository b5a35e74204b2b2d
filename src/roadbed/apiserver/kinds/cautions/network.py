"""What is said about services, where they end, and who reaches them. Pure.

Source: k8s.io/kubernetes/pkg/api/service/warnings.go and the strategies of these kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.request import Object
from roadbed.apiserver.kinds.judging.findings import items, part

from . import addresses

_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_INGRESS_CLASS: Final = "kubernetes.io/ingress.class"
# Who writes right addresses only, by the label that says so.
_ENDPOINTS: Final = ("endpoints.kubernetes.io/managed-by", ("endpoint-controller",))
_SLICES: Final = (
    "endpointslice.kubernetes.io/managed-by",
    ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"),
)


def service(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a service."""
    del old
    spec = part(obj, "spec")
    if _HINTS in (obj["metadata"].get("annotations") or {}):
        yield f"annotation {_HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead"
    if spec.get("clusterIP") not in (None, "", "None"):
        for at, each in items(spec, "clusterIPs", "spec"):
            yield from addresses.address(at, each)
    if spec.get("type") == "ClusterIP" and spec.get("clusterIP") == "None":
        yield from _headless(spec)
    for at, each in items(spec, "externalIPs", "spec"):
        yield from addresses.address(at, each)
    if spec.get("loadBalancerIP"):
        yield from addresses.address("spec.loadBalancerIP", spec["loadBalancerIP"])
    for at, each in items(spec, "loadBalancerSourceRanges", "spec"):
        yield from addresses.cidr(at, each)
    if spec.get("type") == "ExternalName":
        if spec.get("externalIPs"):
            yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    elif spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'


def _headless(spec: dict[str, Any]) -> Iterator[str]:
    if spec.get("loadBalancerIP"):
        yield "spec.loadBalancerIP is ignored for headless services"
    if spec.get("externalIPs"):
        yield "spec.externalIPs is ignored for headless services"
    if spec.get("sessionAffinity") != "None":
        yield "spec.SessionAffinity is ignored for headless services"


def ingress(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of a new ingress that names its class as they did before there was a field."""
    has_annotation = _INGRESS_CLASS in (obj["metadata"].get("annotations") or {})
    if old is None and has_annotation and part(obj, "spec").get("ingressClassName") is None:
        shown = go_quote(_INGRESS_CLASS)
        yield f"annotation {shown} is deprecated, please use 'spec.ingressClassName' instead"


def network_policy(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of the ranges of a policy."""
    del old
    for member, peers in (("ingress", "from"), ("egress", "to")):
        for path, rule in items(part(obj, "spec"), member, "spec"):
            for at, peer in items(rule, peers, path):
                block = peer.get("ipBlock")
                if block is None:
                    continue
                yield from addresses.cidr(f"{at}.ipBlock.cidr", block.get("cidr") or "")
                for place, each in items(block, "except", f"{at}.ipBlock"):
                    yield from addresses.cidr(place, each)


def endpoints(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of addresses where a service ends."""
    del old
    for path, subset in () if _is_managed(obj, _ENDPOINTS) else items(obj, "subsets"):
        for member in ("addresses", "notReadyAddresses"):
            for at, each in items(subset, member, path):
                yield from addresses.address(f"{at}.ip", each.get("ip") or "")


def endpoint_slice(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of addresses where a service ends, and of names in their place."""
    if old is None and obj.get("addressType") == "FQDN":
        yield "spec.addressType: FQDN endpoints are deprecated"
    for path, each in () if _is_managed(obj, _SLICES) else items(obj, "endpoints"):
        for at, found in items(each, "addresses", path):
            yield from addresses.address(at, found)


def _is_managed(obj: Object, by: tuple[str, tuple[str, ...]]) -> bool:
    return (obj["metadata"].get("labels") or {}).get(by[0]) in by[1]
