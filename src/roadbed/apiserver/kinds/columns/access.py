"""Cells of roles, bindings, certificate requests, admission and flow control. Pure."""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import human_duration
from roadbed.apiserver.columns import Cell

from .cells import NONE, UNSET, age, at, count, name, number, of, path


def _role(binding: Object) -> str:
    reference = binding.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _subjects(kind: str) -> Cell:
    def read(binding: Object) -> str:
        found = [each for each in binding.get("subjects") or () if each.get("kind") == kind]
        is_account = kind == "ServiceAccount"
        return ", ".join(
            f"{each.get('namespace', '')}/{each.get('name', '')}" if is_account else str(each.get("name", ""))
            for each in found
        )

    return of(read)


def _verdict(request: Object) -> str:
    holds = {each.get("type") for each in at(request, "status", "conditions", otherwise=())}
    word = "Denied" if "Denied" in holds else "Approved" if "Approved" in holds else "Pending"
    word += ",Failed" if "Failed" in holds else ""
    return f"{word},Issued" if at(request, "status", "certificate") else word


def _asked_for(request: Object) -> str:
    found = at(request, "spec", "expirationSeconds")
    return NONE if found is None else human_duration(float(found))


def _param_kind(policy: Object) -> str:
    found = at(policy, "spec", "paramKind")
    return f"{found.get('apiVersion', '')}/{found.get('kind', '')}" if found else UNSET


def _param(binding: Object) -> str:
    found = at(binding, "spec", "paramRef")
    if found and found.get("name"):
        return f"{found.get('namespace') or '*'}/{found['name']}"
    return UNSET


def _dangling(schema: Object) -> str:
    for each in at(schema, "status", "conditions", otherwise=()):
        if each.get("type") == "Dangling":
            return str(each.get("status"))
    return "?"


def _limit(*names: str) -> Cell:
    def read(level: Object) -> Any:
        limited = at(level, "spec", "limited")
        if limited is None or (len(names) > 1 and at(limited, *names[:-1]) is None):
            return NONE
        return at(limited, *names, otherwise=0)

    return of(read)


_QUEUING = ("limitResponse", "queuing")
_BINDING = (name, of(_role), age, *(_subjects(each) for each in ("User", "Group", "ServiceAccount")))
_POLICY_BINDING = (name, path("spec", "policyName"), of(_param), age)
_WEBHOOKS = (name, count("webhooks"), age)
_ADMISSION = "admissionregistration.k8s.io"
_FLOW = "flowcontrol.apiserver.k8s.io"
ACCESS: dict[tuple[str, str], tuple[Cell, ...]] = {
    ("rbac.authorization.k8s.io", "rolebindings"): _BINDING,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): _BINDING,
    ("certificates.k8s.io", "certificatesigningrequests"): (
        name,
        age,
        of(lambda obj: at(obj, "spec", "signerName") or NONE),
        path("spec", "username"),
        of(_asked_for),
        of(_verdict),
    ),
    (_ADMISSION, "mutatingwebhookconfigurations"): _WEBHOOKS,
    (_ADMISSION, "validatingwebhookconfigurations"): _WEBHOOKS,
    (_ADMISSION, "validatingadmissionpolicies"): (name, count("spec", "validations"), of(_param_kind), age),
    (_ADMISSION, "mutatingadmissionpolicies"): (name, count("spec", "mutations"), of(_param_kind), age),
    (_ADMISSION, "validatingadmissionpolicybindings"): _POLICY_BINDING,
    (_ADMISSION, "mutatingadmissionpolicybindings"): _POLICY_BINDING,
    (_FLOW, "flowschemas"): (
        name,
        path("spec", "priorityLevelConfiguration", "name"),
        number("spec", "matchingPrecedence"),
        path("spec", "distinguisherMethod", "type", otherwise=NONE),
        age,
        of(_dangling),
    ),
    (_FLOW, "prioritylevelconfigurations"): (
        name,
        path("spec", "type"),
        _limit("nominalConcurrencyShares"),
        _limit(*_QUEUING, "queues"),
        _limit(*_QUEUING, "handSize"),
        _limit(*_QUEUING, "queueLengthLimit"),
        age,
    ),
}
