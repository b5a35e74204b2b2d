"""Priority, DefaultTolerationSeconds, Default{Storage,Ingress}Class, StorageObjectInUseProtection: what objects lack.

One mutator, asked before policies and webhooks, in Kubernetes' order. PriorityClasses are held to one default among
them here too, as the same plug-in does.

Source: k8s.io/kubernetes/plugin/pkg/admission/{priority,defaulttolerationseconds,storage,network}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object
from roadbed.apiserver.admission import Reinvocation
from roadbed.apiserver.matching import refusal
from roadbed.apiserver.registry import Registry

TOLERATION_S = 300
_STORAGE_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_STORAGE_DEFAULT_BETA = "storageclass.beta.kubernetes.io/is-default-class"
_INGRESS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_CLAIM_CLASS = "volume.beta.kubernetes.io/storage-class"
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_GROUPS = ("", "networking.k8s.io", "scheduling.k8s.io", "storage.k8s.io")
# Finalizers that the core engine takes away again when nothing uses a deleted object.
_PROTECTION = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "volumeattributesclasses": "kubernetes.io/vac-protection",
}
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class Defaults:
    """The mutator."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._fill: dict[str, Callable[[AdmissionRequest, Object], None]] = {
            "pods": self._pod,
            "persistentvolumeclaims": self._claim,
            "persistentvolumes": _protect,
            "volumeattributesclasses": _protect,
            "ingresses": self._ingress,
            "priorityclasses": self._priority_class,
        }

    def sees(self, resource: Resource) -> bool:
        """Say whether there is something to fill in."""
        return resource.plural in self._fill and resource.group in _GROUPS

    async def mutate(self, request: AdmissionRequest, round_: Reinvocation) -> Object | None:
        """Give the object with what it lacked.

        Raises:
            ForbiddenError: it says what only the server may say, or names what is not there.
        """
        del round_
        if request.object is None or request.subresource:
            return None
        obj: Object = orjson.loads(orjson.dumps(request.object))
        self._fill[request.resource.plural](request, obj)
        return None if obj == request.object else obj

    def _pod(self, request: AdmissionRequest, pod: Object) -> None:
        spec = pod["spec"] = pod.get("spec") or {}
        if request.operation == "CREATE":
            self._prioritise(request, spec)
        elif request.old is not None:
            for member in ("priority", "preemptionPolicy"):
                if spec.get(member) is None and (request.old.get("spec") or {}).get(member) is not None:
                    spec[member] = request.old["spec"][member]
        _tolerate(spec)

    def _prioritise(self, request: AdmissionRequest, spec: dict[str, Any]) -> None:
        name = spec.get("priorityClassName")
        if name:
            entry = self._registry.get("scheduling.k8s.io", "v1", "priorityclasses").cache.get(name)
            if entry is None:
                raise refusal(request, f"no PriorityClass with name {name} was found")
            chosen: Object | None = orjson.loads(entry.value)
        else:
            defaults = [each for each in self._priority_classes() if each.get("globalDefault")]
            chosen = min(defaults, key=lambda each: int(each.get("value") or 0), default=None)
            if chosen is not None:
                spec["priorityClassName"] = chosen["metadata"]["name"]
        value = int((chosen or {}).get("value") or 0)
        policy = (chosen or {"preemptionPolicy": "PreemptLowerPriority"}).get("preemptionPolicy")
        computed = "priority admission controller computed"
        if spec.get("priority") is not None and spec["priority"] != value:
            raise refusal(
                request,
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"{computed} {value} from the given PriorityClass name",
            )
        spec["priority"] = value
        if policy is not None:
            if spec.get("preemptionPolicy") not in (None, policy):
                raise refusal(
                    request,
                    f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod "
                    f"spec; {computed} {policy} from the given PriorityClass name",
                )
            spec["preemptionPolicy"] = policy

    def _priority_classes(self) -> Iterator[Object]:
        return self._all("scheduling.k8s.io", "priorityclasses")

    def _priority_class(self, request: AdmissionRequest, obj: Object) -> None:
        if not obj.get("globalDefault"):
            return
        for each in self._priority_classes():
            name = each["metadata"]["name"]
            if each.get("globalDefault") and (request.operation == "CREATE" or name != request.name):
                raise refusal(
                    request, f"PriorityClass {name} is already marked as default. Only one default can exist"
                )

    def _claim(self, request: AdmissionRequest, claim: Object) -> None:
        _protect(request, claim)
        if request.operation != "CREATE" or _CLAIM_CLASS in (claim["metadata"].get("annotations") or {}):
            return
        spec = claim["spec"] = claim.get("spec") or {}
        if spec.get("storageClassName") is None:
            found = self._default(
                "storage.k8s.io", "storageclasses", (_STORAGE_DEFAULT, _STORAGE_DEFAULT_BETA)
            )
            if found:
                spec["storageClassName"] = found

    def _ingress(self, request: AdmissionRequest, ingress: Object) -> None:
        if request.operation != "CREATE" or _INGRESS_CLASS in (ingress["metadata"].get("annotations") or {}):
            return
        spec = ingress["spec"] = ingress.get("spec") or {}
        if spec.get("ingressClassName") is None:
            found = self._default("networking.k8s.io", "ingressclasses", (_INGRESS_DEFAULT,))
            if found:
                spec["ingressClassName"] = found

    def _default(self, group: str, plural: str, annotations: tuple[str, ...]) -> str:
        """Give the newest class that an annotation marks as default, the first by name among equals."""
        marked = [
            each["metadata"]
            for each in self._all(group, plural)
            if any((each["metadata"].get("annotations") or {}).get(name) == "true" for name in annotations)
        ]
        marked.sort(key=lambda meta: str(meta["name"]))
        marked.sort(key=lambda meta: str(meta["creationTimestamp"]), reverse=True)
        return str(marked[0]["name"]) if marked else ""

    def _all(self, group: str, plural: str) -> Iterator[Object]:
        for entry in self._registry.get(group, "v1", plural).cache.entries():
            yield orjson.loads(entry.value)


def _protect(request: AdmissionRequest, obj: Object) -> None:
    """Let a new object go only when nothing uses it."""
    finalizer = _PROTECTION[request.resource.plural]
    found = obj["metadata"].get("finalizers") or []
    if request.operation == "CREATE" and finalizer not in found:
        obj["metadata"]["finalizers"] = [*found, finalizer]


def _tolerate(spec: dict[str, Any]) -> None:
    told = list(spec.get("tolerations") or ())
    for taint in _TAINTS:
        is_tolerated = any(
            (each.get("key") or taint) == taint and (each.get("effect") or "NoExecute") == "NoExecute"
            for each in told
        )
        if not is_tolerated:
            told.append(
                {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_S}
            )
    spec["tolerations"] = told
