"""May a user do something: RBAC as Kubernetes has it, compiled from the stored roles and bindings.

Asked by the request path, reviews and the escalation guard, on the event loop; it reads the store's
memory and never waits. The store tells it of every committed write before the writer's await returns, so
a grant or its removal holds for the very next request. Decisions are kept per user until any RBAC object
changes. Aggregated ClusterRoles are resolved here, so they hold before a controller has written them out.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import ApiError, ForbiddenError
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import User
from roadbed.storage import Event, Storage

from . import rules
from .ports import Attributes
from .rules import PolicyRule

logger = logging.getLogger(__name__)

GROUP: Final = "rbac.authorization.k8s.io"
MASTERS: Final = "system:masters"
_PREFIX: Final = f"/{GROUP}/"
_MAX_USERS = 2_000  # views kept; more users than this at once only cost compiling again
_MAX_DECISIONS = 8_000  # per user; namespaces x kinds x verbs of a busy engine stay below

_DecisionKey = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Role:
    rules: tuple[PolicyRule, ...]
    labels: Mapping[str, str]
    aggregates: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True)
class _Binding:
    name: str
    namespace: str
    role_kind: str
    role_name: str
    subjects: tuple[tuple[str, str], ...]  # ("User" | "Group", name); service accounts by their user name

    def __str__(self) -> str:
        role = f"{self.role_kind} {go_quote(self.role_name)}"
        if not self.namespace:
            return f"ClusterRoleBinding {go_quote(self.name)} of {role}"
        return f"RoleBinding {go_quote(f'{self.name}/{self.namespace}')} of {role}"


@dataclass(slots=True)
class _View:
    """What one user may, compiled; ``decisions`` hold True, or the only names that are allowed."""

    everywhere: tuple[PolicyRule, ...]
    namespaced: Mapping[str, tuple[PolicyRule, ...]]
    dangling: Mapping[str, tuple[str, ...]]
    decisions: dict[_DecisionKey, bool | frozenset[str]] = field(default_factory=dict)

    def rules_in(self, namespace: str) -> tuple[PolicyRule, ...]:
        return self.everywhere + (self.namespaced.get(namespace, ()) if namespace else ())


class Rbac:
    """The ``Authorizer`` of the API server; follows RBAC objects in the store."""

    def __init__(self, storage: Storage) -> None:
        self._roles: dict[str, _Role] = {}  # by storage key below the group: "clusterroles/x", "roles/ns/x"
        self._bindings: dict[str, _Binding] = {}
        self._by_subject: dict[tuple[str, str], list[_Binding]] | None = None
        self._views: dict[tuple[str, tuple[str, ...]], _View] = {}
        for record in storage.scan(_PREFIX):
            self._learn(record.key, record.value)
        self._unsubscribe = storage.subscribe(self._observe)

    def close(self) -> None:
        """Stop following the store."""
        self._unsubscribe()

    def check(self, user: User, attributes: Attributes) -> None:
        """Return when allowed.

        Raises:
            ForbiddenError: with Kubernetes' text, and the roles that a binding names in vain.
        """
        if not self.allows(user, attributes):
            raise forbidden(user, attributes, self.trouble(user, attributes.namespace))

    def allows(self, user: User, attributes: Attributes) -> bool:
        """Say whether the user may."""
        if MASTERS in user.groups:
            return True
        view = self._view(user)
        asked = attributes
        key = (asked.verb, asked.group, asked.resource, asked.subresource, asked.namespace, asked.path)
        found = view.decisions.get(key)
        if found is None:
            if len(view.decisions) >= _MAX_DECISIONS:
                view.decisions.clear()
            found = view.decisions[key] = _decide(view, asked)
        return found if isinstance(found, bool) else asked.name in found

    def explain(self, user: User, attributes: Attributes) -> tuple[bool, str]:
        """Say whether the user may, and which binding says so, or what stands in the way.

        Looked up anew each time: for the audit log and for reviews, not for every request.
        """
        if MASTERS in user.groups:
            return True, ""
        if not self.allows(user, attributes):
            return False, self.trouble(user, attributes.namespace)
        found = self._index()
        for subject in (("User", user.name), *(("Group", group) for group in user.groups)):
            for binding in sorted(found.get(subject, ()), key=lambda each: (each.namespace, each.name)):
                if binding.namespace in ("", attributes.namespace) and self._grants(binding, attributes):
                    return True, f"RBAC: allowed by {binding} to {_subject(subject)}"
        return True, ""

    def _grants(self, binding: _Binding, asked: Attributes) -> bool:
        owned = self.rules_of(binding.role_kind, binding.role_name, binding.namespace) or ()
        if asked.path:
            return not binding.namespace and any(rule.allows_path(asked.verb, asked.path) for rule in owned)
        return any(rule.allows_kind(asked) and (not rule.names or asked.name in rule.names) for rule in owned)

    def rules_for(self, user: User, namespace: str) -> tuple[PolicyRule, ...]:
        """Give every rule that holds for the user in a namespace (or cluster-wide, for the empty one)."""
        if MASTERS in user.groups:
            return rules.EVERYTHING + self._view(user).rules_in(namespace)
        return self._view(user).rules_in(namespace)

    def rules_of(self, role_kind: str, name: str, namespace: str) -> tuple[PolicyRule, ...] | None:
        """Give the rules of a Role or ClusterRole, aggregation resolved; None where it does not exist."""
        key = f"clusterroles/{name}" if role_kind == "ClusterRole" else f"roles/{namespace}/{name}"
        role = self._roles.get(key)
        return None if role is None else self._resolve(role, frozenset((key,)))

    def aggregated(self, selectors: Sequence[Mapping[str, Any]]) -> tuple[PolicyRule, ...]:
        """Give the rules that an ``aggregationRule`` with these selectors collects now."""
        role = _Role((), {}, tuple(Selector.of(selector) for selector in selectors))
        return self._resolve(role, frozenset())

    def trouble(self, user: User, namespace: str) -> str:
        """Name the roles that the user's bindings point to and that don't exist, or give the empty string."""
        if MASTERS in user.groups:
            return ""
        dangling = self._view(user).dangling
        missing = dict.fromkeys((*dangling.get("", ()), *(dangling.get(namespace, ()) if namespace else ())))
        texts = list(missing)
        if not texts:
            return ""
        return "RBAC: " + (texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]")

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.key.startswith(_PREFIX):
                self._learn(event.key, b"" if event.is_delete else event.value)

    def _learn(self, key: str, value: bytes) -> None:
        """Take over one object, or its absence, and forget what was compiled."""
        self._by_subject = None
        self._views.clear()
        tail = key.removeprefix(_PREFIX)
        plural = tail.partition("/")[0]
        self._roles.pop(tail, None)
        self._bindings.pop(tail, None)
        if not value:
            return
        try:
            obj = orjson.loads(value)
            if plural in ("roles", "clusterroles"):
                self._roles[tail] = _read_role(obj)
            elif plural in ("rolebindings", "clusterrolebindings"):
                self._bindings[tail] = _read_binding(obj)
        except (ApiError, ValueError, TypeError, AttributeError):
            # Admission lets none of these in, but a store outlives its writers: what can't be read grants nothing.
            logger.exception("cannot read an RBAC object; it grants nothing", extra={"key": key})

    def _view(self, user: User) -> _View:
        key = (user.name, user.groups)
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= _MAX_USERS:
                self._views.clear()
            view = self._views[key] = self._compile(user)
        return view

    def _compile(self, user: User) -> _View:
        index = self._index()
        subjects = (("User", user.name), *(("Group", group) for group in user.groups))
        collected: dict[str, dict[PolicyRule, None]] = {"": {}}
        dangling: dict[str, dict[str, None]] = {}
        for binding in (binding for subject in subjects for binding in index.get(subject, ())):
            found = self.rules_of(binding.role_kind, binding.role_name, binding.namespace)
            if found is None:
                text = f'{binding.role_kind.lower()}.{GROUP} "{binding.role_name}" not found'
                dangling.setdefault(binding.namespace, {})[text] = None
                continue
            collected.setdefault(binding.namespace, {}).update(dict.fromkeys(found))
        return _View(
            everywhere=tuple(collected.pop("")),
            namespaced={namespace: tuple(found) for namespace, found in collected.items()},
            dangling={namespace: tuple(texts) for namespace, texts in dangling.items()},
        )

    def _index(self) -> dict[tuple[str, str], list[_Binding]]:
        if self._by_subject is None:
            self._by_subject = {}
            for binding in self._bindings.values():
                for subject in dict.fromkeys(binding.subjects):
                    self._by_subject.setdefault(subject, []).append(binding)
        return self._by_subject

    def _resolve(self, role: _Role, seen: frozenset[str]) -> tuple[PolicyRule, ...]:
        """Give a role's rules; aggregated ones may aggregate again, each role once (cycles end)."""
        if not role.aggregates:
            return role.rules
        found = dict.fromkeys(role.rules)
        others = [key for key in self._roles if key.startswith("clusterroles/") and key not in seen]
        for key in others:
            other = self._roles[key]
            if any(selector.matches(other.labels) for selector in role.aggregates):
                found.update(dict.fromkeys(self._resolve(other, seen | {key})))
        return tuple(found)


