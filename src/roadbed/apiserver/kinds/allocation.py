"""The addresses of services and the ports of nodes: chosen where nobody asked for one, each given once.

``ServiceStrategy`` asks on every write of a service. What is taken is what stored services say; what was handed
out and is on its way to disk is remembered for the last thousand writes, so that two creates at once differ.
Nothing listens at these addresses: they are data for whoever reads services.

Source: k8s.io/kubernetes/pkg/registry/core/service/{storage/alloc.go,ipallocator,portallocator}.
"""

from __future__ import annotations

import ipaddress
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from roadbed.apimachinery.causes import invalid_value
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object

from .judging.services import is_checked, is_reached_from_outside

Services = Callable[[], Iterable[Object]]
"""Gives every stored service."""

RANGE: Final = ipaddress.IPv4Network("10.0.0.0/16")
PORTS: Final = range(30_000, 32_768)
_RECENT_MAX: Final = 1000
_RESERVED: Final = 10  # the first addresses, which installers give to their own services
_ADDRESSED: Final = ("ClusterIP", "NodePort", "LoadBalancer")
_ADDRESS_MEMBERS: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")


class Allocator:
    """Gives one server's services what they are not given by their authors."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._recent: OrderedDict[str | int, None] = OrderedDict()

    def complete(self, obj: Object, old: Object | None) -> None:
        """Fill in addresses, families and ports of nodes; keep those the service had."""
        spec = obj["spec"]
        before: dict[str, Any] = (old or {}).get("spec") or {}
        if before:
            _let_go(spec, before)
        elif spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]  # of whatever type: it is then judged in its place
        if spec.get("type") not in _ADDRESSED:
            if spec.get("type") == "ExternalName" and before.get("type") in _ADDRESSED:
                for name in _ADDRESS_MEMBERS:
                    spec.pop(name, None)
            return
        if before.get("clusterIP") and not spec.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if spec.get("clusterIPs") and not spec.get("clusterIP"):
            spec["clusterIP"] = spec["clusterIPs"][0]
        if not spec.get("clusterIP"):
            spec["clusterIP"] = self._address()
        if not spec.get("clusterIPs") or before.get("clusterIP") not in (None, spec["clusterIP"]):
            spec["clusterIPs"] = [spec["clusterIP"]]
        if spec["clusterIP"] == "None" and not spec.get("selector") and not before:
            # Nobody but its author knows what is behind it, which may be of either family.
            if spec.get("ipFamilyPolicy") is None and not spec.get("ipFamilies"):
                spec["ipFamilyPolicy"] = "RequireDualStack"
            if spec.get("ipFamilyPolicy") in ("RequireDualStack", "PreferDualStack"):
                spec.setdefault("ipFamilies", ["IPv4", "IPv6"])
        spec.setdefault("ipFamilies", ["IPv6" if ":" in spec["clusterIP"] else "IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        self._ports(spec, before)
        if is_checked(spec) and not spec.get("healthCheckNodePort"):
            kept = before.get("healthCheckNodePort")
            spec["healthCheckNodePort"] = kept or self._port(
                {p for s in self._services() for p in _ports_of(s)}
            )

    def judge(self, obj: Object, old: Object | None) -> list[Cause]:
        """Refuse addresses out of range, and addresses and ports that another service has."""
        spec = obj.get("spec") or {}
        before = (old or {}).get("spec") or {}
        address, causes = spec.get("clusterIP"), []
        if address and address != "None" and address != before.get("clusterIP"):
            problem = self._problem(obj, str(address))
            if problem:
                text = f"failed to allocate IP {address}: {problem}"
                causes.append(invalid_value("spec.clusterIPs", [address], text))
        kept = {each.get("nodePort") for each in before.get("ports") or ()}
        wanted = [
            (index, each["nodePort"])
            for index, each in enumerate(spec.get("ports") or ())
            if each.get("nodePort") and each["nodePort"] not in kept and _has_node_ports(spec)
        ]
        taken = self._taken_ports(obj) if wanted else set()
        for index, port in wanted:
            path = f"spec.ports[{index}].nodePort"
            if port not in PORTS:
                text = f"provided port is not in the valid range. The range of valid ports is {PORTS[0]}-{PORTS[-1]}"
                causes.append(invalid_value(path, port, text))
            elif port in taken:
                causes.append(invalid_value(path, port, "provided port is already allocated"))
        return causes

    def _problem(self, obj: Object, address: str) -> str:
        try:
            is_inside = ipaddress.ip_address(address) in RANGE
        except ValueError:
            return "not a valid IP address"
        if not is_inside:
            return "the provided network does not match the current range"
        if any(_address_of(each) == address for each in self._others(obj)):
            return "provided IP is already allocated"
        return ""

    def _others(self, obj: Object) -> Iterable[Object]:
        named = (obj["metadata"].get("namespace"), obj["metadata"].get("name"))
        return (
            each
            for each in self._services()
            if (each["metadata"].get("namespace"), each["metadata"].get("name")) != named
        )

    def _taken_ports(self, obj: Object) -> set[int]:
        return {port for each in self._others(obj) for port in _ports_of(each)}

    def _address(self) -> str:
        taken = {_address_of(each) for each in self._services()}
        first, size = int(RANGE.network_address), RANGE.num_addresses
        for _ in range(size):
            found = str(ipaddress.IPv4Address(first + random.randrange(_RESERVED, size - 1)))  # noqa: S311
            if found not in taken and found not in self._recent:
                self._hand_out(found)
                return found
        return ""  # the range is used up; the service is refused for want of an address

    def _ports(self, spec: dict[str, Any], before: dict[str, Any]) -> None:
        if not _has_node_ports(spec):
            if before.get("type") in ("NodePort", "LoadBalancer"):
                for each in spec.get("ports") or ():
                    each.pop("nodePort", None)
            return
        had = {(each.get("port"), each.get("protocol")): each for each in before.get("ports") or ()}
        needy = [each for each in spec.get("ports") or () if not each.get("nodePort")]
        if not needy:
            return
        taken = {port for each in self._services() for port in _ports_of(each)}
        for each in needy:
            kept = had.get((each.get("port"), each.get("protocol")), {}).get("nodePort")
            each["nodePort"] = kept or self._port(taken)

    def _port(self, taken: set[int]) -> int:
        free = [port for port in PORTS if port not in taken and port not in self._recent]
        found = random.choice(free) if free else 0  # noqa: S311 - which of the free ones is no secret
        self._hand_out(found)
        return found

    def _hand_out(self, value: str | int) -> None:
        self._recent[value] = None
        while len(self._recent) > _RECENT_MAX:
            self._recent.popitem(last=False)


def _has_node_ports(spec: dict[str, Any]) -> bool:
    is_balancer = spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    return spec["type"] == "NodePort" or is_balancer


def _let_go(spec: dict[str, Any], before: dict[str, Any]) -> None:
    """Drop what a service had for its type before, has no use for now, and whose author left it as it was."""
    gone = []
    if is_reached_from_outside(before) and not is_reached_from_outside(spec):
        gone.append("externalTrafficPolicy")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        gone += ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
    if is_checked(before) and not is_checked(spec):
        gone.append("healthCheckNodePort")
    for member in gone:
        if spec.get(member) == before.get(member):
            spec.pop(member, None)


def _address_of(service: Object) -> str:
    return str((service.get("spec") or {}).get("clusterIP") or "")


def _ports_of(service: Object) -> list[int]:
    spec = service.get("spec") or {}
    found = [each["nodePort"] for each in spec.get("ports") or () if each.get("nodePort")]
    return [*found, *([spec["healthCheckNodePort"]] if spec.get("healthCheckNodePort") else [])]
