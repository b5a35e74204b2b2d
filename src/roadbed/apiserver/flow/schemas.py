"""FlowSchemas: which priority level a request belongs to, and whose flow it is in it.

Pure; ``control`` compiles the stored objects and keeps what was decided. A schema that can't be read matches
nothing.

Source: k8s.io/apiserver/pkg/util/flowcontrol/rule.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from roadbed.apimachinery.request import Object, User
from roadbed.apiserver.ports import Attributes

ALL: Final = "*"
_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class _Rule:
    """Subjects and what they ask for; one of each must fit."""

    users: frozenset[str]
    groups: frozenset[str]
    accounts: frozenset[tuple[str, str]]  # namespace and name
    kinds: tuple[Mapping[str, Any], ...]
    paths: tuple[Mapping[str, Any], ...]

    def fits(self, user: User, asked: Attributes) -> bool:
        if not self._has(user):
            return False
        if asked.path:
            return any(_fits_path(rule, asked) for rule in self.paths)
        return any(_fits_kind(rule, asked) for rule in self.kinds)

    def _has(self, user: User) -> bool:
        if user.name in self.users or ALL in self.users or ALL in self.groups:
            return True
        if not self.groups.isdisjoint(user.groups):
            return True
        if not self.accounts or not user.name.startswith(_ACCOUNT):
            return False
        namespace, _, name = user.name.removeprefix(_ACCOUNT).partition(":")
        return (namespace, name) in self.accounts or (namespace, ALL) in self.accounts


@dataclass(frozen=True, slots=True)
class Schema:
    """One FlowSchema, ready to be asked."""

    name: str
    uid: str
    precedence: int
    level: str
    by: str  # ByUser, ByNamespace, or empty: one flow for all
    rules: tuple[_Rule, ...]

    @classmethod
    def read(cls, obj: Object) -> Schema:
        """Read a stored FlowSchema.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: it is none.
        """
        spec = obj["spec"]
        return cls(
            name=obj["metadata"]["name"],
            uid=obj["metadata"].get("uid") or "",
            precedence=int(spec.get("matchingPrecedence") or 1000),
            level=spec["priorityLevelConfiguration"]["name"],
            by=(spec.get("distinguisherMethod") or {}).get("type") or "",
            rules=tuple(_rule(rule) for rule in spec.get("rules") or ()),
        )

    def matches(self, user: User, asked: Attributes) -> bool:
        """Say whether a request falls under it."""
        return any(rule.fits(user, asked) for rule in self.rules)

    def flow(self, user: User, asked: Attributes) -> str:
        """Name the flow of a request that matched."""
        if self.by == "ByUser":
            return user.name
        return asked.namespace if self.by == "ByNamespace" else ""


def ordered(schemas: Iterable[Schema]) -> list[Schema]:
    """Give schemas in the order in which they are asked."""
    return sorted(schemas, key=lambda schema: (schema.precedence, schema.name))


def _rule(rule: Mapping[str, Any]) -> _Rule:
    users, groups, accounts = set(), set(), set()
    for subject in rule.get("subjects") or ():
        match subject["kind"]:
            case "User":
                users.add(str(subject["user"]["name"]))
            case "Group":
                groups.add(str(subject["group"]["name"]))
            case "ServiceAccount":
                named = subject["serviceAccount"]
                accounts.add((str(named["namespace"]), str(named["name"])))
    return _Rule(
        frozenset(users),
        frozenset(groups),
        frozenset(accounts),
        tuple(rule.get("resourceRules") or ()),
        tuple(rule.get("nonResourceRules") or ()),
    )


def _fits_kind(rule: Mapping[str, Any], asked: Attributes) -> bool:
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    if not (
        _has(rule, "verbs", asked.verb)
        and _has(rule, "apiGroups", asked.group)
        and _has(rule, "resources", resource)
    ):
        return False
    if asked.namespace:
        return _has(rule, "namespaces", asked.namespace)
    return bool(rule.get("clusterScope"))


def _fits_path(rule: Mapping[str, Any], asked: Attributes) -> bool:
    if not _has(rule, "verbs", asked.verb):
        return False
    return any(
        url in (ALL, asked.path) or (url.endswith("/*") and asked.path.startswith(url[:-1]))
        for url in rule.get("nonResourceURLs") or ()
    )


def _has(rule: Mapping[str, Any], word: str, value: str) -> bool:
    values = rule.get(word) or ()
    return value in values or ALL in values
