"""The table of built-in kinds: for each, its names, selectable fields, generation, and who prepares and judges it.

``strategy_of`` makes the strategy of one kind; ``builtin`` asks once at start, so a row costs nothing until
its kind is used. A kind without a row is plain configuration.

Source: k8s.io/kubernetes/pkg/registry/*/*/strategy.go and the field label conversions of pkg/apis/*/v1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.names import (
    NameRule,
    dns1035_label_errors,
    dns_label_errors,
    dns_subdomain_errors,
    path_segment_errors,
)
from roadbed.apimachinery.request import Object, User
from roadbed.apiserver.registry import Scale
from roadbed.apiserver.strategy import FieldPaths, RoleStrategy, Strategy

from . import lives, signing
from .allocation import Allocator, Services
from .judging import JUDGES, enumerated
from .judging import services as judging_services
from .judging.addresses import address_name_errors
from .shapes import empty_status

Prepare = Callable[[Object, Object | None], None]
"""Completes a new object (old is None) or an updated one in place."""
Judge = Callable[[Object, Object | None], list[Cause]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is special about one kind."""

    generation: bool = False
    overwrites: bool = True  # a PUT without resourceVersion is taken
    creates: bool = False  # a PUT of an absent name creates
    fields: FieldPaths = field(default_factory=dict)
    zeros: Mapping[str, str] = field(default_factory=dict)  # of selectable fields that are not text
    name_rule: NameRule = dns_subdomain_errors
    prepare: Prepare | None = None
    shape: Prepare | None = None  # completes what its author then owns, too
    move_on: Callable[[Object, Object, str, str], list[Cause]] | None = None  # completes and judges a part
    ask: Callable[[Object, User], None] | None = None  # writes down who asks for a new object
    unversioned: tuple[str, ...] = ()  # members beside metadata and status whose change is no new generation
    versions_annotations: bool = False  # a change of annotations is a new generation, too
    parts: tuple[str, ...] = ()  # subresources that write only a part of the object, beside status


class KindStrategy(Strategy):
    """The strategy of one built-in kind, from its facts."""

    def __init__(self, resource: Resource, facts: Facts) -> None:
        self._resource = resource
        self._facts = facts
        self._judge: Judge | None = JUDGES.get((resource.group, resource.plural))
        self.judges_all = self._judge is not None
        self.has_generation = facts.generation
        self.creates_on_update = facts.creates
        self.allows_unconditional_update = facts.overwrites
        self.field_paths = facts.fields
        self.field_zeros = facts.zeros
        self.resets = (("spec",),) if facts.ask is not None else ()
        self.orphans = _ORPHANS.get(resource.qualified)
        self.ends_slowly = resource.qualified == "pods"
        self.returns_deleted = resource.qualified in _RETURNED
        self.status_keeps = (
            None if resource.qualified in _STATUS_ALONE else _STATUS_KEEPS.get(resource.qualified, ())
        )
        self.status_resets = _STATUS_RESETS.get(resource.qualified, (("spec",),))

    @property
    def name_rule(self) -> NameRule:
        return self._facts.name_rule

    def ask(self, obj: Object, user: User) -> None:
        if self._facts.ask is not None:
            self._facts.ask(obj, user)

    def prepare_create(self, obj: Object) -> None:
        if self._facts.shape is not None:
            self._facts.shape(obj, None)

    def complete_create(self, obj: Object) -> None:
        status = empty_status(self._resource)
        if status is not None:
            obj["status"] = status
        if self._facts.prepare is not None:
            self._facts.prepare(obj, None)

    def prepare_update(self, new: Object, old: Object) -> None:
        for prepare in (self._facts.shape, self._facts.prepare):
            if prepare is not None:
                prepare(new, old)

    def prepare_part(self, new: Object, old: Object, subresource: str, now: str) -> Sequence[Cause]:
        move_on = self._facts.move_on
        return () if move_on is None else move_on(new, old, subresource, now)

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        told = [] if self._judge is None else self._judge(obj, old)
        return [*told, *enumerated.judge(self._resource, obj, told)]

    def warnings(self, obj: Object, old: Object | None) -> Sequence[str]:
        from . import cautions

        caution = cautions.CAUTIONS.get((self._resource.group, self._resource.plural))
        return () if caution is None else list(caution(obj, old))

    def spec_changed(self, new: Object, old: Object) -> bool:
        if _desired(new, self._facts.unversioned) != _desired(old, self._facts.unversioned):
            return True
        before, after = (each["metadata"].get("annotations") or {} for each in (old, new))
        return self._facts.versions_annotations and before != after


