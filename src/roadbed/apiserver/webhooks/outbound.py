"""Where the API server may connect to: never a link-local or metadata address, whatever a name resolves to.

Used by ``caller`` before every connection. The address that was checked is the one connected to, so a name that
resolves differently a moment later gains nothing. Loopback and private networks are allowed: webhooks live there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Metadata services of clouds that are not link-local: AWS over IPv6, Alibaba, Oracle, and Azure's wire server.
_METADATA: Final = frozenset(
    ipaddress.ip_address(each)
    for each in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(Exception):
    """The address is one that no webhook can have."""


def check(address: Address) -> None:
    """Return when the address may be connected to.

    Raises:
        ForbiddenAddressError: it is link-local, a cloud's metadata service, multicast or unspecified.
    """
    meant = _meant(address)
    if meant.is_link_local or meant in _METADATA or meant.is_multicast or meant.is_unspecified:
        raise ForbiddenAddressError(
            f"connecting to {address} is not allowed: link-local, metadata, multicast and unspecified addresses "
            "are never webhooks; use another address"
        )


async def resolve(host: str, port: int) -> list[str]:
    """Give the addresses of a host that may be connected to, in the order to try them.

    Raises:
        ForbiddenAddressError: an address of it is not allowed.
        socket.gaierror: there is no such host.
    """
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    else:
        addresses = [str(literal)]
    for each in addresses:
        check(ipaddress.ip_address(each))
    return addresses


def _meant(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address stands for, or the address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
