"""What makes storage, scheduling, certificate and flow control objects invalid. Pure.

Source: k8s.io/kubernetes/pkg/apis/{core,storage,scheduling,certificates,flowcontrol}/validation/validation.go.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import dns_subdomain_errors
from roadbed.apimachinery.quantity import Quantity, parse_quantity
from roadbed.apimachinery.request import Object

from .findings import label_selector, named, named_driver, needed, one_of, part, unchanged
from .volumes import source

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
    causes += source(spec, "spec", is_kept=True)
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
    causes += label_selector(spec.get("selector"), "spec.selector")
    wanted = part(spec, "resources", "requests").get("storage")
    if wanted is None:
        causes.append(required("spec.resources[storage]"))
    elif parse_quantity(str(wanted)).nanos <= 0:
        causes.append(invalid_value("spec.resources[storage]", wanted, "must be greater than zero"))
    chosen = str(spec.get("storageClassName") or "")
    causes += named(chosen, "spec.storageClassName", dns_subdomain_errors) if chosen else []
    return causes if old is None else [*causes, *_claim_change(obj, old)]


def _claim_change(obj: Object, old: Object) -> list[Cause]:
    """Hold a claim to what it asked for, but for a larger size once it is bound."""
    new, before = part(obj, "spec"), part(old, "spec")
    is_bound = part(obj, "status").get("phase") == "Bound"
    has_volume = bool(before.get("volumeName"))
    causes = []
    if _claim_essence(new, is_bound, has_volume) != _claim_essence(before, is_bound, has_volume):
        causes.append(forbidden("spec", _CLAIM_FIXED))
    size, was = (_storage(part(each, "resources", "requests")) for each in (new, before))
    if size < was and size <= _storage(part(obj, "status", "capacity")):
        text = "field can not be less than status.capacity"
        causes.append(forbidden("spec.resources.requests.storage", text))
    if new.get("volumeMode") != before.get("volumeMode"):
        causes.append(invalid_value("volumeMode", new.get("volumeMode"), "field is immutable"))
    return causes


def _storage(amounts: dict[str, Any]) -> Quantity:
    return parse_quantity(str(amounts.get("storage", "0")))


def _claim_essence(spec: dict[str, Any], is_bound: bool, has_volume: bool) -> dict[str, Any]:
    changing = {"volumeAttributesClassName"} if is_bound else set()
    changing |= set() if has_volume else {"volumeName"}
    kept = {name: value for name, value in spec.items() if name not in changing}
    if is_bound:
        resources = part(spec, "resources")
        requests = {name: each for name, each in part(resources, "requests").items() if name != "storage"}
        kept["resources"] = {**resources, "requests": requests}
    return kept


def settled(obj: Object, old: Object | None) -> list[Cause]:
    """Hold a resource claim, or a template of one, to the spec that it was made with."""
    return unchanged(obj, old, "spec")


def attachment(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a VolumeAttachment."""
    spec = part(obj, "spec")
    causes = named_driver(str(spec["attacher"]), "spec.attacher") if spec.get("attacher") else []
    causes += needed(spec, "spec", "attacher")
    found = part(spec, "source")
    chosen = [name for name in ("inlineVolumeSpec", "persistentVolumeName") if found.get(name) is not None]
    text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if len(chosen) > 1 or not chosen:
        causes.append(forbidden("spec.source", text))
    elif chosen == ["persistentVolumeName"] and not found["persistentVolumeName"]:
        causes.append(
            required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
        )
    causes += named(str(spec.get("nodeName") or ""), "spec.nodeName", dns_subdomain_errors)
    return [*causes, *unchanged(obj, old, "spec")]


def capacity(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a CSIStorageCapacity."""
    causes = named(str(obj.get("storageClassName") or ""), "storageClassName", dns_subdomain_errors)
    causes += label_selector(obj.get("nodeTopology"), "nodeTopology")
    for member in ("capacity", "maximumVolumeSize"):
        if obj.get(member) is not None and parse_quantity(str(obj[member])).nanos < 0:
            causes.append(invalid_value(member, obj[member], "must be greater than or equal to 0"))
    causes += unchanged(obj, old, "nodeTopology")
    return [*causes, *unchanged(obj, old, "storageClassName")]


def storage_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a StorageClass."""
    if old is None:
        known = ("Delete", "Retain")
        return [*needed(obj, "", "provisioner"), *one_of(obj, "", "reclaimPolicy", known)]
    causes = [
        forbidden(member, f"updates to {member} are forbidden.")
        for member in ("parameters", "provisioner", "reclaimPolicy")
        if obj.get(member) != old.get(member)
    ]
    return [*causes, *unchanged(obj, old, "volumeBindingMode")]


def attributes_class(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a VolumeAttributesClass."""
    causes = needed(obj, "", "driverName")
    if not obj.get("parameters"):
        causes.append(required("parameters", "must contain at least one key/value pair"))
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
