"""What makes the source of a volume invalid, in pods and in persistent volumes alike. Pure.

The members that each type of volume must have are a table; what else a type may not say is not judged, as nothing
mounts volumes here.

Source: ``validateVolumeSource`` and ``ValidatePersistentVolumeSpec`` in
k8s.io/kubernetes/pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from typing import Any, Final

from roadbed.apimachinery.causes import forbidden, invalid_value, required
from roadbed.apimachinery.errors import Cause

from .findings import named_driver, needed, part

_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "configMap": ("name",),
    "csi": ("driver",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "hostPath": ("path",),
    "iscsi": ("targetPortal", "iqn"),
    "local": ("path",),
    "nfs": ("server", "path"),
    "persistentVolumeClaim": ("claimName",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "secret": ("secretName",),
    "storageos": (),
    "vsphereVolume": ("volumePath",),
}
_OTHERS: Final = ("downwardAPI", "emptyDir", "ephemeral", "fc", "flocker", "image", "projected")
TYPES: Final = frozenset((*_NEEDED, *_OTHERS))
"""The members of a volume that say of which type it is."""
# In the order in which Kubernetes looks at them; the first one counts, the others are one too many.
_ORDER: Final = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_KEPT_ORDER: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_SAID: Final = {"gcePersistentDisk": "persistentDisk"}  # places that Kubernetes calls otherwise within
_MANY: Final = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}  # and where there is one too many


def source(volume: dict[str, Any], path: str, *, is_kept: bool = False) -> list[Cause]:
    """Judge of what type a volume is, and what that type says; ``is_kept``: of a PersistentVolume."""
    found = [name for name in (_KEPT_ORDER if is_kept else _ORDER) if volume.get(name) is not None]
    if not found:
        return [required(path, "must specify a volume type")]
    first, *more = found
    causes = _type(first, part(volume, first), f"{path}.{_SAID.get(first, first)}")
    for name in more:
        place = name if is_kept else _MANY.get(name, name)
        causes.append(forbidden(f"{path}.{place}", "may not specify more than 1 volume type"))
    return causes


def _type(name: str, found: dict[str, Any], path: str) -> list[Cause]:
    causes = [cause for member in _NEEDED.get(name, ()) for cause in needed(found, path, member)]
    text = str(found.get("path") or "")
    if name == "hostPath" and ".." in text.split("/"):
        causes.append(invalid_value(f"{path}.path", text, "must not contain '..'"))
    if name == "nfs" and text and not text.startswith("/"):
        causes.append(invalid_value(f"{path}.path", text, "must be an absolute path"))
    if name == "csi" and found.get("driver"):
        causes += named_driver(str(found["driver"]), f"{path}.driver")
    if name == "storageos" and not found.get("volumeName"):
        causes.append(required(f"{path}.volumeName"))
    if name == "flocker":
        causes += _flocker(found, path)
    return causes


def _flocker(found: dict[str, Any], path: str) -> list[Cause]:
    name, uuid = found.get("datasetName"), found.get("datasetUUID")
    if not name and not uuid:
        return [required(path, "one of datasetName and datasetUUID is required")]
    if name and uuid:
        text = "resource datasetName and datasetUUID can not be specified simultaneously"
        return [invalid_value(path, "resource", text.removeprefix("resource "))]
    if name and "/" in name:
        return [invalid_value(f"{path}.datasetName", name, "must not contain '/'")]
    return []