def _desired(obj: Object, unversioned: tuple[str, ...]) -> dict[str, Any]:
    if "spec" in obj:
        return {"spec": obj["spec"]}
    return {name: each for name, each in obj.items() if name not in ("metadata", "status", *unversioned)}


def _paths(*dotted: str) -> FieldPaths:
    return {each: tuple(each.split(".")) for each in dotted}


_WITH_GENERATION = Facts(generation=True)
_STRICT = Facts(overwrites=False)
_STRICT_WITH_GENERATION = Facts(generation=True, overwrites=False)
_REPLICAS = Facts(generation=True, fields=_paths("status.replicas"), zeros={"status.replicas": "0"})
_POD_FIELDS = _paths(
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_ADMISSION = (
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
)
FACTS: dict[tuple[str, str], Facts] = {
    ("", "pods"): Facts(
        generation=True,
        fields=_POD_FIELDS,
        zeros={"spec.hostNetwork": "false"},
        prepare=lives.pod,
    ),
    ("", "nodes"): Facts(
        fields=_paths("spec.unschedulable"),
        zeros={"spec.unschedulable": "false"},
        prepare=lives.node,
    ),
    ("", "replicationcontrollers"): _REPLICAS,
    ("", "podtemplates"): _WITH_GENERATION,
    ("", "services"): Facts(
        creates=True,
        fields=_paths("spec.clusterIP", "spec.type"),
        name_rule=dns1035_label_errors,
    ),
    ("", "endpoints"): Facts(creates=True),
    ("", "limitranges"): Facts(creates=True),
    ("", "serviceaccounts"): Facts(shape=lives.account),
    ("", "persistentvolumes"): Facts(prepare=lives.pending),
    ("", "persistentvolumeclaims"): Facts(prepare=lives.pending),
    ("apps", "deployments"): Facts(generation=True, versions_annotations=True),
    ("apps", "daemonsets"): Facts(generation=True, shape=lives.daemon_set),
    ("apps", "statefulsets"): Facts(generation=True, name_rule=dns_label_errors),
    ("apps", "replicasets"): _REPLICAS,
    ("batch", "jobs"): Facts(
        generation=True,
        fields={"status.successful": ("status", "succeeded")},
        zeros={"status.successful": "0"},
        prepare=lives.job,
    ),
    ("batch", "cronjobs"): _WITH_GENERATION,
    ("networking.k8s.io", "ingresses"): _WITH_GENERATION,
    ("networking.k8s.io", "ingressclasses"): _WITH_GENERATION,
    ("networking.k8s.io", "networkpolicies"): _WITH_GENERATION,
    ("networking.k8s.io", "ipaddresses"): Facts(name_rule=address_name_errors),
    ("policy", "poddisruptionbudgets"): _STRICT_WITH_GENERATION,
    ("discovery.k8s.io", "endpointslices"): _WITH_GENERATION,
    ("scheduling.k8s.io", "priorityclasses"): _WITH_GENERATION,
    ("node.k8s.io", "runtimeclasses"): Facts(overwrites=False, creates=True),
    ("storage.k8s.io", "csidrivers"): _STRICT,
    ("storage.k8s.io", "csinodes"): _STRICT,
    ("storage.k8s.io", "csistoragecapacities"): _STRICT,
    ("storage.k8s.io", "volumeattachments"): _STRICT,
    ("resource.k8s.io", "resourceslices"): Facts(
        generation=True,
        fields=_paths("spec.nodeName", "spec.driver"),
    ),
    ("resource.k8s.io", "deviceclasses"): _WITH_GENERATION,
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): _WITH_GENERATION,
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): _WITH_GENERATION,
    ("apiregistration.k8s.io", "apiservices"): Facts(
        overwrites=False,
        name_rule=path_segment_errors,
        prepare=lives.api_service,
    ),
    ("certificates.k8s.io", "certificatesigningrequests"): Facts(
        fields=_paths("spec.signerName"),
        prepare=lives.signing_request,
        move_on=signing.move_on,
        ask=lives.asked_by,
    ),
    **{("admissionregistration.k8s.io", plural): _STRICT_WITH_GENERATION for plural in _ADMISSION},
}
_PLAIN = Facts()
# Kinds whose dependents stay where a DELETE says nothing of them, as in the first versions of Kubernetes.
_ORPHANS = {
    "replicationcontrollers": "",
    "jobs.batch": "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning",
}
# Kinds of which a DELETE gives the object it removed (``ReturnDeletedObject`` of their stores).
_RETURNED = frozenset(
    (
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "deviceclasses.resource.k8s.io",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourceclaims.resource.k8s.io",
        "resourceclaimtemplates.resource.k8s.io",
        "resourcequotas",
        "resourceslices.resource.k8s.io",
        "serviceaccounts",
        "services",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "volumeattributesclasses.storage.k8s.io",
    )
)
# Kinds whose status is written without their metadata; of all others metadata may be written along.
_WITH_METADATA = (("spec",), ("metadata",))
_STATUS_RESETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "apiservices.apiregistration.k8s.io": _WITH_METADATA,
    "certificatesigningrequests.certificates.k8s.io": (("spec",), ("status", "conditions")),
    "deployments.apps": (("spec",), ("metadata", "labels")),
    "flowschemas.flowcontrol.apiserver.k8s.io": _WITH_METADATA,
    "pods": (("spec",), ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences")),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _WITH_METADATA,
    "resourceclaims.resource.k8s.io": _WITH_METADATA,
    "servicecidrs.networking.k8s.io": (),  # as Kubernetes, which names them for a group that is none
    "validatingadmissionpolicies.admissionregistration.k8s.io": _WITH_METADATA,
    "volumeattachments.storage.k8s.io": _WITH_METADATA,
}
_STATUS_ALONE = frozenset(
    (
        "servicecidrs.networking.k8s.io",
        *(name for name, resets in _STATUS_RESETS.items() if resets == _WITH_METADATA),
    )
)
_STATUS_KEEPS = {"deployments.apps": ("labels",), "pods": ("ownerReferences",)}
_BY_REPLICAS = Scale(("spec", "replicas"), ("status", "replicas"), ("spec", "selector"))
SCALES = {
    ("", "replicationcontrollers"): _BY_REPLICAS,
    ("apps", "deployments"): _BY_REPLICAS,
    ("apps", "replicasets"): _BY_REPLICAS,
    ("apps", "statefulsets"): _BY_REPLICAS,
}
"""Where the numbers of scale subresources are, by group and plural."""


