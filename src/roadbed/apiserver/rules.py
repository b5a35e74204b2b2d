"""RBAC policy rules as values: what one allows, what one covers of another, how a message prints it.

Pure; used by ``authz`` (decisions), ``escalation`` (nobody grants what they lack) and ``reviews`` (listing).

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from roadbed.apimachinery.causes import go_quote

from .ports import Attributes

ALL = "*"


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One entry of ``rules`` in a Role or ClusterRole."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def read(cls, rule: Mapping[str, Any]) -> PolicyRule:
        """Read the wire form; members that are absent or malformed allow nothing."""
        return cls(
            _strings(rule.get("verbs")),
            _strings(rule.get("apiGroups")),
            _strings(rule.get("resources")),
            _strings(rule.get("resourceNames")),
            _strings(rule.get("nonResourceURLs")),
        )

    def to_json(self) -> dict[str, list[str]]:
        """Give the wire form without empty members."""
        wire = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.urls,
        }
        return {name: list(values) for name, values in wire.items() if values}

    def allows_kind(self, asked: Attributes) -> bool:
        """Say whether verb, group and resource fit; ``names`` is the caller's to look at."""
        return (
            _has(self.verbs, asked.verb)
            and _has(self.groups, asked.group)
            and any(_fits(owned, asked.resource, asked.subresource) for owned in self.resources)
        )

    def allows_path(self, verb: str, path: str) -> bool:
        """Say whether a non-resource request is allowed."""
        return _has(self.verbs, verb) and any(_fits_url(owned, path) for owned in self.urls)

    def covers(self, asked: PolicyRule) -> bool:
        """Say whether all that ``asked`` allows is allowed by this rule alone."""
        if not _has_all(self.verbs, asked.verbs):
            return False
        if asked.urls:
            return all(any(_fits_url(owned, url) for owned in self.urls) for url in asked.urls)
        if self.names and (not asked.names or not set(asked.names) <= set(self.names)):
            return False
        return _has_all(self.groups, asked.groups) and all(
            any(_fits(owned, *_split(resource)) for owned in self.resources) for resource in asked.resources
        )

    def __str__(self) -> str:
        """Print it as Kubernetes' escalation message does."""
        members = [
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.urls),
            ("ResourceNames", self.names),
            ("Verbs", self.verbs),
        ]
        return "{" + ", ".join(f"{name}:{quoted(values)}" for name, values in members if values) + "}"


EVERYTHING = (PolicyRule((ALL,), (ALL,), (ALL,)), PolicyRule((ALL,), urls=(ALL,)))


def missing(owned: Sequence[PolicyRule], asked: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Give what of ``asked`` no rule of ``owned`` covers, verbs of one resource joined, sorted."""
    lacking: dict[PolicyRule, set[str]] = {}
    for part in (part for rule in asked for part in _parts(rule)):
        if not any(rule.covers(part) for rule in owned):
            place = PolicyRule((), part.groups, part.resources, part.names, part.urls)
            lacking.setdefault(place, set()).update(part.verbs)
    joined = [
        PolicyRule(tuple(sorted(verbs)), at.groups, at.resources, at.names, at.urls)
        for at, verbs in lacking.items()
    ]
    return sorted(joined, key=str)


def quoted(values: Iterable[str]) -> str:
    """Print strings as Go's ``%q`` prints a slice of them."""
    return "[" + " ".join(go_quote(value) for value in values) + "]"


def _parts(rule: PolicyRule) -> Iterable[PolicyRule]:
    """Split a rule into its smallest rules: one verb, group, resource, name or URL each."""
    for verb, url in product(rule.verbs, rule.urls):
        yield PolicyRule((verb,), urls=(url,))
    for verb, group, resource in product(rule.verbs, rule.groups, rule.resources):
        for name in rule.names or (None,):
            yield PolicyRule((verb,), (group,), (resource,), () if name is None else (name,))


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _has(owned: tuple[str, ...], asked: str) -> bool:
    return ALL in owned or asked in owned


def _has_all(owned: tuple[str, ...], asked: tuple[str, ...]) -> bool:
    return ALL in owned or set(asked) <= set(owned)


def _split(resource: str) -> tuple[str, str]:
    plural, _, subresource = resource.partition("/")
    return plural, subresource


def _fits(owned: str, resource: str, subresource: str) -> bool:
    if owned == ALL:
        return True
    if not subresource:
        return owned == resource
    return owned in (f"{resource}/{subresource}", f"*/{subresource}")


def _fits_url(owned: str, path: str) -> bool:
    if owned.endswith(ALL):
        return path.startswith(owned[:-1])
    return owned == path
