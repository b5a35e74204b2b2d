"""Defaults of pods and what is in them, of nodes, limits and volumes: the types of the core group. Pure.

Source: k8s.io/kubernetes/pkg/apis/core/v1/{defaults,conversion}.go.
"""

from __future__ import annotations

from typing import Any

from .filling import Rule, fill

_FILE_MODE = 0o644
_UNION_MEMBERS = frozenset(("name",))


def pull_policy(image: str) -> str:
    """Give how an image is pulled where nobody said: always for ``latest``, which is also no tag and no digest."""
    rest, _, digest = image.partition("@")
    _, colon, tag = rest.rpartition("/")[2].partition(":")
    if colon:
        return "Always" if tag == "latest" else "IfNotPresent"
    return "IfNotPresent" if digest else "Always"


def _container(value: dict[str, Any]) -> None:
    if not value.get("imagePullPolicy"):
        value["imagePullPolicy"] = pull_policy(str(value.get("image", "")))
    if not value.get("terminationMessagePath"):
        value["terminationMessagePath"] = "/dev/termination-log"
    if not value.get("terminationMessagePolicy"):
        value["terminationMessagePolicy"] = "File"


def _volume(value: dict[str, Any]) -> None:
    if not value.keys() - _UNION_MEMBERS:
        value["emptyDir"] = {}


def _image_volume(value: dict[str, Any]) -> None:
    if not value.get("pullPolicy"):
        value["pullPolicy"] = pull_policy(str(value.get("reference", "")))


def _pod(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort", 0)
    own = spec.get("resources") or {}
    if own.get("limits"):
        own["requests"] = {**own["limits"], **(own.get("requests") or {})}
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    # Of pods alone, as they are read: templates keep what they say, and are warned of it.
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1


def _pod_spec(value: dict[str, Any]) -> None:
    _POD_SPEC(value)
    # The older name of the field is kept equal to the newer one.
    account = value.get("serviceAccountName") or value.get("serviceAccount")
    if account:
        value["serviceAccountName"] = value["serviceAccount"] = account


_POD_SPEC = fill(
    restartPolicy="Always",
    terminationGracePeriodSeconds=30,
    dnsPolicy="ClusterFirst",
    securityContext={},
    schedulerName="default-scheduler",
)


def _controller(value: dict[str, Any]) -> None:
    spec = value.setdefault("spec", {})
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        metadata = value.setdefault("metadata", {})
        if not metadata.get("labels"):
            metadata["labels"] = dict(labels)


def _node_spec(value: dict[str, Any]) -> None:
    if value.get("podCIDR") and not value.get("podCIDRs"):
        value["podCIDRs"] = [value["podCIDR"]]


def _node_status(value: dict[str, Any]) -> None:
    if value.get("allocatable") is None and value.get("capacity"):
        value["allocatable"] = dict(value["capacity"])


def _limit(value: dict[str, Any]) -> None:
    if value.get("type") != "Container":
        return
    default = {**(value.get("max") or {}), **(value.get("default") or {})}
    request = {**(value.get("min") or {}), **default, **(value.get("defaultRequest") or {})}
    if default:
        value["default"] = default
    if request:
        value["defaultRequest"] = request


def _volume_object(value: dict[str, Any]) -> None:
    spec, status = value.setdefault("spec", {}), value.setdefault("status", {})
    fill(persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")(spec)
    fill(phase="Pending")(status)


def _claim(value: dict[str, Any]) -> None:
    fill(phase="Pending")(value.setdefault("status", {}))


_MODES = fill(defaultMode=_FILE_MODE)


def _pod_status(value: dict[str, Any]) -> None:
    """Bring a pod's address and its list of addresses together; the one counts where they differ."""
    one, several = value.get("podIP"), value.get("podIPs") or []
    if one and (not several or several[0].get("ip") != one):
        value["podIPs"] = [{"ip": one}]
    elif several and several[0].get("ip"):
        value["podIP"] = several[0]["ip"]


PODS: dict[str, Rule] = {
    "core.v1.Container": _container,
    "core.v1.EphemeralContainer": _container,
    "core.v1.ContainerPort": fill(protocol="TCP"),
    "core.v1.Volume": _volume,
    "core.v1.ImageVolumeSource": _image_volume,
    "core.v1.Pod": _pod,
    "core.v1.PodSpec": _pod_spec,
    "core.v1.PodStatus": _pod_status,
    "core.v1.Probe": fill(timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3),
    "core.v1.HTTPGetAction": fill(path="/", scheme="HTTP"),
    "core.v1.GRPCAction": lambda value: value.setdefault("service", "") and None,
    "core.v1.SecretVolumeSource": _MODES,
    "core.v1.ConfigMapVolumeSource": _MODES,
    "core.v1.DownwardAPIVolumeSource": _MODES,
    "core.v1.ProjectedVolumeSource": _MODES,
    "core.v1.ServiceAccountTokenProjection": fill(expirationSeconds=3600),
    "core.v1.HostPathVolumeSource": lambda value: value.setdefault("type", "") and None,
    "core.v1.ISCSIVolumeSource": fill(iscsiInterface="default"),
    "core.v1.ISCSIPersistentVolumeSource": fill(iscsiInterface="default"),
    "core.v1.RBDVolumeSource": fill(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "core.v1.RBDPersistentVolumeSource": fill(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "core.v1.AzureDiskVolumeSource": fill(
        cachingMode="ReadWrite", fsType="ext4", readOnly=False, kind="Shared"
    ),
    "core.v1.ScaleIOVolumeSource": fill(storageMode="ThinProvisioned", fsType="xfs"),
    "core.v1.ScaleIOPersistentVolumeSource": fill(storageMode="ThinProvisioned", fsType="xfs"),
    "core.v1.ObjectFieldSelector": fill(apiVersion="v1"),
    "core.v1.ReplicationController": _controller,
    "core.v1.ReplicationControllerSpec": fill(replicas=1),
    "core.v1.PersistentVolume": _volume_object,
    "core.v1.PersistentVolumeClaim": _claim,
    "core.v1.PersistentVolumeClaimSpec": fill(volumeMode="Filesystem"),
    "core.v1.NodeSpec": _node_spec,
    "core.v1.NodeStatus": _node_status,
    "core.v1.LimitRangeItem": _limit,
    "core.v1.Secret": fill(type="Opaque"),
}
