"""Roles, bindings and rules as objects, in few words. Pure; for ``bootstrap``.

Everything made here is labelled as Kubernetes labels what it brings itself, and is brought up to date at a newer start
unless its annotation is set to ``false``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from roadbed.apimachinery.request import Object

from .authz import GROUP

AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "update", "patch", "delete", "deletecollection")
_LABELS: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}


def role(name: str, *rules: Object, part_of: str = "", namespace: str = "") -> Object:
    """Give a ClusterRole, or a Role where a namespace is named; ``part_of`` is a label by which it is collected."""
    meta = _metadata(name, namespace)
    if part_of:
        meta["labels"][part_of] = "true"
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, "rules": list(rules)}


def aggregate(name: str, label: str, part_of: str = "") -> Object:
    """Give a ClusterRole that collects those with a label."""
    selector: dict[str, Any] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    return {**role(name, part_of=part_of), "aggregationRule": selector}


def binding(name: str, bound: str, *, user: str = "", groups: Sequence[str] = ()) -> Object:
    """Give a ClusterRoleBinding of a ClusterRole to a user or to groups."""
    kind, names = ("User", (user,)) if user else ("Group", groups)
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(name, ""),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": bound},
        "subjects": [{"apiGroup": GROUP, "kind": kind, "name": each} for each in names],
    }


def rule(
    verbs: Sequence[str], groups: str | Sequence[str], *resources: str, names: Sequence[str] = ()
) -> Object:
    """Give a rule on resources."""
    listed = [groups] if isinstance(groups, str) else list(groups)
    found = {"apiGroups": listed, "resources": list(resources), "verbs": list(verbs)}
    return {**found, "resourceNames": list(names)} if names else found


def paths(verbs: Sequence[str], *urls: str) -> Object:
    """Give a rule on addresses that are no resources."""
    return {"nonResourceURLs": list(urls), "verbs": list(verbs)}


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    meta = {"name": name, "labels": dict(_LABELS), "annotations": {AUTOUPDATE: "true"}}
    return {**meta, "namespace": namespace} if namespace else meta
