"""From a provider config to what boto3 needs: keys, profile, roles, endpoint.

Pure but for nothing: the caller reads config and Secret. What a config asks for and we do not do is refused by name.
"""

from __future__ import annotations

import configparser
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from roadbed.engines.providers.external import CredentialsError, UnsupportedFieldError

PROFILE = "aws.roadbed.dev/profile"  # annotation: a profile of the process's own AWS configuration
AMBIENT = {"IRSA", "PodIdentity"}


@dataclass(frozen=True, slots=True)
class Keys:
    """Static credentials. Never printed."""

    access_key_id: str
    secret_access_key: str
    session_token: str

    def __repr__(self) -> str:
        """Hide the values: reprs end up in tracebacks."""
        return "Keys(…)"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service's API is, when it is not AWS's own; ``services`` empty means all."""

    url: str = ""
    dynamic_host: str = ""
    protocol: str = "https"
    services: frozenset[str] = frozenset()

    def url_for(self, service: str, region: str) -> str | None:
        """Give the address to use, or None for AWS's own."""
        if self.services and service not in self.services:
            return None
        if self.dynamic_host:
            return f"{self.protocol}://{service}.{region}.{self.dynamic_host}"
        return self.url or None


def parse_keys(text: str, where: str) -> Keys:
    """Read an AWS credentials file's ``[default]`` section; ``where`` names the Secret for messages.

    Raises:
        CredentialsError: it is not such a file, or a key is missing.
    """
    parser = configparser.ConfigParser(interpolation=None, default_section="\0", strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # The parser's own message would quote the offending line: that is the secret.
        raise CredentialsError(
            f"{where} is not an AWS credentials file ({type(error).__name__});"
            " it should hold [default], aws_access_key_id and aws_secret_access_key"
        ) from None
    section = next((parser[name] for name in parser.sections() if name.lower() == "default"), None)
    if section is None:
        raise CredentialsError(f"{where} has no [default] section; add it above aws_access_key_id")
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        if not section.get(name):
            raise CredentialsError(f"{where} has no {name} in its [default] section; add it")
    return Keys(
        section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token", "")
    )


def parse_endpoint(spec: Mapping[str, Any], where: str) -> Endpoint:
    """Read ``spec.endpoint`` of a provider config.

    Raises:
        CredentialsError: it is incomplete or leads where it must not.
        UnsupportedFieldError: it asks for what we do not do.
    """
    endpoint = spec.get("endpoint")
    if not endpoint:
        return Endpoint()
    for name in ("signingMethod", "signingName", "signingRegion", "partitionId"):
        if endpoint.get(name):
            raise UnsupportedFieldError(f"{where}: spec.endpoint.{name} is not supported; remove it")
    url = endpoint.get("url") or {}
    services = frozenset(endpoint.get("services") or ())
    match url.get("type"):
        case "Static":
            address = str(url.get("static") or "")
            _check_address(address, where)
            return Endpoint(address, services=services)
        case "Dynamic":
            dynamic = url.get("dynamic") or {}
            host, protocol = str(dynamic.get("host") or ""), str(dynamic.get("protocol") or "https")
            _check_address(f"{protocol}://{host}", where)
            return Endpoint(dynamic_host=host, protocol=protocol, services=services)
        case _:
            raise UnsupportedFieldError(
                f"{where}: spec.endpoint.url.type {url.get('type')!r} is not supported; use Static or Dynamic"
            )


def _check_address(address: str, where: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CredentialsError(f"{where}: spec.endpoint.url {address!r} is no http or https address")
    try:
        number = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if number.is_link_local:
        # Metadata services live there, and hand out the machine's own credentials.
        raise CredentialsError(f"{where}: spec.endpoint.url must not be a link-local address")
