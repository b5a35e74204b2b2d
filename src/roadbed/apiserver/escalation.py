"""Nobody grants what they do not have: the checks on writes of roles and bindings.

The first validator of the admission chain: what it sees is complete and valid (``kinds.judging.access``). It lets
through who may ``escalate`` (roles) or ``bind`` (bindings), or who has all that would be granted already.
It holds no state; a write that changes only metadata is not checked again.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

from collections.abc import Iterable

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object

from .authz import GROUP, Rbac
from .ports import Attributes
from .rules import EVERYTHING, PolicyRule, missing, quoted

_ROLES = ("roles", "clusterroles")
_GUARDED = ("rules", "aggregationRule", "subjects", "roleRef")


class EscalationGuard:
    """Refuses a role with more rights than its writer has, and a binding to such a role."""

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    def sees(self, resource: Resource) -> bool:
        """Say whether it is roles or bindings."""
        return resource.group == GROUP

    async def validate(self, request: AdmissionRequest) -> None:
        """Return when the writer may grant what is granted.

        Raises:
            ForbiddenError: the writer lacks a right that would be granted; the message lists them.
            NotFoundError: the role that is bound is not there, so what it grants is not known.
        """
        obj, old = request.object, request.old
        if obj is None or (old is not None and all(obj.get(word) == old.get(word) for word in _GUARDED)):
            return
        confirm = self._confirm_role if request.resource.plural in _ROLES else self._confirm_binding
        confirm(request, obj)

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
                f"user {go_quote(user.name)} (groups={quoted(user.groups)}) is attempting to grant RBAC "
                f"permissions not currently held:\n{listed}"
            )
            raise _forbidden(request, text)


def _forbidden(request: AdmissionRequest, text: str) -> ForbiddenError:
    resource = request.resource
    message = f'{resource.qualified} "{request.name}" is forbidden: {text}'
    return ForbiddenError(message, group=resource.group, kind=resource.plural, name=request.name)
