"""The judgement of ``spec.conversion``: how objects get from one version to another.

Source: k8s.io/apiserver/pkg/util/webhook/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns1035_label_errors
from roadbed.apiserver.webhooks import address_causes, bundle_causes

_KNOWN: Final = ("v1", "v1beta1")


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
    else:
        yield from address_causes(client, at)
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
