"""What is said about addresses and ranges of addresses that are valid, and not as they should be. Pure.

Source: GetWarningsForIP and GetWarningsForCIDR in k8s.io/apimachinery/pkg/util/validation/ip.go.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from roadbed.apimachinery.causes import go_quote
from roadbed.apiserver.kinds.judging.endpoints import lenient

_LATER: Final = "will be considered invalid in a future Kubernetes release: use"


def address(path: str, text: str) -> Iterator[str]:
    """Warn of an address with leading zeros, of IPv4 in IPv6, and of IPv6 that is not canonical."""
    found, is_standard = lenient(text)
    if found is None:
        return
    if not is_standard:
        yield f"{path}: non-standard IP address {go_quote(text)} {_LATER} {go_quote(str(found))}"
    elif found.version == 6 and str(found) != text:
        canonical = go_quote(str(found))
        yield f"{path}: IPv6 address {go_quote(text)} should be in RFC 5952 canonical format ({canonical})"


def cidr(path: str, text: str) -> Iterator[str]:
    """Warn of a range with bits beyond its prefix, and of one that is not written as it should be."""
    base, _, bits = text.partition("/")
    found, is_standard = lenient(base)
    if found is None or not bits.isdecimal() or int(bits) > (128 if ":" in base else found.max_prefixlen):
        return
    length = int(bits) - (96 if ":" in base and found.version == 4 else 0)
    if length < 0:
        return
    network = ipaddress.ip_network((found, length), strict=False)
    told = False
    if network.network_address != found:
        shown, single = go_quote(str(network)), go_quote(f"{found}/{found.max_prefixlen}")
        yield f"{path}: CIDR value {go_quote(text)} is ambiguous in this context (should be {shown} or {single}?)"
        told = True
    if not is_standard or bits != str(int(bits)):
        yield f"{path}: non-standard CIDR value {go_quote(text)} {_LATER} {go_quote(str(network))}"
        told = True
    if not told and found.version == 6 and f"{found}/{length}" != text:
        canonical = go_quote(f"{found}/{length}")
        yield f"{path}: IPv6 CIDR value {go_quote(text)} should be in RFC 5952 canonical format ({canonical})"
