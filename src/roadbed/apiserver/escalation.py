"""Nobody grants what they do not have: the escalation and bind checks on role and binding writes.

An ``Admitter`` that the API server asks before such a write. Holds no state.
"""

from __future__ import annotations

from roadbed.apimachinery.admission import AdmissionRequest, Operation
from roadbed.apimachinery.request import Object

from .authz import Rbac


class EscalationGuard:
    """Refuses a role with more rights than its writer has, and a binding to such a role."""

    name = "rbac-escalation"
    resources = frozenset(
        f"{plural}.rbac.authorization.k8s.io"
        for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    )
    operations: frozenset[Operation] = frozenset(("CREATE", "UPDATE"))

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    async def admit(self, request: AdmissionRequest) -> Object | None:
        """Let the write through unchanged, or raise ForbiddenError."""
        raise NotImplementedError
