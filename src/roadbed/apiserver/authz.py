"""May a user do something: RBAC as Kubernetes has it, compiled from the stored roles and bindings.

Asked by the request path, reviews and the escalation guard, on the event loop.
"""

from __future__ import annotations

from roadbed.apimachinery.request import User
from roadbed.storage.interface import Storage

from .ports import Attributes


class Rbac:
    """The ``Authorizer`` of the API server; follows RBAC objects in the store."""

    def __init__(self, storage: Storage) -> None: ...

    def check(self, user: User, attributes: Attributes) -> None:
        """Return when allowed; raise ForbiddenError with Kubernetes' text when not."""
        raise NotImplementedError

    def allows(self, user: User, attributes: Attributes) -> bool:
        """Say whether the user may."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop following the store."""
