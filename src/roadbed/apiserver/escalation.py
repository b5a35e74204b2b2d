"""Nobody grants what they do not have: the checks on writes of roles and bindings.

An ``Admitter`` that the API server asks before such a write. It first completes and validates the object as
Kubernetes' RBAC registry does (subjects' groups, rules with verbs, a roleRef that never changes), then lets
through who may ``escalate`` (roles) or ``bind`` (bindings), or who has all that would be granted already.
It holds no state; a write that changes only metadata is not checked again.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roadbed.apimachinery import causes
from roadbed.apimachinery.admission import AdmissionRequest, Operation
from roadbed.apimachinery.errors import ApiError, BadRequestError, Cause, ForbiddenError, NotFoundError
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.request import Object

from .authz import GROUP, Rbac
from .kinds.judging.findings import invalid_struct
from .kinds.judging.others import shown_reference
from .ports import Attributes
from .rules import EVERYTHING, PolicyRule, missing, quoted

_ROLES = ("roles", "clusterroles")
_GUARDED = ("rules", "aggregationRule", "subjects", "roleRef")


class EscalationGuard:
    """Refuses a role with more rights than its writer has, and a binding to such a role."""

    name = "rbac-escalation"
    resources = frozenset(f"{plural}.{GROUP}" for plural in (*_ROLES, "rolebindings", "clusterrolebindings"))
    operations: frozenset[Operation] = frozenset(("CREATE", "UPDATE"))

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    async def admit(self, request: AdmissionRequest) -> Object | None:
        """Let the write through, subjects completed.

        Raises:
            BadRequestError: a guarded member is of another JSON type than it must be.
            InvalidError: a rule, subject or roleRef is malformed, or the roleRef changed.
            ForbiddenError: the writer lacks a right that would be granted; the message lists them.
        """
        obj = request.object
        if obj is None:
            return None
        _check_shape(obj)
        is_role = request.resource.plural in _ROLES
        completed = obj if is_role else _complete(obj)
        found = _role_causes(request, completed) if is_role else _binding_causes(request, completed)
        if found:
            raise causes.invalid(request.resource.gvk, request.name, found)
        old = request.old
        if old is None or any(completed.get(word) != old.get(word) for word in _GUARDED):
            confirm = self._confirm_role if is_role else self._confirm_binding
            confirm(request, completed)
        return None if completed is obj else completed

    def _confirm_role(self, request: AdmissionRequest, role: Object) -> None:
        place = Attributes("escalate", GROUP, request.resource.plural, "", request.namespace, request.name)
        if self._rbac.allows(request.user, place):
            return
        self._confirm(request, [PolicyRule.read(rule) for rule in role.get("rules") or ()])
        aggregates = role.get("aggregationRule") or (request.old or {}).get("aggregationRule")
        if aggregates and missing(self._rbac.rules_for(request.user, request.namespace), EVERYTHING):
            # What will be aggregated is not known yet, so it takes all rights.
            raise _forbidden(request, "must have cluster-admin privileges to use the aggregationRule")

    def _confirm_binding(self, request: AdmissionRequest, binding: Object) -> None:
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        plural = "clusterroles" if kind == "ClusterRole" else "roles"
        if self._rbac.allows(request.user, Attributes("bind", GROUP, plural, "", request.namespace, name)):
            return
        granted = self._rbac.rules_of(kind, name, request.namespace)
        if granted is None:
            raise NotFoundError(f'{plural}.{GROUP} "{name}" not found', group=GROUP, kind=plural, name=name)
        self._confirm(request, granted)

    def _confirm(self, request: AdmissionRequest, granted: Iterable[PolicyRule]) -> None:
        user = request.user
        lacking = missing(self._rbac.rules_for(user, request.namespace), granted)
        if lacking:
            listed = "\n".join(str(rule) for rule in lacking)
            text = (
                f"user {causes.go_quote(user.name)} (groups={quoted(user.groups)}) is attempting to grant RBAC "
                f"permissions not currently held:\n{listed}"
            )
            raise _forbidden(request, text)


def _forbidden(request: AdmissionRequest, text: str) -> ForbiddenError:
    resource = request.resource
    message = f'{resource.qualified} "{request.name}" is forbidden: {text}'
    return ForbiddenError(message, group=resource.group, kind=resource.plural, name=request.name)


def _check_shape(obj: Object) -> None:
    """Refuse what the rest of this module could not read; the schema is only asked after admission.

    Raises:
        BadRequestError: names the member.
    """
    for word in ("rules", "subjects"):
        members = obj.get(word)
        if members is not None and not isinstance(members, list):
            raise BadRequestError(f"{word} must be a list")
        for index, member in enumerate(members or ()):
            _check_members(member, f"{word}[{index}]", of_lists=word == "rules")
    if obj.get("roleRef") is not None:
        _check_members(obj["roleRef"], "roleRef", of_lists=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None:
        if not isinstance(aggregation, dict):
            raise BadRequestError("aggregationRule must be an object")
        selectors = aggregation.get("clusterRoleSelectors")
        if selectors is not None and not isinstance(selectors, list):
            raise BadRequestError("aggregationRule.clusterRoleSelectors must be a list")


def _check_members(member: Any, at: str, *, of_lists: bool) -> None:
    if not isinstance(member, dict):
        raise BadRequestError(f"{at} must be an object")
    for name, value in member.items():
        values = value if of_lists and isinstance(value, list) else [value]
        if value is not None and (
            isinstance(value, list) is not of_lists or not all(isinstance(each, str) for each in values)
        ):
            raise BadRequestError(f"{at}.{name} must be {'a list of strings' if of_lists else 'a string'}")


def _complete(binding: Object) -> Object:
    """Fill in the API groups that Kubernetes defaults in subjects and roleRef."""
    subjects = [
        {"apiGroup": GROUP, **subject} if _lacks_group(subject) else subject
        for subject in binding.get("subjects") or ()
    ]
    reference = binding.get("roleRef") or {}
    if not reference.get("apiGroup"):
        reference = {**reference, "apiGroup": GROUP}
    completed = {**binding, "roleRef": reference}
    if subjects:
        completed["subjects"] = subjects
    return binding if completed == binding else completed


def _lacks_group(subject: Mapping[str, Any]) -> bool:
    return subject.get("kind") in ("User", "Group") and not subject.get("apiGroup")


def _role_causes(request: AdmissionRequest, role: Object) -> list[Cause]:
    found: list[Cause] = []
    for index, rule in enumerate(role.get("rules") or ()):
        found += _rule_causes(rule, f"rules[{index}]", is_namespaced=request.resource.namespaced)
    aggregation = role.get("aggregationRule")
    if aggregation is None:
        return found
    field = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors")
    if not selectors:
        text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        found.append(causes.required(field, text))
    for index, selector in enumerate(selectors or ()):
        try:
            Selector.of(selector)
        except (ApiError, TypeError, AttributeError) as error:
            found.append(
                causes.invalid_value(f"{field}[{index}]", selector, f"invalid label selector: {error}")
            )
    return found


def _rule_causes(rule: Mapping[str, Any], at: str, *, is_namespaced: bool) -> list[Cause]:
    found: list[Cause] = []
    if not rule.get("verbs"):
        found.append(causes.required(f"{at}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        field = f"{at}.nonResourceURLs"
        if is_namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            found.append(causes.invalid_value(field, urls, text))
        if any(rule.get(word) for word in ("apiGroups", "resources", "resourceNames")):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(causes.invalid_value(field, urls, text))
        return found
    if not rule.get("apiGroups"):
        text = "resource rules must supply at least one api group"
        found.append(causes.required(f"{at}.apiGroups", text))
    if not rule.get("resources"):
        found.append(causes.required(f"{at}.resources", "resource rules must supply at least one resource"))
    return found


def _binding_causes(request: AdmissionRequest, binding: Object) -> list[Cause]:
    reference = binding["roleRef"]
    is_namespaced = request.resource.namespaced
    kinds = ("Role", "ClusterRole") if is_namespaced else ("ClusterRole",)
    found: list[Cause] = []
    if reference["apiGroup"] != GROUP:
        found.append(causes.not_supported("roleRef.apiGroup", reference["apiGroup"], (GROUP,)))
    if reference.get("kind") not in kinds:
        found.append(causes.not_supported("roleRef.kind", reference.get("kind") or "", kinds))
    if not reference.get("name"):
        found.append(causes.required("roleRef.name"))
    for index, subject in enumerate(binding.get("subjects") or ()):
        found += _subject_causes(subject, f"subjects[{index}]", is_namespaced=is_namespaced)
    if request.old is not None and request.old.get("roleRef") != reference:
        found.append(invalid_struct("roleRef", shown_reference(reference), "cannot change roleRef"))
    return found


def _subject_causes(subject: Mapping[str, Any], at: str, *, is_namespaced: bool) -> list[Cause]:
    kind, group = subject.get("kind") or "", subject.get("apiGroup") or ""
    found = [] if subject.get("name") else [causes.required(f"{at}.name")]
    if kind not in ("ServiceAccount", "User", "Group"):
        found.append(causes.not_supported(f"{at}.kind", kind, ("ServiceAccount", "User", "Group")))
    elif kind != "ServiceAccount" and group != GROUP:
        found.append(causes.not_supported(f"{at}.apiGroup", group, (GROUP,)))
    elif kind == "ServiceAccount" and group:
        found.append(causes.not_supported(f"{at}.apiGroup", group, ("",)))
    elif kind == "ServiceAccount" and not is_namespaced and not subject.get("namespace"):
        found.append(causes.required(f"{at}.namespace"))
    return found
