"""The judgement of ``spec.conversion``: how objects get from one version to another.

Source: k8s.io/apiserver/pkg/util/webhook/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns1035_label_errors, dns_subdomain_errors
from roadbed.apiserver.webhooks import bundle_causes

_KNOWN: Final = ("v1", "v1beta1")
_FORM: Final = "; desired format: https://host[/path]"
_URL: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)


def authority(spec: Mapping[str, Any], path: str) -> list[Cause]:
    """Give what is wrong with the authority of a definition's conversion webhook."""
    client = ((spec.get("conversion") or {}).get("webhook") or {}).get("clientConfig") or {}
    return bundle_causes(client.get("caBundle"), path)


def conversion(found: Mapping[str, Any] | None, path: str) -> Iterator[Cause]:
    """Yield what is wrong with a definition's conversion; its authority is ``authority``'s."""
    if found is None:
        return
    strategy, webhook = found.get("strategy") or "", found.get("webhook") or {}
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if not strategy:
        yield required(f"{path}.strategy")
    elif strategy not in ("None", "Webhook"):
        yield not_supported(f"{path}.strategy", strategy, ("None", "Webhook"))
    # The internal type, whose names Kubernetes tells, has no ``webhook`` in between.
    at = f"{path}.webhookClientConfig"
    if strategy != "Webhook":
        detail = "should not be set when strategy is not set to Webhook"
        if client is not None:
            yield forbidden(at, detail)
        if versions:
            yield forbidden(f"{path}.conversionReviewVersions", detail)
        return
    if client is None:
        yield required(at, "required when strategy is set to Webhook")
    elif (client.get("url") is None) == (client.get("service") is None):
        yield required(at, "exactly one of url or service is required")
    elif client.get("url") is not None:
        yield from _url(client["url"], f"{at}.url")
    else:
        yield from _service(client["service"], f"{at}.service")
    yield from _review_versions(versions, f"{path}.conversionReviewVersions")


def _review_versions(versions: list[str], path: str) -> Iterator[Cause]:
    if not versions:
        yield required(path)
        return
    for index, each in enumerate(versions):
        if each in versions[:index]:
            yield invalid_value(f"{path}[{index}]", each, "duplicate version")
            continue
        for error in dns1035_label_errors(each):
            yield invalid_value(f"{path}[{index}]", each, error)
    if not set(versions) & set(_KNOWN):
        yield invalid_value(path, versions, f"must include at least one of {', '.join(_KNOWN)}")


def _url(url: str, path: str) -> Iterator[Cause]:
    found = _URL.match(url)
    parts = found.groups() if found else ()  # the pattern takes any text
    scheme, host, query, fragment = (each or "" for each in parts)
    user, _, host = host.rpartition("@")
    if scheme != "https":
        yield invalid_value(path, scheme, f"'https' is the only allowed URL scheme{_FORM}")
    if not host:
        yield invalid_value(path, host, f"host must be specified{_FORM}")
    if user:
        yield invalid_value(path, user, "user information is not permitted in the URL")
    if fragment:
        yield invalid_value(path, fragment, "fragments are not permitted in the URL")
    if query:
        yield invalid_value(path, query, "query parameters are not permitted in the URL")


def _service(service: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for member in ("name", "namespace"):
        if not service.get(member):
            yield required(f"{path}.{member}")
    port = service.get("port", 443)
    if not 1 <= port <= 65_535:
        detail = "port is not valid: must be between 1 and 65535, inclusive"
        yield invalid_value(f"{path}.port", port, detail)
    text = service.get("path")
    if text in (None, "", "/"):
        return
    at = f"{path}.path"
    if text == "//":
        yield invalid_value(at, text, "segment[0] may not be empty")
        return
    if not text.startswith("/"):
        yield invalid_value(at, text, "must start with a '/'")
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            yield invalid_value(at, text, f"segment[{index}] may not be empty")
        for error in dns_subdomain_errors(step) if step else ():
            yield invalid_value(at, text, f"segment[{index}]: {error}")
