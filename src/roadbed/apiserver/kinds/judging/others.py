"""What makes storage, scheduling, certificate and flow control objects invalid. Pure.

Source: k8s.io/kubernetes/pkg/apis/{core,storage,scheduling,certificates,flowcontrol}/validation/validation.go.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object

from .findings import needed, one_of, part

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_NO_VOLUME = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)
_CLAIM_FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_MOST_PRIORITY = 1_000_000_000
_REQUEST = b"-----BEGIN CERTIFICATE REQUEST-----"


def _access(spec: dict[str, Any]) -> list[Cause]:
    found = spec.get("accessModes") or ()
    return [not_supported("spec.accessModes", each, _MODES) for each in found if each not in _MODES]


def volume(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PersistentVolume."""
    spec = part(obj, "spec")
    causes = [*needed(spec, "spec", "accessModes"), *_access(spec), *needed(spec, "spec", "capacity")]
    if "storage" not in (spec.get("capacity") or {}):
        causes.append(not_supported("spec.capacity", spec.get("capacity"), ("storage",)))
    sources = {name: value for name, value in spec.items() if name not in _NO_VOLUME}
    if not sources:
        causes.append(required("spec", "must specify a volume type"))
    if old is not None:
        before = {name: value for name, value in part(old, "spec").items() if name not in _NO_VOLUME}
        if sources != before:
            text = "spec.persistentvolumesource is immutable after creation"
            causes.append(forbidden("spec.persistentvolumesource", text))
    return causes


def claim(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PersistentVolumeClaim."""
    spec = part(obj, "spec")
    causes = (
        []
        if spec.get("accessModes")
        else [required("spec.accessModes", "at least 1 access mode is required")]
    )
    causes += _access(spec)
    if "storage" not in part(spec, "resources", "requests"):
        causes.append(required("spec.resources[storage]"))
    if old is not None and _claim_essence(spec) != _claim_essence(part(old, "spec")):
        causes.append(forbidden("spec", _CLAIM_FIXED))
    return causes


def _claim_essence(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in spec.items()
        if name not in ("resources", "volumeAttributesClassName", "volumeName")
    }
    kept["limits"] = part(spec, "resources").get("limits")
    return kept


def storage_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a StorageClass."""
    if old is None:
        known = ("Delete", "Retain")
        return [*needed(obj, "", "provisioner"), *one_of(obj, "", "reclaimPolicy", known)]
    return [
        forbidden(member, f"updates to {member} are forbidden.")
        for member in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
        if obj.get(member) != old.get(member)
    ]


def attributes_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a VolumeAttributesClass."""
    causes = needed(obj, "", "driverName")
    if old is not None:
        causes += [
            forbidden(member, f"updates to {member} are forbidden.")
            for member in ("driverName", "parameters")
            if obj.get(member) != old.get(member)
        ]
    return causes


def priority_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PriorityClass."""
    value = int(obj.get("value") or 0)
    if old is not None:
        causes = []
        if value != int(old.get("value") or 0):
            causes.append(forbidden("value", "may not be changed in an update."))
        if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
            text = "field is immutable"
            causes.append(invalid_value("preemptionPolicy", obj.get("preemptionPolicy"), text))
        return causes
    is_system = str(obj["metadata"].get("name", "")).startswith("system-")
    if is_system:
        text = "priority class names with 'system-' prefix are reserved for system use only"
        known = ("system-cluster-critical", "system-node-critical")
        return [] if obj["metadata"]["name"] in known else [forbidden("metadata.name", text)]
    if value > _MOST_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_MOST_PRIORITY}"
        return [forbidden("value", text)]
    return []


def certificate_request(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a CertificateSigningRequest."""
    if old is not None:
        return []
    spec = part(obj, "spec")
    try:
        text = base64.b64decode(str(spec.get("request") or ""), validate=True)
    except (binascii.Error, ValueError):
        text = b""
    causes = [*needed(spec, "spec", "usages")]
    if not text.strip().startswith(_REQUEST):
        shown = spec.get("request") or ""
        detail = "PEM block type must be CERTIFICATE REQUEST"
        causes.append(invalid_value("spec.request", shown, detail))
    return [*causes, *needed(spec, "spec", "signerName")]


def priority_level(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PriorityLevelConfiguration."""
    del old
    spec = part(obj, "spec")
    response = part(spec, "limited", "limitResponse")
    if spec.get("type") == "Limited" and spec.get("limited") is None:
        return [required("spec.limited", "must not be empty when type is Limited")]
    if spec.get("type") == "Limited" and response.get("type") == "Queue" and not response.get("queuing"):
        text = "must not be empty if limited.limitResponse.type is Limited"
        return [required("spec.limited.limitResponse.queuing", text)]
    return one_of(spec, "spec", "type", ("Exempt", "Limited"))
