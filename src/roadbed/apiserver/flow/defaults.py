"""The FlowSchemas and PriorityLevelConfigurations that exist from the first start, as kube-apiserver's.

``server`` creates what is absent when it starts. The mandatory ones (``exempt``, ``catch-all``) hold even where
somebody deletes them, until the next start brings them back.

Source: k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from roadbed.apimachinery.request import Object

API_VERSION: Final = "flowcontrol.apiserver.k8s.io/v1"
_MANDATORY: Final = ("exempt", "catch-all")
_ANYBODY: Final = ("system:unauthenticated", "system:authenticated")


def objects() -> list[Object]:
    """Give all of them, levels first."""
    return [*_levels(), *_schemas()]


@cache
def mandatory() -> dict[str, Object]:
    """Give those that nobody can take away, by plural and name."""
    plurals = {"PriorityLevelConfiguration": "prioritylevelconfigurations", "FlowSchema": "flowschemas"}
    return {
        f"{plurals[obj['kind']]}/{obj['metadata']['name']}": obj
        for obj in objects()
        if obj["metadata"]["name"] in _MANDATORY
    }


def _levels() -> list[Object]:
    return [
        _object(
            "PriorityLevelConfiguration",
            "exempt",
            {"type": "Exempt", "exempt": {"lendablePercent": 0, "nominalConcurrencyShares": 0}},
        ),
        _level("catch-all", shares=5, lendable=0, queues=()),
        _level("node-high", shares=40, lendable=25, queues=(64, 6)),
        _level("system", shares=30, lendable=33, queues=(64, 6)),
        _level("leader-election", shares=10, lendable=0, queues=(16, 4)),
        _level("workload-high", shares=40, lendable=50, queues=(128, 6)),
        _level("workload-low", shares=100, lendable=90, queues=(128, 6)),
        _level("global-default", shares=20, lendable=50, queues=(128, 6)),
    ]


def _schemas() -> list[Object]:
    anybody = _groups(*_ANYBODY)
    every = _everything()
    probes = {"nonResourceURLs": ["/healthz", "/readyz", "/livez"], "verbs": ["get"]}
    leases = _kinds(["coordination.k8s.io"], ["leases"], ["get", "create", "update"])
    managers = [_user("system:kube-controller-manager"), _user("system:kube-scheduler")]
    nodes = _groups("system:nodes")
    on_nodes = [
        {**_kinds([""], ["nodes", "nodes/status"], ["*"]), "clusterScope": True},
        _kinds(["coordination.k8s.io"], ["leases"], ["*"]),
    ]
    return [
        _schema("exempt", "exempt", 1, "", {**every, "subjects": _groups("system:masters")}),
        _schema("probes", "exempt", 2, "", {"nonResourceRules": [probes], "subjects": anybody}),
        _schema(
            "system-leader-election",
            "leader-election",
            100,
            "ByUser",
            {"resourceRules": [leases], "subjects": [*managers, _accounts("kube-system")]},
        ),
        _schema(
            "system-node-high", "node-high", 400, "ByUser", {"resourceRules": on_nodes, "subjects": nodes}
        ),
        _schema("system-nodes", "system", 500, "ByUser", {**every, "subjects": nodes}),
        _schema(
            "kube-controller-manager",
            "workload-high",
            800,
            "ByNamespace",
            {**every, "subjects": [managers[0]]},
        ),
        _schema("kube-scheduler", "workload-high", 800, "ByNamespace", {**every, "subjects": [managers[1]]}),
        _schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            {**every, "subjects": [_accounts("kube-system")]},
        ),
        _schema(
            "service-accounts",
            "workload-low",
            9000,
            "ByUser",
            {**every, "subjects": _groups("system:serviceaccounts")},
        ),
        _schema("global-default", "global-default", 9900, "ByUser", {**every, "subjects": anybody}),
        _schema("catch-all", "catch-all", 10000, "ByUser", {**every, "subjects": anybody}),
    ]


def _object(kind: str, name: str, spec: Object) -> Object:
    metadata = {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _level(name: str, *, shares: int, lendable: int, queues: Sequence[int]) -> Object:
    response: dict[str, Any] = {"type": "Reject"}
    if queues:
        number, hand = queues
        queuing = {"queues": number, "handSize": hand, "queueLengthLimit": 50}
        response = {"type": "Queue", "queuing": queuing}
    limited = {"nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response}
    return _object("PriorityLevelConfiguration", name, {"type": "Limited", "limited": limited})


def _schema(name: str, level: str, precedence: int, by: str, rule: Object) -> Object:
    spec: Object = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [rule],
    }
    if by:
        spec["distinguisherMethod"] = {"type": by}
    return _object("FlowSchema", name, spec)


def _everything() -> Object:
    kinds = {**_kinds(["*"], ["*"], ["*"]), "clusterScope": True}
    return {"resourceRules": [kinds], "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}]}


def _kinds(groups: list[str], resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs, "namespaces": ["*"]}


def _groups(*names: str) -> list[Object]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _user(name: str) -> Object:
    return {"kind": "User", "user": {"name": name}}


def _accounts(namespace: str) -> Object:
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": "*"}}
