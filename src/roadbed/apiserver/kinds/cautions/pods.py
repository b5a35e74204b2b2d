"""What is said about a pod, or the template of one: what is deprecated, doubled, or matches nothing. Pure.

Source: k8s.io/kubernetes/pkg/api/pod/warnings.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import go_quote
from roadbed.apiserver.kinds.judging.findings import items, part

from . import addresses, nodes, overlaps, storage

_ANNOTATIONS: Final = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP: Final = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP_GONE: Final = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_NO_SELECTOR: Final = "a null labelSelector results in matching no pod"
_BYTES: Final = ("memory", "ephemeral-storage")
_DURING: Final = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def pod_of(pod: Mapping[str, Any], path: str) -> Iterator[str]:
    """Warn about a pod (with an empty path), or about a template of one."""
    at = f"{path}.spec" if path else "spec"
    notes = f"{path}.metadata.annotations" if path else "metadata.annotations"
    spec, annotations = part(pod, "spec"), part(pod, "metadata").get("annotations") or {}
    yield from _placing(spec, at)
    for name, text in _ANNOTATIONS.items():
        if name in annotations:
            yield f"{notes}[{name}]: {text}"
    for place, each in items(spec, "volumes", at):
        yield from storage.plugins(each, place, is_of_pod=True)
        template = part(each, "ephemeral").get("volumeClaimTemplate")
        if template is not None:
            yield from storage.claim_spec(
                part(template, "spec"), f"{place}.ephemeral.volumeClaimTemplate.spec"
            )
    yield from overlaps.overlapping(spec.get("volumes") or ())
    yield from _doubled(spec, at)
    for name in _BYTES:
        yield from storage.fraction(part(spec, "overhead"), name, f"{at}.overhead")
    security = part(spec, "securityContext")
    if security.get("seccompProfile") is None and _SECCOMP_POD in annotations:
        yield f"{notes}[{_SECCOMP_POD}]: {_SECCOMP_GONE}"
    for place, each in _containers(spec, at):
        yield from _annotated(each, annotations, notes, security if path else None)
        yield from _container(each, place)
    yield from _ports(spec, at)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        yield f"{at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
    yield from _beside(spec, at)
    for place, each in items(part(spec, "dnsConfig"), "nameservers", f"{at}.dnsConfig"):
        yield from addresses.address(place, each)
    for place, each in items(spec, "hostAliases", at):
        yield from addresses.address(f"{place}.ip", each.get("ip") or "")


def _containers(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for member in ("initContainers", "containers", "ephemeralContainers"):
        yield from items(spec, member, path)


def _placing(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """Warn of deprecated labels of nodes, and of selectors of pods that select none."""
    for name, text in nodes.deprecated(spec.get("nodeSelector") or ()):
        yield f"{path}.nodeSelector[{name}]: {text}"
    affinity, at = part(spec, "affinity", "nodeAffinity"), f"{path}.affinity.nodeAffinity"
    required = items(part(affinity, _DURING[0]), "nodeSelectorTerms", f"{at}.{_DURING[0]}")
    yield from nodes.terms(required)
    preferred = [
        (f"{place}.preference", part(each, "preference")) for place, each in items(affinity, _DURING[1], at)
    ]
    yield from nodes.terms(preferred, judges_values=True)
    for place, each in items(spec, "topologySpreadConstraints", path):
        key = each.get("topologyKey") or ""
        if key in nodes.DEPRECATED_LABELS:
            yield f"{place}.topologyKey: {key} is {nodes.DEPRECATED_LABELS[key]}"
        if each.get("labelSelector") is None:
            yield f"{place}.labelSelector: {_NO_SELECTOR}"


def _beside(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """Warn of pods beside which, or far from which, a pod wants to run, and that are not selected."""
    for member in ("podAffinity", "podAntiAffinity"):
        affinity, at = part(spec, "affinity", member), f"{path}.affinity.{member}"
        for place, each in items(affinity, _DURING[0], at):
            if each.get("labelSelector") is None:
                yield f"{place}.labelSelector: {_NO_SELECTOR}"
        for place, each in items(affinity, _DURING[1], at):
            if part(each, "podAffinityTerm").get("labelSelector") is None:
                yield f"{place}.podAffinityTerm.labelSelector: {_NO_SELECTOR}"


def _doubled(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    for member, key in (("hostAliases", "ip"), ("imagePullSecrets", "name")):
        seen: set[str] = set()
        for place, each in items(spec, member, path):
            found = str(each.get(key) or "")
            if found in seen:
                yield f"{place}.{key}: duplicate {key} {go_quote(found)}"
            seen.add(found)
    for place, each in items(spec, "imagePullSecrets", path):
        if not each.get("name"):
            yield f'{place}.name: invalid empty name ""'


def _annotated(
    container: Mapping[str, Any],
    annotations: Mapping[str, str],
    notes: str,
    security: Mapping[str, Any] | None,
) -> Iterator[str]:
    """Warn of annotations in place of fields; ``security`` is that of a template."""
    own, name = part(container, "securityContext"), container.get("name")
    if own.get("seccompProfile") is None and f"{_SECCOMP}{name}" in annotations:
        yield f"{notes}[{_SECCOMP}{name}]: {_SECCOMP_GONE}"
    key = f"{_APPARMOR}{name}"
    if security is None or own.get("appArmorProfile") is not None or key not in annotations:
        return
    profile = security.get("appArmorProfile")
    if profile is None or profile != _profile(annotations[key]):
        yield f'{notes}[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'


def _profile(annotation: str) -> dict[str, str] | None:
    """Give the field that an annotation on AppArmor stands for."""
    named = {"unconfined": "Unconfined", "runtime/default": "RuntimeDefault"}
    if annotation in named:
        return {"type": named[annotation]}
    local = annotation.removeprefix("localhost/")
    return {"type": "Localhost", "localhostProfile": local} if local not in ("", annotation) else None


def _container(container: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in _BYTES:
        for member in ("limits", "requests"):
            yield from storage.fraction(
                part(container, "resources", member), name, f"{path}.resources.{member}"
            )
    seen: set[str] = set()
    for place, each in items(container, "env", path):
        name, value = str(each.get("name") or ""), str(each.get("value") or "")
        reference = f"$({name})"
        # What adds to the value before is meant.
        is_new = each.get("valueFrom") is not None or value == reference or reference not in value
        if name in seen and is_new:
            shown = go_quote(name)
            yield f"{place}: hides previous definition of {shown}, which may be dropped when using apply"
        seen.add(name)


def _ports(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """Warn of ports that several containers, or one several times, have."""
    known: dict[tuple[Any, Any], list[tuple[str, Any]]] = {}
    for at, container in _containers(spec, path):
        for place, port in items(container, "ports", at):
            if port.get("hostIP") and not port.get("hostPort"):
                yield f"{place}: hostIP set without hostPort: {_struct(port)}"
            others = known.setdefault((port.get("containerPort"), port.get("protocol")), [])
            for other, each in others:
                problem = _clash(port, each)
                if problem:
                    yield f"{place}: {problem} port definition with {other}"
            others.append((place, port))
    named: dict[str, str] = {}
    for at, container in _containers(spec, path):
        for place, port in items(container, "ports", at):
            name = port.get("name")
            if name and name in named:
                first = named[name]
                yield (
                    f"{place}: duplicate port name {go_quote(name)} with {first}, services and probes that select "
                    f"ports by name will use {first}"
                )
            elif name:
                named[name] = place


def _clash(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    address, before = one.get("hostIP") or "", other.get("hostIP") or ""
    port, taken = one.get("hostPort") or 0, other.get("hostPort") or 0
    if (address, port) == (before, taken):
        return "duplicate"
    if not port or not taken:
        return "overlapping"
    return "dangerously ambiguous" if port == taken and not (address and before) else ""


def _struct(port: Mapping[str, Any]) -> str:
    return (
        f"{{Name:{port.get('name') or ''} HostPort:{port.get('hostPort') or 0} "
        f"ContainerPort:{port.get('containerPort') or 0} Protocol:{port.get('protocol') or ''} "
        f"HostIP:{port.get('hostIP') or ''}}}"
    )
