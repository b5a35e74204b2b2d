"""What makes roles and their bindings invalid. Pure; whether their writer may grant so much is ``escalation``'s.

Source: k8s.io/kubernetes/pkg/apis/rbac/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import invalid_value, not_supported
from roadbed.apimachinery.errors import ApiError, Cause
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import Object

from .findings import invalid_struct, items, needed, part

_GROUP: Final = "rbac.authorization.k8s.io"


def role(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a Role or ClusterRole."""
    del old
    causes: list[Cause] = []
    is_cluster = obj.get("kind") == "ClusterRole"
    for at, rule in items(obj, "rules"):
        causes += needed(rule, at, "verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if not is_cluster:
                text = "namespaced rules cannot apply to non-resource URLs"
                causes.append(invalid_value(f"{at}.nonResourceURLs", rule["nonResourceURLs"], text))
            if any(rule.get(each) for each in ("apiGroups", "resources", "resourceNames")):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                causes.append(invalid_value(f"{at}.nonResourceURLs", rule["nonResourceURLs"], text))
            continue
        causes += needed(rule, at, "apiGroups", "resource rules must supply at least one api group")
        causes += needed(rule, at, "resources", "resource rules must supply at least one resource")
    return causes + _aggregation(obj)


def _aggregation(obj: Object) -> list[Cause]:
    found = obj.get("aggregationRule")
    if found is None:
        return []
    text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
    causes = needed(found, "aggregationRule", "clusterRoleSelectors", text)
    for at, selector in items(found, "clusterRoleSelectors", "aggregationRule"):
        try:
            Selector.of(selector)
        except ApiError as error:
            causes.append(invalid_value(at, selector, f"invalid label selector: {error.message}"))
    return causes


def binding(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a RoleBinding or ClusterRoleBinding."""
    reference = part(obj, "roleRef")
    known = ("Role", "ClusterRole") if obj.get("kind") == "RoleBinding" else ("ClusterRole",)
    causes: list[Cause] = []
    if reference.get("apiGroup") != _GROUP:
        causes.append(not_supported("roleRef.apiGroup", reference.get("apiGroup"), (_GROUP,)))
    if reference.get("kind") not in known:
        causes.append(not_supported("roleRef.kind", reference.get("kind") or "", known))
    causes += needed(reference, "roleRef", "name")
    for at, subject in items(obj, "subjects"):
        causes += _subject(subject, at, is_namespaced=obj.get("kind") == "RoleBinding")
    if old is not None and reference != part(old, "roleRef"):
        causes.append(invalid_struct("roleRef", _shown(reference), "cannot change roleRef"))
    return causes


def _shown(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Give a roleRef as Go prints its type, which has no JSON names."""
    members = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
    return {shown: reference.get(name) or "" for shown, name in members}


def _subject(subject: dict[str, Any], path: str, *, is_namespaced: bool) -> list[Cause]:
    causes = needed(subject, path, "name")
    kind, known = subject.get("kind"), ("ServiceAccount", "User", "Group")
    if kind not in known:
        return [*causes, not_supported(f"{path}.kind", kind or "", known)]
    wanted = "" if kind == "ServiceAccount" else _GROUP
    if (subject.get("apiGroup") or "") != wanted:
        causes.append(not_supported(f"{path}.apiGroup", subject.get("apiGroup") or "", (wanted,)))
    if kind == "ServiceAccount" and not is_namespaced:
        causes += needed(subject, path, "namespace")
    return causes
