"""What the API server core needs from the rest of its room, as Protocols: who asks, may they, sealed values.

Implemented by ``authn``, ``authz`` and ``encryption``; called by ``asgi``, ``dispatch`` and the watch
caches on the event loop. Nothing here holds state or runs by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from roadbed.apimachinery.request import User

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC datetime."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What one request wants to do, as authorisation sees it.

    A non-resource request has only ``path`` and ``verb`` (``get``…); ``path`` is empty otherwise.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an HTTP connection and request showed: TLS-verified certificate (DER), headers (lower case).

    A header that came several times has its values joined by newlines, which no header value can hold.
    """

    headers: Mapping[str, str]
    certificate: bytes | None = None


class Authenticator(Protocol):
    """Says who a request comes from."""

    def authenticate(self, credentials: Credentials) -> User:
        """Give the user behind the credentials; ``system:anonymous`` when there are none.

        Raises:
            UnauthorizedError: a token or certificate was shown and is not valid.
        """
        ...

    def impersonated(self, user: User, credentials: Credentials) -> User:
        """Give whom ``user`` asks to act as (``Impersonate-*`` headers), or ``user``.

        Raises:
            ForbiddenError: ``user`` may not impersonate them.
        """
        ...

    def act_as(self, user: User, other: User) -> User:
        """Give ``other`` as impersonated by ``user``, in process.

        Raises:
            ForbiddenError: ``user`` may not impersonate them.
        """
        ...


class Authorizer(Protocol):
    """Says whether a user may."""

    def check(self, user: User, attributes: Attributes) -> None:
        """Return when allowed.

        Raises:
            ForbiddenError: with Kubernetes' text.
        """
        ...


class Sealer(Protocol):
    """Encrypts values at rest; ``context`` (the storage key) is bound to the value."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Give the sealed value."""
        ...

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Give the value back; a value that was never sealed comes back as it is."""
        ...
