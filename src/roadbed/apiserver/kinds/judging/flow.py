"""FlowSchemas and PriorityLevelConfigurations: what ``flow`` reads, and what nobody may take from themselves.

``exempt`` and ``catch-all`` are fixed: without them a request might find no level at all.

Source: k8s.io/kubernetes/pkg/apis/flowcontrol/validation/validation.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object
from roadbed.apiserver.flow import defaults

from .findings import items, part

_EXEMPT: Final = "exempt"
_MOST_PRECEDENCE: Final = 10_000
_SUBJECTS: Final = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_MOST_QUEUES: Final = 10_000_000
_MOST_BITS: Final = 60  # of the hash that deals a flow its queues


def flow_schema(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a FlowSchema."""
    del old
    name, spec = str(obj["metadata"].get("name", "")), part(obj, "spec")
    causes = list(_schema(name, spec))
    fixed = defaults.mandatory().get(f"flowschemas/{name}")
    if fixed is not None and not _is_same(spec, fixed["spec"]):
        causes.append(invalid_value("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return causes


def _schema(name: str, spec: Mapping[str, Any]) -> Iterator[Cause]:
    precedence, path = spec.get("matchingPrecedence") or 0, "spec.matchingPrecedence"
    if precedence <= 0:
        yield invalid_value(path, precedence, "must be a positive value")
    if precedence > _MOST_PRECEDENCE:
        yield invalid_value(path, precedence, f"must not be greater than {_MOST_PRECEDENCE}")
    if precedence == 1 and name != _EXEMPT:
        yield invalid_value(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
    method = part(spec, "distinguisherMethod")
    if spec.get("distinguisherMethod") is not None and method.get("type") not in ("ByUser", "ByNamespace"):
        shown = {"Type": method.get("type") or ""}
        yield not_supported("spec.distinguisherMethod.type", shown, ("ByNamespace", "ByUser"))
    if not part(spec, "priorityLevelConfiguration").get("name"):
        yield required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    for at, rule in items(spec, "rules", "spec"):
        yield from _rule(rule, at)


def _rule(rule: Mapping[str, Any], path: str) -> Iterator[Cause]:
    if not rule.get("subjects"):
        yield required(f"{path}.subjects", "subjects must contain at least one value")
    for at, subject in items(rule, "subjects", path):
        yield from _subject(subject, at)
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        yield required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for at, each in items(rule, "resourceRules", path):
        yield from _several(each, at, "verbs")
        yield from _several(each, at, "apiGroups")
        yield from _several(each, at, "resources")
        if not each.get("namespaces") and not each.get("clusterScope"):
            text = "resource rules that are not cluster scoped must supply at least one namespace"
            yield required(f"{at}.namespaces", text)
    for at, each in items(rule, "nonResourceRules", path):
        yield from _several(each, at, "verbs")
        yield from _several(each, at, "nonResourceURLs")
        for index, url in enumerate(each.get("nonResourceURLs") or ()):
            why = _refused_url(url)
            if why and "*" not in each["nonResourceURLs"]:
                yield invalid_value(f"{at}.nonResourceURLs[{index}]", url, why)


def _refused_url(url: str) -> str:
    """Say what is wrong with the path of a rule; nothing where it is right."""
    if not url:
        return "must not be empty"
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    if "*" in url and (url.count("*") > 1 or not url.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""


def _subject(subject: Mapping[str, Any], path: str) -> Iterator[Cause]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        yield not_supported(f"{path}.kind", kind, sorted(_SUBJECTS))
        return
    member = _SUBJECTS[kind]
    if subject.get(member) is None:
        yield required(f"{path}.{member}", f"{member} is required when subject kind is '{kind}'")
    else:
        whom = part(subject, member)
        if not whom.get("name"):
            yield required(f"{path}.{member}.name")
        if kind == "ServiceAccount" and not whom.get("namespace"):
            yield required(f"{path}.{member}.namespace", "must specify namespace for service account")
    for other_kind, other in _SUBJECTS.items():
        if other != member and subject.get(other) is not None:
            yield forbidden(
                f"{path}.{other}", f"{other} is forbidden when subject kind is not '{other_kind}'"
            )


_WORDS: Final = {
    "verbs": ("verbs must contain at least one value", "verbs"),
    "apiGroups": ("resource rules must supply at least one api group", "api groups"),
    "resources": ("resource rules must supply at least one resource", "resources"),
    "nonResourceURLs": ("nonResourceURLs must contain at least one value", "non-resource URLs"),
}


def _several(rule: Mapping[str, Any], path: str, member: str) -> Iterator[Cause]:
    """Judge a list of which ``*`` stands alone."""
    found, (absent, others) = rule.get(member) or [], _WORDS[member]
    if not found:
        yield required(f"{path}.{member}", absent)
    elif "*" in found:
        if len(found) > 1:
            text = f"if '*' is present, must not specify other {others}"
            yield invalid_value(f"{path}.{member}", found, text)
    elif member == "verbs" and not set(found) <= set(_VERBS):
        yield not_supported(f"{path}.{member}", found, _VERBS)


def priority_level(obj: Object, old: Object | None) -> list[Cause]:
    """Judge a PriorityLevelConfiguration."""
    del old
    name, spec = str(obj["metadata"].get("name", "")), part(obj, "spec")
    causes = list(_level(name, spec))
    fixed = defaults.mandatory().get(f"prioritylevelconfigurations/{name}")
    if fixed is None:
        return causes
    if name == _EXEMPT:  # how much of it is lent is the administrator's
        if not _is_same({**spec, "exempt": None}, {**fixed["spec"], "exempt": None}):
            text = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            causes.append(invalid_value("spec", spec, text))
    elif not _is_same(spec, fixed["spec"]):
        causes.append(invalid_value("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return causes


def _level(name: str, spec: Mapping[str, Any]) -> Iterator[Cause]:
    type_ = spec.get("type") or ""
    if (name == _EXEMPT) != (type_ == "Exempt"):
        yield invalid_value("spec.type", type_, "must be 'Exempt' if and only if `name` is 'exempt'")
    if type_ == "Exempt":
        if spec.get("limited") is not None:
            yield forbidden("spec.limited", "must be nil if the type is not Limited")
        yield from _shares(part(spec, "exempt"), "spec.exempt")
        yield from _lendable(part(spec, "exempt"), "spec.exempt")
    elif type_ == "Limited":
        if spec.get("exempt") is not None:
            yield forbidden("spec.exempt", "must be nil if the type is Limited")
        if spec.get("limited") is None:
            yield required("spec.limited", "must not be empty when type is Limited")
        else:
            yield from _limited(part(spec, "limited"))
    else:
        yield not_supported("spec.type", type_, ("Exempt", "Limited"))


def _limited(limited: Mapping[str, Any]) -> Iterator[Cause]:
    yield from _shares(limited, "spec.limited")
    response, path = part(limited, "limitResponse"), "spec.limited.limitResponse"
    type_ = response.get("type") or ""
    if type_ == "Reject":
        if response.get("queuing") is not None:
            yield forbidden(f"{path}.queuing", "must be nil if limited.limitResponse.type is not Limited")
    elif type_ != "Queue":
        yield not_supported(f"{path}.type", type_, ("Queue", "Reject"))
    elif response.get("queuing") is None:
        yield required(f"{path}.queuing", "must not be empty if limited.limitResponse.type is Limited")
    else:
        yield from _queuing(part(response, "queuing"), f"{path}.queuing")
    yield from _lendable(limited, "spec.limited")
    borrowed = limited.get("borrowingLimitPercent")
    if borrowed is not None and borrowed < 0:
        text = "if specified, must be a non-negative integer"
        yield invalid_value("spec.limited.borrowingLimitPercent", borrowed, text)


def _shares(shares: Mapping[str, Any], path: str) -> Iterator[Cause]:
    nominal = shares.get("nominalConcurrencyShares") or 0
    if nominal < 0:
        yield invalid_value(f"{path}.nominalConcurrencyShares", nominal, "must be a non-negative integer")


def _lendable(shares: Mapping[str, Any], path: str) -> Iterator[Cause]:
    percent = shares.get("lendablePercent")
    if percent is not None and not 0 <= percent <= 100:
        yield invalid_value(f"{path}.lendablePercent", percent, "must be between 0 and 100, inclusive")


def _queuing(queuing: Mapping[str, Any], path: str) -> Iterator[Cause]:
    length, queues, hand = (queuing.get(name) or 0 for name in ("queueLengthLimit", "queues", "handSize"))
    if length <= 0:
        yield invalid_value(f"{path}.queueLengthLimit", length, "must be positive")
    if queues <= 0:
        yield invalid_value(f"{path}.queues", queues, "must be positive")
    elif queues > _MOST_QUEUES:
        yield invalid_value(f"{path}.queues", queues, f"must not be greater than {_MOST_QUEUES}")
    if hand <= 0:
        yield invalid_value(f"{path}.handSize", hand, "must be positive")
    elif hand > queues:
        yield invalid_value(f"{path}.handSize", hand, f"should not be greater than queues ({queues})")
    elif math.ceil(math.log2(queues) * hand) > _MOST_BITS:
        text = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MOST_BITS}"
        yield invalid_value(f"{path}.handSize", hand, text)


def _is_same(one: Any, other: Any) -> bool:
    """Say whether two specs are equal as Go's types are: what is absent, null, empty or zero is one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_is_same(one.get(name), other.get(name)) for name in {*one, *other})
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(map(_is_same, one, other))
    return one == other or (not one and not other)
