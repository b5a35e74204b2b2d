"""What makes the ends of services invalid: addresses, their names, ports and hints. Pure.

Source: validateEndpointSubsets and ValidateEndpointIP in k8s.io/kubernetes/pkg/apis/core/validation/validation.go;
k8s.io/kubernetes/pkg/apis/discovery/validation/validation.go.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final

from roadbed.apimachinery.causes import duplicate, invalid_value, not_supported, required, too_many
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    dns_label_errors,
    dns_subdomain_errors,
    label_key_errors,
    label_value_errors,
)
from roadbed.apimachinery.request import Object

from .addresses import address_name_errors
from .findings import PROTOCOLS, items, named, one_of, part, port, unchanged

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NO_ADDRESS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_MAX_ENDPOINTS, _MAX_ADDRESSES, _MAX_PORTS, _MAX_HINTS = 1000, 100, 20_000, 8
_LABELS: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ZEROS: Final = re.compile(r"(?<![0-9a-fA-F:])0+(?=\d)")
_LOCAL_MULTICAST: Final[dict[int, Any]] = {
    4: ipaddress.ip_network("224.0.0.0/24"),
    6: ipaddress.ip_network("ff02::/16"),
}


def lenient(text: str) -> tuple[Address | None, bool]:
    """Give an address as old fields take it, IPv4 in IPv6 as IPv4, and whether strict readers take it, too."""
    plain = _ZEROS.sub("", text) if "." in text else text
    try:
        found: Address = ipaddress.ip_address(plain)
    except ValueError:
        return None, False
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return inner or found, inner is None and plain == text


def reachable(text: str, path: str) -> Iterator[Cause]:
    """Refuse an address that is none, or that nothing from elsewhere can end at."""
    address, _ = lenient(text)
    if address is None:
        yield invalid_value(path, text, NO_ADDRESS)
        return
    if address.is_unspecified:
        yield invalid_value(path, text, f"may not be unspecified ({text})")
    if address.is_loopback:
        yield invalid_value(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield invalid_value(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address in _LOCAL_MULTICAST[address.version]:
        yield invalid_value(
            path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        )


def endpoints(obj: Object, old: Object | None) -> list[Cause]:
    """Judge an Endpoints."""
    del old
    causes: list[Cause] = []
    for path, subset in items(obj, "subsets"):
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for member in ("addresses", "notReadyAddresses"):
            for at, each in items(subset, member, path):
                causes += _named_address(each, at)
        ports = list(items(subset, "ports", path))
        for at, each in ports:
            causes += _port(each, at, needs_name=len(ports) > 1)
    return causes


def _named_address(address: dict[str, Any], path: str) -> Iterator[Cause]:
    if address.get("hostname"):
        yield from named(address["hostname"], f"{path}.hostname", dns_label_errors)
    if address.get("nodeName") is not None:
        yield from named(address["nodeName"], f"{path}.nodeName", dns_subdomain_errors)
    text = str(address.get("ip") or "")
    yield from reachable(text, f"{path}.ip")
    if lenient(text)[0] is None:  # looked at twice
        yield invalid_value(f"{path}.ip", text, "must be a valid IP address")


def _port(found: dict[str, Any], path: str, *, needs_name: bool) -> Iterator[Cause]:
    name = found.get("name") or ""
    if needs_name and not name:
        yield required(f"{path}.name")
    elif name:
        yield from named(name, f"{path}.name", dns_label_errors)
    yield from port(found.get("port") or 0, f"{path}.port")
    yield from one_of(found, path, "protocol", PROTOCOLS)
    if found.get("appProtocol") is not None:
        yield from named(found["appProtocol"], f"{path}.appProtocol", label_key_errors)


def endpoint_slice(obj: Object, old: Object | None) -> list[Cause]:
    """Judge an EndpointSlice; endpoints that were wrong before may stay."""
    kind = str(obj.get("addressType") or "")
    causes = unchanged(obj, old, "addressType")
    if not kind:
        causes.append(required("addressType"))
    elif kind not in _JUDGED:
        causes.append(not_supported("addressType", kind, sorted(_JUDGED)))
    ports = obj.get("ports") or ()
    if len(ports) > _MAX_PORTS:
        causes.append(too_many("ports", len(ports), _MAX_PORTS))
    else:
        causes += _slice_ports(obj)
    if old is None or obj.get("endpoints") != old.get("endpoints"):
        causes += _ends(obj, kind)
    return causes


def _slice_ports(obj: Object) -> Iterator[Cause]:
    seen: set[str] = set()
    for path, each in items(obj, "ports"):
        name = each.get("name") or ""
        yield from named(name, f"{path}.name", dns_label_errors) if name else ()
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        yield from one_of(each, path, "protocol", PROTOCOLS)
        if each.get("appProtocol") is not None:
            yield from named(each["appProtocol"], f"{path}.appProtocol", label_key_errors)


def _ends(obj: Object, kind: str) -> Iterator[Cause]:
    found = list(items(obj, "endpoints"))
    if len(found) > _MAX_ENDPOINTS:
        yield too_many("endpoints", len(found), _MAX_ENDPOINTS)
        return
    for path, each in found:
        addresses = each.get("addresses") or ()
        if not addresses:
            yield required(f"{path}.addresses", "must contain at least 1 address")
        if len(addresses) > _MAX_ADDRESSES:
            yield too_many(f"{path}.addresses", len(addresses), _MAX_ADDRESSES)
        for number, address in enumerate(addresses):
            yield from _end(kind, address, f"{path}.addresses", number)
        if each.get("nodeName") is not None:
            yield from named(each["nodeName"], f"{path}.nodeName", dns_subdomain_errors)
        if each.get("hostname") is not None:
            yield from named(each["hostname"], f"{path}.hostname", dns_label_errors)
        for member, rule in (("forZones", label_value_errors), ("forNodes", dns_subdomain_errors)):
            yield from _hints(part(each, "hints"), member, rule, f"{path}.hints")


def _end(kind: str, text: str, path: str, number: int) -> Iterator[Cause]:
    """Judge an address as the type of its slice has it; one of the other family is told of at the list."""
    at = f"{path}[{number}]"
    if kind == "FQDN":
        yield from _domain(text, at)
        return
    address, is_strict = lenient(text)
    if kind == "IPv4" and address is None:
        yield invalid_value(at, text, NO_ADDRESS)
    elif kind == "IPv6" and (address is None or not is_strict or str(address) != text):
        yield from _not_canonical(text, at)
    elif address is not None and kind in _JUDGED:
        if kind != f"IPv{address.version}":
            yield invalid_value(path, text, f"must be an {kind} address")
        yield from reachable(text, at)


def _not_canonical(text: str, path: str) -> Iterator[Cause]:
    address, is_strict = lenient(text)
    if address is not None and not is_strict and ":" in text:
        yield invalid_value(path, text, "must not be an IPv4-mapped IPv6 address")
    else:
        yield from named(text, path, address_name_errors)


def _domain(text: str, path: str) -> Iterator[Cause]:
    if not text:
        yield required(path)
        return
    name = text.removesuffix(".")
    errors = dns_subdomain_errors(name)
    if errors:
        yield from (invalid_value(path, name, error) for error in errors)
    elif name.count(".") < 1:
        yield invalid_value(path, name, "should be a domain with at least two segments separated by dots")
    else:
        for label in name.split("."):
            if len(label) > 63 or not _LABELS.fullmatch(label):
                yield from (invalid_value(path, label, error) for error in dns_label_errors(label))


def _hints(hints: dict[str, Any], member: str, rule: Any, path: str) -> Iterator[Cause]:
    found = list(items(hints, member, path))
    if len(found) > _MAX_HINTS:
        yield too_many(f"{path}.{member}", len(found), _MAX_HINTS)
        return
    seen: set[str] = set()
    for at, each in found:
        name = str(each.get("name") or "")
        if name in seen:
            yield duplicate(f"{at}.name", name)
        seen.add(name)
        yield from named(name, f"{at}.name", rule)


_JUDGED: Final = frozenset(("FQDN", "IPv4", "IPv6"))
