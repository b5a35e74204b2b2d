"""The roles and bindings that exist from the first start: Kubernetes' own, and those of our engines.

The API server creates what is absent at start, through its own ``local`` transport as a system user.
"""

from __future__ import annotations

from roadbed.apimachinery.request import Object


def policy() -> list[Object]:
    """Give the ClusterRoles, ClusterRoleBindings (and Roles) to create where they are absent."""
    raise NotImplementedError
