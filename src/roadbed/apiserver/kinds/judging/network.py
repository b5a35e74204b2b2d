"""What makes ingresses and network policies invalid. Pure.

Source: k8s.io/kubernetes/pkg/apis/networking/validation/validation.go.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns_subdomain_errors
from roadbed.apimachinery.request import Object

from .endpoints import lenient
from .findings import (
    PROTOCOLS,
    items,
    label_selector,
    named,
    needed,
    one_of,
    part,
    port,
    port_or_name,
    unchanged,
)

_WILDCARD_FMT = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_WILDCARD_TEXT = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    f"regex used for validation is '{_WILDCARD_FMT}')"
)
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def ingress(obj: Object, old: Object | None) -> list[Cause]:
    """Judge an Ingress."""
    del old
    spec = part(obj, "spec")
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        text = "either `defaultBackend` or `rules` must be specified"
        return [invalid_value("spec", None, text)]
    causes: list[Cause] = []
    if spec.get("defaultBackend") is not None:
        causes += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for at, rule in items(spec, "rules", "spec"):
        causes += _host(str(rule.get("host") or ""), f"{at}.host")
        if rule.get("http") is not None:
            if not rule["http"].get("paths"):
                causes.append(required(f"{at}.http.paths"))
            for where, path in items(rule["http"], "paths", f"{at}.http"):
                causes += _path(path, where)
    return causes


def _host(host: str, path: str) -> list[Cause]:
    if not host:
        return []
    if _is_address(host):
        return [invalid_value(path, host, "must be a DNS name, not an IP address")]
    if "*" in host:
        return [] if re.fullmatch(_WILDCARD_FMT, host) else [invalid_value(path, host, _WILDCARD_TEXT)]
    return named(host, path, dns_subdomain_errors)


def _path(path: dict[str, Any], at: str) -> list[Cause]:
    kind = path.get("pathType")
    if not kind:
        return [required(f"{at}.pathType", "pathType must be specified")]
    causes = one_of(path, at, "pathType", _PATH_TYPES)
    text = str(path.get("path") or "")
    if kind in ("Exact", "Prefix") and not text.startswith("/"):
        causes.append(invalid_value(f"{at}.path", text, "must be an absolute path"))
    return [*causes, *_backend(part(path, "backend"), f"{at}.backend")]


def _backend(backend: dict[str, Any], path: str) -> list[Cause]:
    chosen, other = backend.get("service"), backend.get("resource")
    if other is not None and chosen is not None:
        return [invalid_value(path, "", "cannot set both resource and service backends")]
    if other is not None:
        return []
    if chosen is None:
        return [invalid_value(path, "", "resource or service backend is required")] if not backend else []
    causes = needed(chosen, f"{path}.service", "name")
    given = part(chosen, "port")
    if not given.get("name") and not given.get("number"):
        causes.append(required(f"{path}", "port name or number is required"))
    elif given.get("number"):
        causes += port(given["number"], f"{path}.service.port.number")
    return causes


def ingress_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge an IngressClass."""
    spec = part(obj, "spec")
    return [*unchanged(obj, old, "spec.controller"), *needed(spec, "spec", "controller")]


def network_policy(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a NetworkPolicy."""
    del old
    spec = part(obj, "spec")
    causes = label_selector(spec.get("podSelector"), "spec.podSelector")
    for member, peers in (("ingress", "from"), ("egress", "to")):
        for at, rule in items(spec, member, "spec"):
            for where, each in items(rule, "ports", at):
                causes += one_of(each, where, "protocol", PROTOCOLS, shown=PROTOCOLS)
                causes += _policy_port(each, where)
            for where, peer in items(rule, peers, at):
                causes += _peer(peer, where)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        return [
            *causes,
            invalid_value("spec.policyTypes", types, "may not specify more than two policyTypes"),
        ]
    known = ("Ingress", "Egress")
    for index, each in enumerate(types):
        if each not in known:
            causes.append(not_supported(f"spec.policyTypes[{index}]", each, known))
    return causes


def _policy_port(found: dict[str, Any], path: str) -> list[Cause]:
    first, last = found.get("port"), found.get("endPort")
    causes = port_or_name(first, f"{path}.port")
    if last is None:
        return causes
    if not isinstance(first, int):
        state = "not specified" if first is None else "non-numeric"
        text = f"may not be specified when `port` is {state}"
        return [*causes, invalid_value(f"{path}.endPort", last, text)]
    if last < first:
        text = "must be greater than or equal to `port`"
        causes.append(invalid_value(f"{path}.endPort", first, text))
    return [*causes, *port(last, f"{path}.endPort")]


def _peer(peer: dict[str, Any], path: str) -> list[Cause]:
    if not peer:
        return [required(path, "must specify a peer")]
    causes = label_selector(peer.get("podSelector"), f"{path}.podSelector")
    causes += label_selector(peer.get("namespaceSelector"), f"{path}.namespaceSelector")
    block = peer.get("ipBlock")
    if block is None:
        return causes
    if len(peer) > 1:
        return [forbidden(path, "may not specify both ipBlock and another peer")]
    base, _, bits = str(block.get("cidr", "")).partition("/")
    address, _ = lenient(base)
    if address is None or not bits.isdecimal() or int(bits) > (128 if ":" in base else 32):
        text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        return [invalid_value(f"{path}.ipBlock.cidr", block.get("cidr", ""), text)]
    return []
