"""Cells of volumes, claims, classes and drivers. Pure."""

from __future__ import annotations

from roadbed.apimachinery.request import Object
from roadbed.apiserver.columns import Cell

from .cells import NONE, UNSET, age, at, count, name, of, path

_MODES = (
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
)
_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULTS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _modes(*names: str) -> Cell:
    return of(lambda obj: ",".join(short for mode, short in _MODES if mode in at(obj, *names, otherwise=())))


def _phase(obj: Object) -> str:
    return (
        "Terminating" if obj["metadata"].get("deletionTimestamp") else str(at(obj, "status", "phase") or "")
    )


def _class(obj: Object) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return str(annotations.get(_CLASS) or at(obj, "spec", "storageClassName", otherwise=""))


def _claimed(obj: Object) -> str:
    found = at(obj, "spec", "claimRef")
    return f"{found.get('namespace', '')}/{found.get('name', '')}" if found else ""


def _capacity(claim: Object) -> str:
    if not at(claim, "spec", "volumeName"):
        return ""
    return str(at(claim, "status", "capacity", "storage", otherwise="0"))


def _claim_modes(claim: Object) -> str:
    found = at(claim, "status", "accessModes", otherwise=()) if at(claim, "spec", "volumeName") else ()
    return ",".join(short for mode, short in _MODES if mode in found)


def _class_name(obj: Object) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    is_default = any(annotations.get(each) == "true" for each in _DEFAULTS)
    return f"{obj['metadata']['name']} (default)" if is_default else str(obj["metadata"]["name"])


def _audiences(driver: Object) -> str:
    found = at(driver, "spec", "tokenRequests")
    return UNSET if found is None else ",".join(str(each.get("audience", "")) for each in found)


_ATTRIBUTES: Cell = path("spec", "volumeAttributesClassName", otherwise=UNSET)
_MODE: Cell = path("spec", "volumeMode", otherwise=UNSET)
STORAGE: dict[tuple[str, str], tuple[Cell, ...]] = {
    ("", "persistentvolumes"): (
        name,
        path("spec", "capacity", "storage", otherwise="0"),
        _modes("spec", "accessModes"),
        path("spec", "persistentVolumeReclaimPolicy"),
        of(_phase),
        of(_claimed),
        of(_class),
        _ATTRIBUTES,
        path("status", "reason"),
        age,
        _MODE,
    ),
    ("", "persistentvolumeclaims"): (
        name,
        of(_phase),
        path("spec", "volumeName"),
        of(_capacity),
        of(_claim_modes),
        of(_class),
        _ATTRIBUTES,
        age,
        _MODE,
    ),
    ("storage.k8s.io", "storageclasses"): (
        of(_class_name),
        path("provisioner"),
        path("reclaimPolicy", otherwise="Delete"),
        path("volumeBindingMode", otherwise="Immediate"),
        path("allowVolumeExpansion", otherwise=False),
        age,
    ),
    ("storage.k8s.io", "csidrivers"): (
        name,
        path("spec", "attachRequired", otherwise=True),
        path("spec", "podInfoOnMount", otherwise=False),
        path("spec", "storageCapacity", otherwise=False),
        of(_audiences),
        path("spec", "requiresRepublish", otherwise=False),
        of(lambda obj: ",".join(at(obj, "spec", "volumeLifecycleModes", otherwise=())) or NONE),
        age,
    ),
    ("storage.k8s.io", "csinodes"): (name, count("spec", "drivers"), age),
    ("storage.k8s.io", "volumeattachments"): (
        name,
        path("spec", "attacher"),
        path("spec", "source", "persistentVolumeName"),
        path("spec", "nodeName"),
        path("status", "attached", otherwise=False),
        age,
    ),
    ("storage.k8s.io", "volumeattributesclasses"): (name, path("driverName"), age),
}
