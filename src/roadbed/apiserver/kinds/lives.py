"""How objects of a kind begin and change: what Kubernetes completes beside the defaults of types. Pure.

Called on every create (``old`` is None) and update of the main resource, after defaults and before admission.

Source: PrepareForCreate and PrepareForUpdate in k8s.io/kubernetes/pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from roadbed.apimachinery.request import Object, User


def pending(obj: Object, old: Object | None) -> None:
    """Begin volumes and claims as pending."""
    if old is None:
        obj["status"] = {"phase": "Pending"}
        if obj.get("kind") == "PersistentVolume":
            obj["status"]["lastPhaseTransitionTime"] = obj["metadata"]["creationTimestamp"]


def api_service(obj: Object, old: Object | None) -> None:
    """Tell a group that this server serves itself available at once."""
    if old is None and not (obj.get("spec") or {}).get("service"):
        condition = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": obj["metadata"]["creationTimestamp"],
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        obj["status"] = {"conditions": [condition]}


def signing_request(obj: Object, old: Object | None) -> None:
    """Keep what is to be signed, and what became of it, as it was: subresources move a request on."""
    if old is not None:
        obj["spec"] = old["spec"]


def asked_by(obj: Object, user: User) -> None:
    """Name in a new signing request who asks, whatever its author claims: signers trust that."""
    spec = obj["spec"] = {**(obj.get("spec") or {})}
    for member in ("username", "uid", "groups", "extra"):
        spec.pop(member, None)
    spec["username"] = user.name
    if user.uid:
        spec["uid"] = user.uid
    if user.groups:
        spec["groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {name: list(values) for name, values in user.extra.items()}


_GENERATION = "deprecated.daemonset.template.generation"


def daemon_set(obj: Object, old: Object | None) -> None:
    """Count the template's generations in the annotation that old clients look at."""
    annotations = dict(obj["metadata"].get("annotations") or {})
    if old is None:
        annotations[_GENERATION] = "1"
    else:
        before = (old["metadata"].get("annotations") or {}).get(_GENERATION, "1")
        is_same = obj["spec"].get("template") == old["spec"].get("template")
        count = int(before) if before.isdecimal() else 0
        annotations[_GENERATION] = str(count if is_same else count + 1)
    obj["metadata"]["annotations"] = annotations


def account(obj: Object, old: Object | None) -> None:
    """Keep of the secrets of an account their names: they are of its namespace, whatever was said of them."""
    del old
    if obj.get("secrets"):
        obj["secrets"] = [{"name": each["name"]} if each.get("name") else {} for each in obj["secrets"]]


def node(obj: Object, old: Object | None) -> None:
    """Hold pods off a new node until it is said to be ready."""
    spec = obj.setdefault("spec", {})
    if old is None or (old.get("spec") or {}).get("configSource") is None:
        spec.pop("configSource", None)  # of a feature that was removed
    if old is None:
        taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
        if taint not in (spec.get("taints") or []):
            spec["taints"] = [*(spec.get("taints") or []), taint]


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
    if not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


_GATED = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def pod(obj: Object, old: Object | None) -> None:
    """Begin a pod as pending, with what admission gives every pod; no token volume, as nothing runs here."""
    if old is not None:
        obj["status"] = old.get("status") or {}
        return
    obj["status"] = {"phase": "Pending", "qosClass": quality(obj)}
    spec = obj["spec"]
    if spec.get("schedulingGates"):
        obj["status"]["conditions"] = [{**_GATED, "lastTransitionTime": obj["metadata"]["creationTimestamp"]}]
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    account = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    tolerations = list(spec.get("tolerations") or ())
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_tolerates(each, key) for each in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )
    spec["tolerations"] = tolerations


def _tolerates(toleration: dict[str, object], key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")


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
