"""What makes a Service invalid: its addresses, ports, affinity, policies, and what of them may change. Pure.

``addressed`` is asked first, by the strategy, before addresses and ports are allocated: where it finds something,
Kubernetes tells nothing else. ``judge`` is asked of the complete service.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (``validateService`` and what it calls).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

from roadbed.apimachinery.causes import duplicate, forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    dns_label_errors,
    dns_subdomain_errors,
    label_key_errors,
    validate_labels,
)
from roadbed.apimachinery.request import Object

from .endpoints import NO_ADDRESS, lenient, reachable
from .findings import PROTOCOLS, duplicate_struct, items, named, one_of, part, port, port_or_name

_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_FAMILIES: Final = ("IPv4", "IPv6")
_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_TRAFFIC: Final = ("Cluster", "Local")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_ALONE: Final = "may not be set for ExternalName services"
_BALANCED: Final = "may only be used when `type` is 'LoadBalancer'"
_NO_RANGE: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_FIXED: Final = "may not change once set"
_MOST_AFFINITY_S: Final = 86_400


def judge(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a Service."""
    return list(_judge(part(obj, "spec"), None if old is None else part(old, "spec")))


def _judge(spec: dict[str, Any], before: dict[str, Any] | None) -> Iterator[Cause]:
    kind = spec.get("type")
    if before is not None:
        yield from _kept(spec, before)
    if not spec.get("ports") and not _is_headless(spec) and kind != "ExternalName":
        yield required("spec.ports")
    if _is_headless(spec) and kind in ("LoadBalancer", "NodePort"):
        yield invalid_value("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        yield from _external_name(spec)
    yield from _ports(spec)
    yield from validate_labels(spec.get("selector") or {}, "spec.selector")
    yield from _affinity(spec)
    yield from _addresses(spec, before or {})
    for index, each in enumerate(spec.get("externalIPs") or ()):
        yield from reachable(str(each), f"spec.externalIPs[{index}]")
    yield from one_of(spec, "spec", "type", _TYPES)
    yield from _node_ports(spec)
    yield from _doubled(spec)
    yield from _balancer(spec, before)
    yield from _traffic(spec)


def _is_headless(spec: dict[str, Any]) -> bool:
    return spec.get("clusterIP") == "None"


def _external_name(spec: dict[str, Any]) -> Iterator[Cause]:
    for member in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(member):
            yield forbidden(f"spec.{member}", _ALONE)
    name = str(spec.get("externalName") or "").removesuffix(".")
    yield from (
        named(name, "spec.externalName", dns_subdomain_errors) if name else [required("spec.externalName")]
    )


def _ports(spec: dict[str, Any]) -> Iterator[Cause]:
    found = spec.get("ports") or []
    names: set[str] = set()
    for at, each in items(spec, "ports", "spec"):
        name = str(each.get("name") or "")
        if name:
            yield from named(name, f"{at}.name", dns_label_errors)
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        elif len(found) > 1:
            yield required(f"{at}.name")
        yield from port(each.get("port", 0), f"{at}.port")
        yield from one_of(each, at, "protocol", PROTOCOLS, shown=sorted(PROTOCOLS))
        yield from port_or_name(each.get("targetPort"), f"{at}.targetPort")
        if each.get("appProtocol") is not None:
            yield from named(str(each["appProtocol"]), f"{at}.appProtocol", label_key_errors)


def _doubled(spec: dict[str, Any]) -> Iterator[Cause]:
    pairs: set[tuple[Any, Any]] = set()
    for at, each in items(spec, "ports", "spec"):
        pair = (each.get("protocol"), each.get("port"))
        if pair in pairs:
            yield duplicate_struct(at, _PORT | {"Protocol": pair[0], "Port": pair[1]})
        pairs.add(pair)


_PORT: Final = {"Name": "", "Protocol": "", "AppProtocol": None, "Port": 0, "TargetPort": 0, "NodePort": 0}


def _affinity(spec: dict[str, Any]) -> Iterator[Cause]:
    chosen, config, path = (
        spec.get("sessionAffinity"),
        spec.get("sessionAffinityConfig"),
        "spec.sessionAffinityConfig",
    )
    yield from one_of(spec, "spec", "sessionAffinity", ("ClientIP", "None"))
    if chosen == "None" and config is not None:
        yield forbidden(path, "must not be set when session affinity is None")
    if chosen == "ClientIP":
        time_s = part(config, "clientIP").get("timeoutSeconds")
        if isinstance(time_s, int) and not 0 < time_s <= _MOST_AFFINITY_S:
            text = f"must be greater than 0 and less than {_MOST_AFFINITY_S}"
            yield invalid_value(f"{path}.clientIP.timeoutSeconds", time_s, text)


def addressed(obj: Object) -> list[Cause]:
    """Judge what a service says of its addresses by itself, before any are allocated."""
    return list(_addresses(part(obj, "spec"), {}))


def _addresses(spec: dict[str, Any], before: dict[str, Any]) -> Iterator[Cause]:
    if spec.get("type") == "ExternalName":
        return
    path, found = "spec.clusterIPs", spec.get("clusterIPs") or []
    if spec.get("clusterIP"):
        if not found:
            yield required(path)
        elif found[0] != spec["clusterIP"]:
            yield invalid_value(path, found, "first value must match `clusterIP`")
    elif found:
        yield invalid_value(path, found, "must be empty when `clusterIP` is not specified")
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            yield not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    yield from one_of(spec, "spec", "ipFamilyPolicy", _POLICIES)
    wrong = list(_malformed(found, before.get("clusterIPs") or ()))
    yield from wrong
    if len(found) > 2:
        yield invalid_value(path, found, "may only hold up to 2 values")
    if not wrong and not _is_headless(spec):
        yield from _stacked(found, families)


def _malformed(found: list[Any], before: Any) -> Iterator[Cause]:
    for index, each in enumerate(found):
        if index == 0 and each == "None":
            if len(found) > 1:
                yield invalid_value("spec.clusterIPs", found, "'None' must be the first and only value")
        elif each not in before and _version(str(each)) == 0:
            yield invalid_value(f"spec.clusterIPs[{index}]", each, NO_ADDRESS)


def _stacked(found: list[Any], families: list[Any]) -> Iterator[Cause]:
    versions = [_version(str(each)) for each in found]
    if len(found) > 1 and set(versions) != {4, 6}:
        yield invalid_value("spec.clusterIPs", found, "may specify no more than one IP for each IP family")
    for index, (each, family) in enumerate(zip(found, families, strict=False)):
        if family in _FAMILIES and family != f"IPv{versions[index]}":
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid_value(f"spec.clusterIPs[{index}]", each, text)


def _version(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def _node_ports(spec: dict[str, Any]) -> Iterator[Cause]:
    seen = set()
    for at, each in items(spec, "ports", "spec"):
        if not each.get("nodePort"):
            continue
        if spec.get("type") == "ClusterIP":
            yield forbidden(f"{at}.nodePort", "may not be used when `type` is 'ClusterIP'")
        if (each.get("protocol"), each["nodePort"]) in seen:
            yield duplicate(f"{at}.nodePort", each["nodePort"])
        seen.add((each.get("protocol"), each["nodePort"]))


def _balancer(spec: dict[str, Any], before: dict[str, Any] | None) -> Iterator[Cause]:
    is_balancer = spec.get("type") == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or ()
    if ranges and not is_balancer:
        yield forbidden("spec.LoadBalancerSourceRanges", _BALANCED)
    for index, each in enumerate(ranges):
        text = str(each).strip()
        base, _, bits = text.partition("/")
        is_range = lenient(base)[0] is not None and bits.isdecimal()
        if not is_range or int(bits) > (128 if ":" in base else 32):
            yield invalid_value(f"spec.LoadBalancerSourceRanges[{index}]", text, _NO_RANGE)
    if spec.get("allocateLoadBalancerNodePorts") is not None and not is_balancer:
        yield forbidden("spec.allocateLoadBalancerNodePorts", _BALANCED)
    chosen = spec.get("loadBalancerClass")
    was_balancer = before is not None and before.get("type") == "LoadBalancer"
    if before is not None and is_balancer and was_balancer and chosen != before.get("loadBalancerClass"):
        yield invalid_value("spec.loadBalancerClass", chosen, _FIXED)
    if chosen is not None and not is_balancer:
        yield forbidden("spec.loadBalancerClass", _BALANCED)
    elif chosen is not None:
        yield from named(str(chosen), "spec.loadBalancerClass", label_key_errors)


def is_reached_from_outside(spec: dict[str, Any]) -> bool:
    """Say whether a service is reached from outside of the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def is_checked(spec: dict[str, Any]) -> bool:
    """Say whether a service has a port at which its nodes are asked for their health."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _traffic(spec: dict[str, Any]) -> Iterator[Cause]:
    policy, health = spec.get("externalTrafficPolicy"), spec.get("healthCheckNodePort")
    if is_reached_from_outside(spec):
        yield from one_of(spec, "spec", "externalTrafficPolicy", _TRAFFIC)
    elif policy:
        yield invalid_value(
            "spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services"
        )
    if health and not is_checked(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid_value("spec.healthCheckNodePort", health, text)
    elif health:
        yield from port(health, "spec.healthCheckNodePort")
    yield from one_of(spec, "spec", "internalTrafficPolicy", _TRAFFIC)
    yield from one_of(spec, "spec", "trafficDistribution", _DISTRIBUTIONS, shown=_DISTRIBUTIONS)


def _kept(spec: dict[str, Any], before: dict[str, Any]) -> Iterator[Cause]:
    """Hold a service to the addresses, families and port of health that it has."""
    if (
        is_checked(before)
        and is_checked(spec)
        and spec.get("healthCheckNodePort") != before.get("healthCheckNodePort")
    ):
        yield forbidden("spec.healthCheckNodePort", "field is immutable")
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return
    if not (_is_headless(spec) and _is_headless(before)):
        yield from _first_kept(spec, before, "clusterIPs", "clusterIP")
    if not _is_headless(spec) and not _is_headless(before):
        yield from _first_kept(spec, before, "ipFamilies", "ipFamily")


def _first_kept(spec: dict[str, Any], before: dict[str, Any], member: str, word: str) -> Iterator[Cause]:
    now, was = spec.get(member) or [], before.get(member) or []
    shown = now or None
    if len(now) == len(was):
        for index, (one, other) in enumerate(zip(now, was, strict=True)):
            if one != other:
                place = index if member == "clusterIPs" else 0
                yield invalid_value(f"spec.{member}[{place}]", shown, _FIXED)
        return
    if not spec.get("clusterIPs") and len(was) > len(now):
        yield invalid_value(f"spec.{member}[0]", shown, f"primary {word} can not be unset")
    if now and was and now[0] != was[0]:
        yield invalid_value(f"spec.{member}[0]", spec.get("clusterIPs"), _FIXED)
    if len(was) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        text = f"must be set to 'SingleStack' when releasing the secondary {word}"
        yield invalid_value("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), text)
