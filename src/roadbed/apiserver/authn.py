"""Who a request comes from: bearer tokens, client certificates, impersonation.

Called for every HTTP request by ``asgi``; pure lookups, nothing awaits.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from roadbed.apimachinery.request import User

from .authz import Rbac
from .ports import Clock, Credentials


class Tokens:
    """Bearer tokens: static ones, kept as hashes, and short-lived signed ones."""

    admin_token: str

    @classmethod
    def open_folder(cls, folder: Path | None, *, clock: Clock) -> Tokens:
        """Read or make the token files in ``folder``; None keeps them in memory."""
        raise NotImplementedError

    def issue(self, user: User, ttl_s: float) -> tuple[str, datetime]:
        """Give a signed token that stands for ``user`` until the time beside it."""
        raise NotImplementedError

    def user_of(self, token: str) -> User:
        """Give whom a token stands for.

        Raises:
            UnauthorizedError: unknown, changed or expired.
        """
        raise NotImplementedError


class RequestAuthenticator:
    """The ``Authenticator`` of the API server."""

    def __init__(self, tokens: Tokens, rbac: Rbac) -> None: ...

    def authenticate(self, credentials: Credentials) -> User:
        """Give the user behind the credentials; ``system:anonymous`` when there are none."""
        raise NotImplementedError

    def impersonated(self, user: User, credentials: Credentials) -> User:
        """Give whom ``user`` asks to act as by ``Impersonate-*`` headers, or ``user``."""
        raise NotImplementedError

    def act_as(self, user: User, other: User) -> User:
        """Give ``other`` with the groups that every such user has, if ``user`` may impersonate it (in process)."""
        raise NotImplementedError
