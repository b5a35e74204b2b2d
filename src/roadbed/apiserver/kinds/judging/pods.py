"""What makes a pod, or the template of one, invalid: containers, ports, mounts, resources, policies. Pure.

Source: ``ValidatePodSpec`` in k8s.io/kubernetes/pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

import re
from typing import Any

from roadbed.apimachinery.causes import (
    duplicate,
    forbidden,
    invalid_value,
    not_found,
    not_supported,
    required,
)
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    config_key_errors,
    dns_label_errors,
    dns_subdomain_errors,
    label_key_errors,
    label_value_errors,
    validate_labels,
)
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.request import Object

from .findings import items, named, needed, not_negative, one_of, part, port, port_or_name
from .volumes import source

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
    if any(
        len(part(obj, "spec").get(each) or ()) != len(part(old, "spec").get(each) or ())
        for each in ("containers", "initContainers")
    ):
        causes = [
            forbidden(f"spec.{each}", f"pod updates may not add or remove {words}")
            for each, words in (("containers", "containers"), ("initContainers", "init containers"))
            if len(part(obj, "spec").get(each) or ()) != len(part(old, "spec").get(each) or ())
        ]
        return [*pod_spec(part(obj, "spec"), "spec"), *causes]
    if _essence(part(obj, "spec")) != _essence(part(old, "spec")):
        return [forbidden("spec", _FIXED)]
    return []


def template(found: dict[str, Any], path: str) -> list[Cause]:
    """Judge a pod template."""
    labels = part(found, "metadata").get("labels") or {}
    causes = validate_labels(labels, f"{path}.labels")
    return [*causes, *pod_spec(part(found, "spec"), f"{path}.spec")]


def pod_template(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PodTemplate."""
    del old
    return template(part(obj, "template"), "template")


def pod_spec(spec: dict[str, Any], path: str) -> list[Cause]:
    """Judge a pod's spec."""
    causes: list[Cause] = []
    volumes: set[str] = set()
    for at, volume in items(spec, "volumes", path):
        causes += _volume(volume, at, volumes)
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
    causes += tolerations(spec, path)
    causes += validate_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    for member in ("serviceAccountName", "nodeName"):
        if spec.get(member):
            causes += named(str(spec[member]), f"{path}.{member}", dns_subdomain_errors)
    for member in ("hostname", "subdomain"):
        if spec.get(member):
            causes += named(str(spec[member]), f"{path}.{member}", dns_label_errors)
    return causes


def _volume(volume: dict[str, Any], path: str, known: set[str]) -> list[Cause]:
    """Judge a volume; one that is right is known to the mounts."""
    name = str(volume.get("name", ""))
    causes = named(name, f"{path}.name", dns_label_errors) if name else [required(f"{path}.name")]
    causes = [*source(volume, path), *causes]
    if name in known:
        causes.append(duplicate(f"{path}.name", name))
    if not causes:
        known.add(name)
    return causes


_EQUAL, _EXISTS, _EFFECTS = "Equal", "Exists", ("NoSchedule", "PreferNoSchedule", "NoExecute")


def tolerations(spec: dict[str, Any], path: str) -> list[Cause]:
    """Judge what taints a pod tolerates."""
    causes: list[Cause] = []
    for at, each in items(spec, "tolerations", path):
        key, operator, effect = (str(each.get(name) or "") for name in ("key", "operator", "effect"))
        value = str(each.get("value") or "")
        causes += named(key, f"{at}.key", label_key_errors) if key else []
        if not key and operator != _EXISTS:
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            causes.append(invalid_value(f"{at}.operator", operator, text))
        if each.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            causes.append(invalid_value(f"{at}.effect", effect, text))
        if operator in ("", _EQUAL):
            errors = label_value_errors(value)
            causes += [invalid_value(f"{at}.operator", value, ";".join(errors))] if errors else []
        elif operator == _EXISTS:
            text = "value must be empty when `operator` is 'Exists'"
            causes += [invalid_value(f"{at}.operator", value, text)] if value else []
        else:
            known = (_EQUAL, _EXISTS, *(("Lt", "Gt") if operator in ("Lt", "Gt") else ()))
            causes.append(not_supported(f"{at}.operator", operator, known))
        if effect and effect not in _EFFECTS:
            causes.append(not_supported(f"{at}.effect", effect, _EFFECTS))
    return causes


