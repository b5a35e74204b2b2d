"""What makes an APIService invalid. Pure.

Source: k8s.io/kube-aggregator/pkg/apis/apiregistration/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.causes import go_quote, invalid_value, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns1035_label_errors, dns_subdomain_errors
from roadbed.apimachinery.request import Object

from .findings import named, needed, part

_MOST = {"groupPriorityMinimum": 20_000, "versionPriority": 1_000}


def api_service(obj: Object, old: Object | None) -> list[Cause]:
    """Judge an APIService."""
    del old
    spec = part(obj, "spec")
    group, version = str(spec.get("group") or ""), str(spec.get("version") or "")
    causes: list[Cause] = []
    name = str(obj["metadata"].get("name") or "")
    if name != f"{version}.{group}":
        text = f'must be `spec.version+"."+spec.group`: {go_quote(f"{version}.{group}")}'
        causes.append(invalid_value("metadata.name", name, text))
    if not group and version != "v1":
        text = "only v1 may have an empty group and it better be legacy kube"
        causes.append(required("spec.group", text))
    if group:
        causes += named(group, "spec.group", dns_subdomain_errors)
    causes += named(version, "spec.version", dns1035_label_errors)
    for member, most in _MOST.items():
        value = int(spec.get(member) or 0)
        if not 0 < value <= most:
            causes.append(invalid_value(f"spec.{member}", value, f"must be positive and less than {most}"))
    return causes + (_local(spec) if spec.get("service") is None else _remote(spec))


def _local(spec: dict[str, Any]) -> list[Cause]:
    causes = []
    if spec.get("caBundle"):
        shown = f"{len(str(spec['caBundle'])) * 3 // 4} bytes"
        causes.append(invalid_value("spec.caBundle", shown, "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        text = "local APIServices may not have insecureSkipTLSVerify"
        causes.append(invalid_value("spec.insecureSkipTLSVerify", True, text))
    return causes


def _remote(spec: dict[str, Any]) -> list[Cause]:
    service = part(spec, "service")
    causes = [*needed(service, "spec.service", "namespace"), *needed(service, "spec.service", "name")]
    port = service.get("port")
    if isinstance(port, int) and not 1 <= port <= 65_535:
        text = "port is not valid: must be between 1 and 65535, inclusive"
        causes.append(invalid_value("spec.service.port", port, text))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        text = "may not be true if caBundle is present"
        causes.append(invalid_value("spec.insecureSkipTLSVerify", True, text))
    return causes
