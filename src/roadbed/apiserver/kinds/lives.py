"""How objects of a kind begin and change: what Kubernetes completes beside the defaults of types. Pure.

Called on every create (``old`` is None) and update of the main resource, after defaults and before admission.

Source: PrepareForCreate and PrepareForUpdate in k8s.io/kubernetes/pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from roadbed.apimachinery.request import Object


def pending(obj: Object, old: Object | None) -> None:
    """Begin volumes and claims as pending."""
    if old is None:
        obj["status"] = {"phase": "Pending"}


def job(obj: Object, old: Object | None) -> None:
    """Give a new job its selector, unless its author selects by hand."""
    spec = obj["spec"]
    if old is not None or spec.get("manualSelector"):
        return
    metadata = spec.setdefault("template", {}).setdefault("metadata", {})
    labels = metadata["labels"] = dict(metadata.get("labels") or {})
    uid = str(obj["metadata"]["uid"])
    name = str(obj["metadata"].get("name", ""))
    for prefix in ("", "batch.kubernetes.io/"):
        labels.setdefault(f"{prefix}job-name", name)
        labels.setdefault(f"{prefix}controller-uid", uid)
    if spec.get("selector") is None:
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def pod(obj: Object, old: Object | None) -> None:
    """Begin a pod as pending, with the class of service that its resources give."""
    if old is None:
        obj["status"] = {"phase": "Pending", "qosClass": quality(obj)}


def quality(pod: Object) -> str:
    """Give a pod's quality of service class: from requests and limits of cpu and memory."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    is_guaranteed, has_any = True, False
    for container in containers:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            limit, request = limits.get(name, "0"), requests.get(name, "0")
            has_any = has_any or limit != "0" or request != "0"
            is_guaranteed = is_guaranteed and limit != "0" and limit == request
    if not has_any:
        return "BestEffort"
    return "Guaranteed" if is_guaranteed else "Burstable"


def service(obj: Object, old: Object | None) -> None:
    """Drop what a service's type has no use for, and keep its addresses through an update that leaves them out."""
    if old is None:
        return
    spec, before = obj["spec"], old.get("spec") or {}
    if spec.get("type") == "ExternalName" and before.get("type") != "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            spec.pop(name, None)


def endpoint_slice(obj: Object, old: Object | None) -> None:
    """Say nothing more: the generation is all."""
    del obj, old
