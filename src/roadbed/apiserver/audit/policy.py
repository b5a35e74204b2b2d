"""Audit policies: how much of which request is kept.

Read once at start from the file that the operator names; pure afterwards. The first rule that fits decides; without
one nothing is kept, as in Kubernetes. Stricter than Kubernetes in one point: of requests whose bodies hold secrets
(Secrets, tokens) never more than the metadata is kept, whatever the policy says.

Source: k8s.io/apiserver/pkg/audit/policy/{checker,reader}.go
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import User
from roadbed.apimachinery.yamlload import load_value
from roadbed.apiserver.ports import Attributes

STAGES: Final = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
_LISTS: Final = (
    "users",
    "userGroups",
    "verbs",
    "namespaces",
    "nonResourceURLs",
    "resources",
    "omitStages",
)
_SECRET: Final = frozenset(
    (
        ("", "secrets", ""),
        ("", "serviceaccounts", "token"),
        ("authentication.k8s.io", "tokenreviews", ""),
        ("review.roadbed.dev", "portalsessions", ""),
    )
)


class PolicyError(Exception):
    """A policy can't be used; the message names the file, the place in it and what to write instead."""


class Level(IntEnum):
    """How much is kept; the names are those of the wire."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def wire(self) -> str:
        """The name in events and policies."""
        return _WIRE[self]


_WIRE: Final = {
    Level.NONE: "None",
    Level.METADATA: "Metadata",
    Level.REQUEST: "Request",
    Level.REQUEST_RESPONSE: "RequestResponse",
}
_LEVELS: Final = {word: level for level, word in _WIRE.items()}


@dataclass(frozen=True, slots=True)
class Decision:
    """What is kept of one request."""

    level: Level
    omitted: frozenset[str]
    omits_managed_fields: bool = False


_NOTHING = Decision(Level.NONE, frozenset(STAGES))


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one file, in order."""

    rules: tuple[tuple[Mapping[str, Any], Decision], ...]

    @classmethod
    def read(cls, path: Path) -> Policy:
        """Read a policy file.

        Raises:
            PolicyError: it can't be read, or is no policy.
        """
        try:
            return cls.of(load_value(path.read_bytes()))
        except OSError as error:
            raise PolicyError(f"cannot read {path}: {error.strerror}") from error
        except (ApiError, PolicyError) as error:
            raise PolicyError(f"{path}: {error}") from error

    @classmethod
    def of(cls, value: Any) -> Policy:
        """Take over a policy as an object.

        Raises:
            PolicyError: it is none.
        """
        if not isinstance(value, dict) or value.get("kind") != "Policy":
            raise PolicyError("not an audit policy: kind must be Policy")
        if value.get("apiVersion") != "audit.k8s.io/v1":
            raise PolicyError(f"apiVersion {value.get('apiVersion')!r} is unknown: write audit.k8s.io/v1")
        rules = value.get("rules")
        if not isinstance(rules, list) or not rules:
            raise PolicyError("rules must list at least one rule; the first that fits a request decides")
        shared = _stages(value, "omitStages")
        managed = value.get("omitManagedFields") is True
        return cls(tuple(_rule(rule, f"rules[{at}]", shared, managed) for at, rule in enumerate(rules)))

    def decide(self, user: User | None, asked: Attributes) -> Decision:
        """Say what is kept of a request; ``user`` None is one that is not known."""
        for rule, decision in self.rules:
            if _fits(rule, user, asked):
                is_secret = (asked.group, asked.resource, asked.subresource) in _SECRET
                if is_secret and decision.level > Level.METADATA:
                    return Decision(Level.METADATA, decision.omitted, decision.omits_managed_fields)
                return decision
        return _NOTHING


def _rule(rule: Any, at: str, shared: frozenset[str], managed: bool) -> tuple[Mapping[str, Any], Decision]:
    if not isinstance(rule, dict):
        raise PolicyError(f"{at} must be an object")
    name = rule.get("level", "")
    level = _LEVELS.get(name) if isinstance(name, str) else None
    if level is None:
        raise PolicyError(f"{at}.level {rule.get('level')!r} is unknown: use {', '.join(_LEVELS)}")
    for word in _LISTS:
        if word != "resources":
            _check_texts(rule, word, at)
        elif rule.get(word) is not None and not isinstance(rule[word], list):
            raise PolicyError(f"{at}.{word} must be a list")
    for number, each in enumerate(rule.get("resources") or ()):
        place = f"{at}.resources[{number}]"
        if not isinstance(each, dict) or not isinstance(each.get("group") or "", str):
            raise PolicyError(f"{place} must be an object with group and resources")
        _check_texts(each, "resources", place)
        _check_texts(each, "resourceNames", place)
    if rule.get("nonResourceURLs") and (rule.get("resources") or rule.get("namespaces")):
        raise PolicyError(f"{at}: a rule is for resources or for nonResourceURLs, not for both")
    own = rule.get("omitManagedFields")
    omits = managed if own is None else own is True
    return rule, Decision(level, shared | _stages(rule, f"{at}.omitStages"), omits)


def _check_texts(holder: Mapping[str, Any], word: str, at: str) -> None:
    found = holder.get(word)
    if found is not None and not (isinstance(found, list) and all(isinstance(each, str) for each in found)):
        raise PolicyError(f"{at}.{word} must be a list of texts")


def _stages(value: Mapping[str, Any], at: str) -> frozenset[str]:
    found = value.get("omitStages") or ()
    if not isinstance(found, list | tuple):
        raise PolicyError(f"{at} must be a list of texts")
    wrong = [each for each in found if each not in STAGES]
    if wrong:
        raise PolicyError(f"{at} {wrong[0]!r} is unknown: use {', '.join(STAGES)}")
    return frozenset(found)


def _fits(rule: Mapping[str, Any], user: User | None, asked: Attributes) -> bool:
    users, groups, verbs = (rule.get(word) for word in ("users", "userGroups", "verbs"))
    if users and (user is None or user.name not in users):
        return False
    if groups and (user is None or not set(groups) & set(user.groups)):
        return False
    if verbs and asked.verb not in verbs:
        return False
    if rule.get("namespaces") or rule.get("resources"):
        return _fits_resource(rule, asked)
    urls = rule.get("nonResourceURLs")
    return not urls or (bool(asked.path) and any(_fits_url(url, asked.path) for url in urls))


def _fits_resource(rule: Mapping[str, Any], asked: Attributes) -> bool:
    if asked.path:
        return False
    if rule.get("namespaces") and asked.namespace not in rule["namespaces"]:
        return False
    return not rule.get("resources") or any(_has(each, asked) for each in rule["resources"])


def _has(listed: Mapping[str, Any], asked: Attributes) -> bool:
    if (listed.get("group") or "") != asked.group:
        return False
    if not listed.get("resources"):
        return True
    if listed.get("resourceNames") and asked.name not in listed["resourceNames"]:
        return False
    whole = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    fitting = {"*", whole, f"{asked.resource}/*"}
    if asked.subresource:
        fitting.add(f"*/{asked.subresource}")
    return not fitting.isdisjoint(listed["resources"])


def _fits_url(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern.rstrip("*"))
    return pattern == path