def _subject(subject: tuple[str, str]) -> str:
    kind, name = subject
    account = name.removeprefix("system:serviceaccount:")
    if kind == "User" and account != name:
        namespace, _, account = account.partition(":")
        return f"ServiceAccount {go_quote(f'{account}/{namespace}')}"
    return f"{kind} {go_quote(name)}"


def forbidden(user: User, attributes: Attributes, reason: str = "") -> ForbiddenError:
    """Make Kubernetes' refusal: who cannot do what, where, and why if there is more to say."""
    asked = attributes
    who = f"User {go_quote(user.name)} cannot {asked.verb}"
    if asked.path:
        text = f"{who} path {go_quote(asked.path)}"
    else:
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        text = f'{who} resource "{resource}" in API group "{asked.group}" {place}'
    # Kubernetes does the same, so that no answer can pass for HTML.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = f"{text}: {reason}" if reason else text
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    if asked.resource and asked.name:
        qualified = f"{qualified} {go_quote(asked.name)}"
    message = f"{qualified} is forbidden: {text}" if asked.resource else f"forbidden: {text}"
    return ForbiddenError(message, group=asked.group, kind=asked.resource, name=asked.name)


def _decide(view: _View, asked: Attributes) -> bool | frozenset[str]:
    owned = view.rules_in(asked.namespace)
    if asked.path:
        return any(rule.allows_path(asked.verb, asked.path) for rule in owned)
    fitting = [rule for rule in owned if rule.allows_kind(asked)]
    if any(not rule.names for rule in fitting):
        return True
    return frozenset(name for rule in fitting for name in rule.names)


def _read_role(obj: Mapping[str, Any]) -> _Role:
    aggregation = obj.get("aggregationRule") or {}
    selectors = tuple(Selector.of(selector) for selector in aggregation.get("clusterRoleSelectors") or ())
    return _Role(
        rules=tuple(PolicyRule.read(rule) for rule in obj.get("rules") or ()),
        labels=(obj.get("metadata") or {}).get("labels") or {},
        aggregates=selectors,
    )


def _read_binding(obj: Mapping[str, Any]) -> _Binding:
    namespace = str((obj.get("metadata") or {}).get("namespace") or "")
    subjects: list[tuple[str, str]] = []
    for subject in obj.get("subjects") or ():
        kind, name = str(subject.get("kind")), str(subject.get("name"))
        if kind == "ServiceAccount":
            home = str(subject.get("namespace") or namespace)
            if home:
                subjects.append(("User", f"system:serviceaccount:{home}:{name}"))
        else:
            subjects.append((kind, name))
    reference = obj.get("roleRef") or {}
    name = str((obj.get("metadata") or {}).get("name"))
    return _Binding(name, namespace, str(reference.get("kind")), str(reference.get("name")), tuple(subjects))
