"""What is said about volumes, claims, and what volumes are made by. Pure.

Source: k8s.io/kubernetes/pkg/api/{persistentvolume,persistentvolumeclaim,storage}/util.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.request import Object
from roadbed.apiserver.kinds.judging.findings import items, part

from . import nodes

_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_ANNOTATIONS: Final = {
    _CLASS: 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_PLUGINS: Final = {
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_OF_PODS: Final = {
    **_PLUGINS,
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
}
# Two plug-ins are called otherwise where they are warned of.
_SHOWN: Final = {"storageos": "storageOS"}
_TOKENS: Final = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)


def plugins(found: Mapping[str, Any], path: str, *, is_of_pod: bool) -> Iterator[str]:
    """Warn of the plug-ins of volumes that are gone."""
    for name, text in (_OF_PODS if is_of_pod else _PLUGINS).items():
        if found.get(name) is not None:
            yield f"{path}.{_SHOWN.get(name, name)}: {text}"


def fraction(found: Mapping[str, Any], name: str, path: str) -> Iterator[str]:
    """Warn of a part of a byte among amounts of resources."""
    if name not in found:
        return
    amount = parse_quantity(str(found[name]))
    if -(-amount.nanos // 10**6) % 1000:
        yield f"{path}[{name}]: fractional byte value {go_quote(str(amount))} is invalid, must be an integer"


def claim_spec(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """Warn of parts of bytes that a claim asks for."""
    for member in ("requests", "limits"):
        yield from fraction(part(spec, "resources", member), "storage", f"{path}.resources.{member}")


def claim(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a claim."""
    del old
    if _CLASS in (obj["metadata"].get("annotations") or {}):
        yield f"metadata.annotations[{_CLASS}]: {_ANNOTATIONS[_CLASS]}"
    yield from claim_spec(part(obj, "spec"), "spec")


def volume(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn about a volume."""
    del old
    spec, annotations = part(obj, "spec"), obj["metadata"].get("annotations") or {}
    for name, text in _ANNOTATIONS.items():
        if name in annotations:
            yield f"metadata.annotations[{name}]: {text}"
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield (
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
            "approach is to use dynamic provisioning."
        )
    required = part(spec, "nodeAffinity", "required")
    yield from nodes.terms(items(required, "nodeSelectorTerms", "spec.nodeAffinity.required"))
    yield from plugins(spec, "spec", is_of_pod=False)


def storage_class(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of deprecated labels that a class selects nodes by."""
    del old
    for path, topology in items(obj, "allowedTopologies"):
        for at, each in items(topology, "matchLabelExpressions", path):
            if each.get("key") in nodes.DEPRECATED_LABELS:
                yield f"{at}.key: {nodes.DEPRECATED_LABELS[each['key']]}"


def capacity(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of deprecated labels that tell where there is capacity."""
    del old
    topology = part(obj, "nodeTopology")
    yield from nodes.terms([("nodeTopology", topology)])
    for label, text in nodes.deprecated(topology.get("matchLabels") or ()):
        yield f"nodeTopology.matchLabels.{label}: {text}"


def driver(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of tokens that a driver is given where they may be logged."""
    spec, before = part(obj, "spec"), part(old, "spec").get("tokenRequests")
    asked = spec.get("tokenRequests")
    if asked and asked != before and spec.get("serviceAccountTokenInSecrets") is None:
        yield _TOKENS
