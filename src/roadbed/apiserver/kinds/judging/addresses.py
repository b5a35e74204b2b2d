"""What makes addresses, ranges of addresses and runtime classes invalid. Pure.

Source: k8s.io/kubernetes/pkg/apis/networking/validation/validation.go (IPAddress, ServiceCIDR),
k8s.io/apimachinery/pkg/util/validation/ip.go, k8s.io/kubernetes/pkg/apis/node/validation/validation.go.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final

from roadbed.apimachinery.causes import invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    dns_label_errors,
    dns_subdomain_errors,
    label_key_errors,
    path_segment_errors,
)
from roadbed.apimachinery.request import Object

from .findings import invalid_struct, items, part

_LEADING_ZERO: Final = re.compile(r"(^|\.)0\d")
_FAMILIES: Final = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
_FIXED: Final = "field is immutable"


def address_name_errors(name: str) -> list[str]:
    """Check the name of an IPAddress: an address in the one form that there is for it."""
    return _form(name, ipaddress.ip_address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def _form(text: str, read: Callable[[str], Any], problem: str) -> list[str]:
    if _LEADING_ZERO.search(text.partition("/")[0]) and ":" not in text:
        return ["must not have leading 0s"]
    try:
        found = str(read(text))
    except ValueError:
        return [problem]
    return [] if found == text else [f'must be in canonical form ("{found}")']


def ip_address(obj: Object, old: Object | None) -> list[Cause]:
    """Judge an IPAddress."""
    parent, path = part(obj, "spec").get("parentRef"), "spec.parentRef"
    if parent is None:
        return [required(path)]
    causes = [
        invalid_value(f"{path}.group", parent["group"], error)
        for error in (dns_subdomain_errors(parent["group"]) if parent.get("group") else ())
    ]
    for member, is_needed in (("resource", True), ("name", True), ("namespace", False)):
        found = parent.get(member) or ""
        if not found and is_needed:
            causes.append(required(f"{path}.{member}"))
        causes += [invalid_value(f"{path}.{member}", found, error) for error in path_segment_errors(found)]
    if old is not None and parent != part(old, "spec").get("parentRef"):
        members = ("group", "resource", "namespace", "name")
        shown = {member.capitalize(): parent.get(member) or "" for member in members}
        causes.append(invalid_struct(path, shown, _FIXED))
    return causes


def service_cidr(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a ServiceCIDR: its ranges may only be joined by one of the other family."""
    cidrs, path = part(obj, "spec").get("cidrs") or [], "spec.cidrs"
    before = part(old, "spec").get("cidrs") or [] if old is not None else []
    if len(cidrs) < len(before):
        return [invalid_value(path, cidrs, _FIXED)]
    causes = [
        invalid_value(f"{path}[{index}]", now, _FIXED)
        for index, (was, now) in enumerate(zip(before, cidrs, strict=False))
        if was != now
    ]
    return causes or _ranges(cidrs, path)


def _ranges(cidrs: list[str], path: str) -> list[Cause]:
    if not cidrs:
        return [required(path, "at least one CIDR required")]
    if len(cidrs) > 2:
        return [invalid_struct(path, {"CIDRs": cidrs}, "may only hold up to 2 values")]
    causes = []
    families = []
    for index, cidr in enumerate(cidrs):
        errors = _range_errors(cidr)
        causes += [invalid_value(f"{path}[{index}]", cidr, error) for error in errors]
        families.append(":" in cidr)
    if not causes and len(set(families)) < len(families):
        return [invalid_value(path, cidrs, _FAMILIES)]
    return causes


def _range_errors(cidr: str) -> list[str]:
    problem = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    if "/" not in cidr:
        return [problem]
    errors = _form(cidr, ipaddress.ip_interface, problem)
    if not errors and str(ipaddress.ip_interface(cidr).network) != cidr:
        return ["must not have bits set beyond the prefix length"]
    return errors


def runtime_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a RuntimeClass."""
    handler = obj.get("handler") or ""
    if old is not None:
        fixed = [invalid_value("handler", handler, _FIXED)] if handler != old.get("handler") else []
    else:
        fixed = [invalid_value("handler", handler, error) for error in dns_label_errors(handler)]
    return fixed + _overhead(part(obj, "overhead", "podFixed")) + _scheduling(part(obj, "scheduling"))


def _overhead(found: dict[str, Any]) -> list[Cause]:
    return [
        invalid_value(f"overhead.limits[{name}]", str(amount), "must be greater than or equal to 0")
        for name, amount in found.items()
        if str(amount).startswith("-")
    ]


def _scheduling(found: dict[str, Any]) -> list[Cause]:
    causes = [
        invalid_value("scheduling.nodeSelector", key, error)
        for key in found.get("nodeSelector") or ()
        for error in label_key_errors(key)
    ]
    for at, each in items(found, "tolerations", "scheduling"):
        key, operator = each.get("key") or "", each.get("operator") or "Equal"
        causes += [invalid_value(f"{at}.key", key, error) for error in (label_key_errors(key) if key else ())]
        if operator not in ("Equal", "Exists"):
            causes.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
    return causes