class ServiceStrategy(KindStrategy):
    """Services are given addresses and ports of nodes, which no two share."""

    def __init__(self, resource: Resource, facts: Facts, allocator: Allocator) -> None:
        super().__init__(resource, facts)
        self._allocator = allocator

    def complete_create(self, obj: Object) -> None:
        super().complete_create(obj)
        self._allocator.complete(obj, None)

    def prepare_update(self, new: Object, old: Object) -> None:
        self._allocator.complete(new, old)

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        # In the order of Kubernetes: a create is allocated for before it is judged, an update after.
        if old is not None:
            return super().validate(obj, old) or self._allocator.judge(obj, old)
        return (
            judging_services.addressed(obj) or self._allocator.judge(obj, None) or super().validate(obj, None)
        )


class _RoleStrategy(RoleStrategy):
    """Roles and bindings: named as paths bear, created by PUT."""

    creates_on_update = True

    def __init__(self, resource: Resource) -> None:
        self._judge = JUDGES.get((resource.group, resource.plural))
        self.judges_all = self._judge is not None

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        return [] if self._judge is None else self._judge(obj, old)


def strategy_of(resource: Resource, services: Services) -> Strategy:
    """Give the strategy of a built-in kind that has none of its own; ``services`` gives every stored service."""
    if resource.group == "rbac.authorization.k8s.io":
        return _RoleStrategy(resource)
    if resource.qualified == "services":
        return ServiceStrategy(resource, FACTS["", "services"], Allocator(services))
    return KindStrategy(resource, FACTS.get((resource.group, resource.plural), _PLAIN))
