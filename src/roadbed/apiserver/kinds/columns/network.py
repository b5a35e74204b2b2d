"""Cells of services, endpoints and networking. Pure."""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apiserver.columns import Cell

from .cells import MOST_LISTED, NONE, age, at, few, labels, name, of, path, selector_at

_WIDTH = 16  # of load balancers' addresses without -o wide; the server always prints them wide


def _balancer(obj: Object) -> list[str]:
    found = at(obj, "status", "loadBalancer", "ingress", otherwise=())
    return sorted({str(each.get("ip") or each.get("hostname")) for each in found} - {"None"})


def _external(service: Object) -> str:
    spec = service.get("spec") or {}
    given = [str(each) for each in spec.get("externalIPs") or ()]
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(given) or NONE
        case "LoadBalancer":
            return ",".join([*_balancer(service), *given]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return "<unknown>"


def _port(port: dict[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def _ports(service: Object) -> str:
    return ",".join(map(_port, at(service, "spec", "ports", otherwise=()))) or NONE


def _join(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _endpoints(obj: Object) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [str(each.get("ip", "")) for each in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += [_join(each, port.get("port", 0)) for port in ports for each in addresses]
        found += [] if ports else addresses
    return few(found) if found or obj.get("subsets") else NONE


def _slice_ports(obj: Object) -> str:
    return few(
        str(each["port"] if each.get("port") is not None else each.get("name", "*"))
        for each in obj.get("ports") or ()
    )


def _slice_endpoints(obj: Object) -> str:
    return few(address for each in obj.get("endpoints") or () for address in each.get("addresses") or ())


def _hosts(ingress: Object) -> str:
    rules = at(ingress, "spec", "rules", otherwise=())
    found: list[str] = []
    for each in rules:
        if len(found) == MOST_LISTED:
            return f"{','.join(found)} + {len(rules) - MOST_LISTED} more..."
        found += [str(each["host"])] if each.get("host") else []
    return ",".join(found) or "*"


def _parameters(kind: Object) -> str:
    found = at(kind, "spec", "parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") is not None else ""
    return f"{found.get('kind', '')}{group}/{found.get('name', '')}"


def _parent(address: Object) -> str:
    found = at(address, "spec", "parentRef")
    if not found:
        return NONE
    resource = ".".join(filter(None, (found.get("resource", ""), found.get("group", "")))).lower()
    return "/".join(filter(None, (resource, found.get("namespace", ""), found.get("name", ""))))


NETWORK: dict[tuple[str, str], tuple[Cell, ...]] = {
    ("", "services"): (
        name,
        path("spec", "type"),
        of(lambda obj: at(obj, "spec", "clusterIP") or NONE),
        of(_external),
        of(_ports),
        age,
        of(lambda obj: labels(at(obj, "spec", "selector"))),
    ),
    ("", "endpoints"): (name, of(_endpoints), age),
    ("discovery.k8s.io", "endpointslices"): (
        name,
        path("addressType"),
        of(_slice_ports),
        of(_slice_endpoints),
        age,
    ),
    ("networking.k8s.io", "ingresses"): (
        name,
        of(lambda obj: at(obj, "spec", "ingressClassName", otherwise=NONE)),
        of(_hosts),
        of(lambda obj: ",".join(_balancer(obj))),
        of(lambda obj: "80, 443" if at(obj, "spec", "tls") else "80"),
        age,
    ),
    ("networking.k8s.io", "ingressclasses"): (name, path("spec", "controller"), of(_parameters), age),
    ("networking.k8s.io", "networkpolicies"): (name, selector_at("spec", "podSelector"), age),
    ("networking.k8s.io", "ipaddresses"): (name, of(_parent)),
    ("networking.k8s.io", "servicecidrs"): (
        name,
        of(lambda obj: ",".join(at(obj, "spec", "cidrs", otherwise=()))),
        age,
    ),
}
