"""Whom a webhook configuration names: its ``clientConfig`` read into an address, and judged when it is written.

``config_causes`` is for whoever validates a configuration (admission webhooks, CRD conversion); ``Target.read`` for
whoever calls. Nothing here connects.

Source: k8s.io/apiserver/pkg/util/webhook/{client,validation}.go.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from roadbed.apimachinery.causes import invalid_value, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns_subdomain_errors

HTTPS_PORT = 443
_FORM = "; desired format: https://host[/path]"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. ``service`` is ``namespace/name`` when a Service was named; ``host`` is then its DNS name."""

    host: str
    port: int
    path: str
    ca_pem: str = ""
    service: str = ""

    @property
    def url(self) -> str:
        """The address without query, as error messages show it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = host if self.port == HTTPS_PORT and not self.service else f"{host}:{self.port}"
        return f"https://{shown}{self.path}"

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Target:
        """Read a ``clientConfig`` that ``config_causes`` found nothing wrong with.

        Raises:
            ValueError: it names nobody.
        """
        ca_pem = _bundle(config.get("caBundle"))
        service = config.get("service")
        if service:
            name, namespace = str(service.get("name")), str(service.get("namespace"))
            return cls(
                host=f"{name}.{namespace}.svc",
                port=int(service.get("port") or HTTPS_PORT),
                path=_rooted(str(service.get("path") or "")),
                ca_pem=ca_pem,
                service=f"{namespace}/{name}",
            )
        if not config.get("url"):
            raise ValueError("webhook configuration must have either service or URL")
        parts = urlsplit(str(config["url"]))
        return cls(parts.hostname or "", parts.port or HTTPS_PORT, _rooted(parts.path), ca_pem)


def config_causes(config: Mapping[str, Any], path: str) -> list[Cause]:
    """Give what is wrong with a ``clientConfig`` that lives at ``path``."""
    found = address_causes(config, path)
    if found and found[0].field == path:
        return found  # it names nobody, or two
    return found + bundle_causes(config.get("caBundle"), f"{path}.caBundle")


def address_causes(config: Mapping[str, Any], path: str) -> list[Cause]:
    """Give what is wrong with whom a ``clientConfig`` names; its authority is ``bundle_causes``'."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return _url_causes(str(url), f"{path}.url")
    return _service_causes(service, f"{path}.service")


def _url_causes(text: str, path: str) -> list[Cause]:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError
    except ValueError as error:
        return [required(path, f'url must be a valid URL: parse "{text}": {error}{_FORM}')]
    return list(_part_causes(parts, path))


def _part_causes(parts: SplitResult, path: str) -> list[Cause]:
    found = []
    if parts.scheme != "https":
        found.append(invalid_value(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not parts.netloc.rpartition("@")[2]:
        found.append(invalid_value(path, "", f"host must be specified{_FORM}"))
    if "@" in parts.netloc:
        # Kubernetes shows the password, too.
        found.append(
            invalid_value(path, parts.username or "", "user information is not permitted in the URL")
        )
    if parts.fragment:
        found.append(invalid_value(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        found.append(invalid_value(path, parts.query, "query parameters are not permitted in the URL"))
    return found


def _service_causes(service: Any, path: str) -> list[Cause]:
    found = [required(f"{path}.{member}") for member in ("name", "namespace") if not service.get(member)]
    port = service.get("port", HTTPS_PORT)
    if not 0 < int(port) < 65_536:
        found.append(
            invalid_value(f"{path}.port", port, "port is not valid: must be between 1 and 65535, inclusive")
        )
    text = service.get("path")
    if text is None or text in ("", "/"):
        return found
    at = f"{path}.path"
    if text == "//":
        return [*found, invalid_value(at, text, "segment[0] may not be empty")]
    if not text.startswith("/"):
        found.append(invalid_value(at, text, "must start with a '/'"))
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            found.append(invalid_value(at, text, f"segment[{index}] may not be empty"))
            continue
        found.extend(
            invalid_value(at, text, f"segment[{index}]: {each}") for each in dns_subdomain_errors(step)
        )
    return found


def bundle_causes(bundle: Any, path: str) -> list[Cause]:
    """Give what is wrong with a ``caBundle`` that lives at ``path``; an absent one is fine."""
    if not bundle:
        return []
    text = "unable to load root certificates: unable to parse bytes as PEM block"
    try:
        ssl.create_default_context(cadata=_bundle(bundle))
    except (ssl.SSLError, ValueError):
        return [invalid_value(path, bundle, text)]
    return []


def _bundle(bundle: Any) -> str:
    """Give the PEM text of a ``caBundle``.

    Raises:
        ValueError: it is not base64 of ASCII.
    """
    if not bundle:
        return ""
    try:
        return base64.b64decode(str(bundle), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"caBundle is not base64 of PEM: {error}") from error


def _rooted(path: str) -> str:
    # Cleaned as Go's path.Join does (client-go/rest/request.go): test kits write https://host//path, which Go's own
    # servers would answer with a redirect.
    return posixpath.normpath(f"/{path.lstrip('/')}")
