"""What is said about nodes, what selects them, and what grants a share of them. Pure.

Source: k8s.io/kubernetes/pkg/api/node/util.go and the strategies of these kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.names import label_value_errors
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.request import Object
from roadbed.apiserver.kinds.judging.findings import items, part

from . import addresses

DEPRECATED_LABELS: Final[Mapping[str, str]] = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
_MOUNTABLE: Final = "kubernetes.io/enforce-mountable-secrets"
_LIMITED: Final = ("cpu", "memory", "storage", "ephemeral-storage")


def deprecated(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the deprecated ones of some labels of nodes, sorted, each with what is said about it."""
    return ((each, DEPRECATED_LABELS[each]) for each in sorted(set(labels) & DEPRECATED_LABELS.keys()))


def terms(found: Iterable[tuple[str, Any]], *, judges_values: bool = False) -> Iterator[str]:
    """Warn of deprecated labels in terms of node selectors, given with their paths."""
    for path, term in found:
        for at, each in items(term or {}, "matchExpressions", path):
            key = each.get("key") or ""
            if key in DEPRECATED_LABELS:
                yield f"{at}.key: {key} is {DEPRECATED_LABELS[key]}"
            for number, value in enumerate(each.get("values") or ()) if judges_values else ():
                for error in label_value_errors(value):
                    yield f"{at}.values[{number}]: {value} is invalid, {error}"


def node(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of what nodes had once."""
    del old
    spec = part(obj, "spec")
    if spec.get("configSource") is not None:
        yield "spec.configSource: the feature is removed"
    if spec.get("externalID"):
        yield "spec.externalID: this field is deprecated, and is unused by Kubernetes"
    for at, each in items(spec, "podCIDRs", "spec"):
        yield from addresses.cidr(at, each)


def runtime_class(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of deprecated labels that a runtime selects nodes by."""
    del old
    for _, text in deprecated(part(obj, "scheduling").get("nodeSelector") or ()):
        yield f"scheduling.nodeSelector: {text}"


def resource_slice(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of a driver whose name is not in lower case."""
    del old
    driver = str(part(obj, "spec").get("driver") or "")
    if driver != driver.lower():
        yield (
            f"spec.driver: driver names should be lowercase; {go_quote(driver)} contains uppercase characters"
        )


def account(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn once of the annotation that was to isolate secrets."""
    before = {} if old is None else old["metadata"].get("annotations") or {}
    if _MOUNTABLE in (obj["metadata"].get("annotations") or {}) and _MOUNTABLE not in before:
        yield (
            f"metadata.annotations[{_MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate "
            "access to mounted secrets"
        )


def quota(obj: Object, old: Object | None) -> Iterator[str]:
    """Warn of a new quota that grants more requests than limits."""
    hard = part(obj, "spec", "hard")
    for name in _LIMITED if old is None else ():
        asked, limited = f"requests.{name}", f"limits.{name}"
        if asked not in hard and name in ("cpu", "memory"):
            asked = name
        if asked in hard and limited in hard:
            request, limit = parse_quantity(hard[asked]), parse_quantity(hard[limited])
            if request > limit:
                yield f"ResourceQuota {asked} ({request}) should be less than {limited} ({limit})"
