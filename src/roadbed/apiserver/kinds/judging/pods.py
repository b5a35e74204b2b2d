"""What makes a pod, or the template of one, invalid: containers, ports, mounts, resources, policies. Pure.

Source: ``ValidatePodSpec`` in k8s.io/kubernetes/pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.causes import duplicate, forbidden, invalid_value, not_found, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns_label_errors, dns_subdomain_errors, validate_labels
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.request import Object

from .findings import items, named, needed, not_negative, one_of, part, port

_PULLS = ("Always", "IfNotPresent", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_RESTARTS = ("Always", "OnFailure", "Never")
_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
_FIXED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def judge(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a pod."""
    if old is None:
        return pod_spec(part(obj, "spec"), "spec")
    if _essence(part(obj, "spec")) != _essence(part(old, "spec")):
        return [forbidden("spec", _FIXED)]
    return []


def template(found: dict[str, Any], path: str) -> list[Cause]:
    """Judge a pod template."""
    labels = part(found, "metadata").get("labels") or {}
    causes = validate_labels(labels, f"{path}.labels")
    return [*causes, *pod_spec(part(found, "spec"), f"{path}.spec")]


def pod_spec(spec: dict[str, Any], path: str) -> list[Cause]:
    """Judge a pod's spec."""
    causes: list[Cause] = []
    volumes: set[str] = set()
    for at, volume in items(spec, "volumes", path):
        causes += _named_once(volume, at, volumes)
    if not spec.get("containers"):
        causes.append(required(f"{path}.containers"))
    for member in ("containers", "initContainers"):
        seen: set[str] = set()
        for at, container in items(spec, member, path):
            causes += _container(container, at, volumes)
            if container.get("name") in seen:
                causes.append(duplicate(f"{at}.name", container.get("name")))
            seen.add(str(container.get("name")))
    causes += one_of(spec, path, "restartPolicy", _RESTARTS, shown=_RESTARTS)
    causes += one_of(spec, path, "dnsPolicy", _DNS, shown=_DNS)
    causes += validate_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    for member in ("serviceAccountName", "nodeName"):
        if spec.get(member):
            causes += named(str(spec[member]), f"{path}.{member}", dns_subdomain_errors)
    for member in ("hostname", "subdomain"):
        if spec.get(member):
            causes += named(str(spec[member]), f"{path}.{member}", dns_label_errors)
    return causes


def _named_once(obj: dict[str, Any], path: str, seen: set[str]) -> list[Cause]:
    found = str(obj.get("name", ""))
    if not found:
        return [required(f"{path}.name")]
    causes = named(found, f"{path}.name", dns_label_errors)
    if found in seen:
        causes.append(duplicate(f"{path}.name", found))
    seen.add(found)
    return causes


def _container(container: dict[str, Any], path: str, volumes: set[str]) -> list[Cause]:
    found = str(container.get("name", ""))
    causes = named(found, f"{path}.name", dns_label_errors) if found else [required(f"{path}.name")]
    causes += needed(container, path, "image")
    causes += _ports(container, path)
    for at, variable in items(container, "env", path):
        causes += needed(variable, at, "name")
        if variable.get("value") and variable.get("valueFrom"):
            causes.append(
                invalid_value(f"{at}.valueFrom", "", "may not be specified when `value` is not empty")
            )
    for at, mount in items(container, "volumeMounts", path):
        if not mount.get("name"):
            causes.append(required(f"{at}.name"))
        elif mount["name"] not in volumes:
            causes.append(not_found(f"{at}.name", mount["name"]))
        causes += needed(mount, at, "mountPath")
    causes += one_of(container, path, "imagePullPolicy", _PULLS, shown=_PULLS)
    causes += _resources(part(container, "resources"), f"{path}.resources")
    for member in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(member) is not None:
            causes += _probe(container[member], f"{path}.{member}")
    return causes


def _ports(container: dict[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for at, each in items(container, "ports", path):
        if each.get("name") and each["name"] in seen:
            causes.append(duplicate(f"{at}.name", each["name"]))
        seen.add(str(each.get("name", "")))
        if not each.get("containerPort"):
            causes.append(required(f"{at}.containerPort"))
        causes += port(each.get("containerPort") or 1, f"{at}.containerPort")
        causes += port(each.get("hostPort") or 1, f"{at}.hostPort")
        causes += one_of(each, at, "protocol", ("SCTP", "TCP", "UDP"))
    return causes


def _resources(resources: dict[str, Any], path: str) -> list[Cause]:
    limits, requests = part(resources, "limits"), part(resources, "requests")
    causes: list[Cause] = []
    for member, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if parse_quantity(str(amount)).nanos < 0:
                detail = "must be greater than or equal to 0"
                causes.append(invalid_value(f"{path}.{member}[{name}]", amount, detail))
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is not None and parse_quantity(str(amount)) > parse_quantity(str(limit)):
            detail = f"must be less than or equal to {name} limit of {limit}"
            causes.append(invalid_value(f"{path}.requests", amount, detail))
    return causes


def _probe(probe: dict[str, Any], path: str) -> list[Cause]:
    handlers = [each for each in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(each) is not None]
    causes = [] if handlers else [required(path, "must specify a handler type")]
    causes += [
        forbidden(f"{path}.{each}", "may not specify more than 1 handler type") for each in handlers[1:]
    ]
    numbers = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold")
    return [*causes, *not_negative(probe, path, *numbers, "failureThreshold")]


def _essence(spec: dict[str, Any]) -> dict[str, Any]:
    """Give what of a pod never changes."""
    kept = {name: value for name, value in spec.items() if name not in _CHANGEABLE}
    for member in ("containers", "initContainers"):
        kept[member] = [{**each, "image": ""} for each in spec.get(member) or ()]
    return kept
