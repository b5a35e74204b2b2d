"""The API server: Kubernetes API semantics over a ``Storage``, for HTTP clients and in process.

``app`` makes one, adds reviewers and admitters, starts it, hands ``asgi`` to a ``Listener`` and
``local(user)`` to every engine. Everything runs on one event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from roadbed.apimachinery.admission import Admitter, Reviewer
from roadbed.apimachinery.request import Object, User
from roadbed.storage.interface import Storage

from .local import LocalTransport
from .ports import Authenticator, Authorizer, Clock, Sealer


class ApiServer:
    """Serves every built-in kind and every CustomResourceDefinition.

    ``crds`` are installed at start (created, or updated where they differ). ``clock`` gives aware UTC.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        authenticator: Authenticator,
        authorizer: Authorizer,
        sealer: Sealer,
        crds: Iterable[Object] = (),
        clock: Clock,
    ) -> None: ...

    async def start(self) -> None:
        """Load what is stored, install CRDs and the system namespaces; requests are served afterwards."""

    async def stop(self) -> None:
        """End every watch, refuse what comes after with ServiceUnavailableError. The storage stays open."""

    @property
    def asgi(self) -> Callable[..., Any]:
        """The ASGI application for a ``Listener``."""
        raise NotImplementedError

    def local(self, user: User) -> LocalTransport:
        """Give the in-process ``Transport`` acting as ``user``: the same admission and authorisation."""
        raise NotImplementedError

    def add_reviewer(self, reviewer: Reviewer) -> None:
        """Serve one more review kind; discovery shows it at once."""

    def add_admitter(self, admitter: Admitter) -> None:
        """Ask one more admitter before writes, after those added before."""

    def add_readiness(self, name: str, check: Callable[[], str]) -> None:
        """Let ``/readyz`` ask ``check``; it gives the empty string, or what is not ready yet."""
