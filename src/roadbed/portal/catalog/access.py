"""What a person may see of the catalog: their Kubernetes rules, compiled into the query's predicate.

An entity is the virtual resource ``<plural>.backstage.io`` in its namespace. ``access_of`` asks the server
as the person (two kinds of self review), so RBAC alone decides; it is asked anew for every page, because
a permission that was taken away must stop at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from roadbed.apis.authorization import SELFSUBJECTACCESSREVIEWS, SELFSUBJECTRULESREVIEWS
from roadbed.client import Client
from roadbed.portal.index import Predicate

GROUP = "backstage.io"


@dataclass(frozen=True, slots=True)
class Access:
    """One person's view, good for the question at hand."""

    predicate: Predicate

    @property
    def is_empty(self) -> bool:
        """Say whether nothing at all may be seen."""
        return not self.predicate.everything and not self.predicate.allowed


EVERYTHING = Access(Predicate(everything=True))


async def access_of(client: Client, namespaces: Sequence[str]) -> Access:
    """Ask the server what the client's user may see in ``namespaces``."""
    question = {
        "apiVersion": SELFSUBJECTACCESSREVIEWS.api_version,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "list", "group": GROUP, "resource": "*"}},
    }
    answer = await client.ask(SELFSUBJECTACCESSREVIEWS, question)
    if (answer.get("status") or {}).get("allowed"):
        return EVERYTHING
    answers = await asyncio.gather(*(_rules(client, namespace) for namespace in namespaces))
    allowed = [
        entry
        for namespace, rules in zip(namespaces, answers, strict=True)
        for entry in _allowed(namespace, rules)
    ]
    return Access(Predicate(allowed=tuple(allowed)))


async def _rules(client: Client, namespace: str) -> Iterable[dict[str, Any]]:
    question = {
        "apiVersion": SELFSUBJECTACCESSREVIEWS.api_version,
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = await client.ask(SELFSUBJECTRULESREVIEWS, question)
    return (answer.get("status") or {}).get("resourceRules") or ()


def _allowed(namespace: str, rules: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    for rule in rules:
        groups, verbs = rule.get("apiGroups") or (), rule.get("verbs") or ()
        if not {"*", GROUP}.intersection(groups) or not {"*", "list", "get"}.intersection(verbs):
            continue
        names = tuple(rule.get("resourceNames") or ())
        for resource in rule.get("resources") or ():
            if "/" not in resource:
                yield namespace, "" if resource == "*" else resource, names