def _container(container: dict[str, Any], path: str, volumes: set[str]) -> list[Cause]:
    found = str(container.get("name", ""))
    causes = named(found, f"{path}.name", dns_label_errors) if found else [required(f"{path}.name")]
    causes += needed(container, path, "image")
    causes += _ports(container, path)
    causes += _environment(container, path)
    paths: set[str] = set()
    for at, mount in items(container, "volumeMounts", path):
        if not mount.get("name"):
            causes.append(required(f"{at}.name"))
        elif mount["name"] not in volumes:
            causes.append(not_found(f"{at}.name", mount["name"]))
        causes += needed(mount, at, "mountPath")
        if mount.get("mountPath") in paths:
            causes.append(invalid_value(f"{at}.mountPath", mount["mountPath"], "must be unique"))
        paths.add(str(mount.get("mountPath") or ""))
    causes += one_of(container, path, "imagePullPolicy", _PULLS, shown=_PULLS)
    causes += _resources(part(container, "resources"), f"{path}.resources")
    for member in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(member) is not None:
            causes += _probe(container[member], f"{path}.{member}")
    return causes


_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def _environment(container: dict[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for at, variable in items(container, "env", path):
        name = str(variable.get("name") or "")
        if not name:
            causes.append(required(f"{at}.name"))
        elif not _VARIABLE.fullmatch(name):
            causes.append(invalid_value(f"{at}.name", name, _VARIABLE_TEXT))
        if variable.get("valueFrom") is not None:
            causes += _value_source(variable, f"{at}.valueFrom")
    place = f"{path}.envFrom"
    for at, each in items(container, "envFrom", path):
        prefix = str(each.get("prefix") or "")
        if prefix and not _VARIABLE.fullmatch(prefix):
            causes.append(invalid_value(f"{at}.prefix", prefix, _VARIABLE_TEXT))
        found = [name for name in ("configMapRef", "secretRef") if each.get(name) is not None]
        for name in found:
            text = str(each[name].get("name") or "")
            where = f"{at}.{name}.name"
            causes += named(text, where, dns_subdomain_errors) if text else [required(where)]
        if not found:
            causes.append(invalid_value(place, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(found) > 1:
            causes.append(invalid_value(place, "", "may not have more than one field specified at a time"))
    return causes


_VARIABLE = re.compile(r"[ -<>-~]+")
_VARIABLE_TEXT = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)


def _value_source(variable: dict[str, Any], path: str) -> list[Cause]:
    found = [name for name in _SOURCES if variable["valueFrom"].get(name) is not None]
    causes: list[Cause] = []
    for name in ("configMapKeyRef", "secretKeyRef"):
        chosen = variable["valueFrom"].get(name)
        if chosen is None:
            continue
        text, key = str(chosen.get("name") or ""), str(chosen.get("key") or "")
        where = f"{path}.{name}"
        causes += named(text, f"{where}.name", dns_subdomain_errors)
        causes += named(key, f"{where}.key", config_key_errors) if key else [required(f"{where}.key")]
    if not found:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        causes.append(invalid_value(path, "", text))
    elif variable.get("value"):
        causes.append(invalid_value(path, "", "may not be specified when `value` is not empty"))
    elif len(found) > 1:
        causes.append(invalid_value(path, "", "may not have more than one field specified at a time"))
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
    if handlers[:1] == ["exec"]:
        causes += needed(probe["exec"], f"{path}.exec", "command")
    elif handlers[:1] == ["httpGet"]:
        causes += needed(probe["httpGet"], f"{path}.httpGet", "path")
        causes += port_or_name(probe["httpGet"].get("port"), f"{path}.httpGet.port")
    elif handlers[:1] == ["tcpSocket"]:
        causes += port_or_name(probe["tcpSocket"].get("port"), f"{path}.tcpSocket.port")
    numbers = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold")
    return [*causes, *not_negative(probe, path, *numbers, "failureThreshold")]


def _essence(spec: dict[str, Any]) -> dict[str, Any]:
    """Give what of a pod never changes."""
    kept = {name: value for name, value in spec.items() if name not in _CHANGEABLE}
    for member in ("containers", "initContainers"):
        kept[member] = [{**each, "image": ""} for each in spec.get(member) or ()]
    return kept
