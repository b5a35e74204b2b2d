"""Counting who is let in and what they may: an ``Authenticator`` and an ``Authorizer`` around the real ones.

``ApiServer`` puts them where requests pass, so that what reviews and admission ask besides is not counted, as in
Kubernetes. They decide nothing. User names are never labels: each is one of a few known ones, or a class of names.

Source: k8s.io/apiserver/pkg/endpoints/filters/metrics.go
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

from roadbed.apimachinery.errors import ForbiddenError, UnauthorizedError
from roadbed.apimachinery.instruments import Counter, Histogram, Instrument
from roadbed.apimachinery.request import User
from roadbed.apiserver.ports import Attributes, Authenticator, Authorizer, Credentials

_BOUNDS: Final = tuple(0.001 * 2**power for power in range(15))
_KNOWN: Final = frozenset(
    ("admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default")
)
_SUCCESS: Final = ("success",)
_ERROR: Final = ("error",)
_ALLOWED: Final = ("allowed",)
_NO_OPINION: Final = ("no-opinion",)


class CountedAuthenticator:
    """Counts attempts by how they end, and requests by a class of their users' names."""

    def __init__(self, inner: Authenticator) -> None:
        self._inner = inner
        self._users = Counter(
            "authenticated_user_requests", "Requests of users that were told, by user.", ("username",)
        )
        self._attempts = Counter("authentication_attempts", "Attempts to tell a user.", ("result",))
        self._durations = Histogram(
            "authentication_duration_seconds", "Time to tell a user.", ("result",), _BOUNDS
        )
        self.instruments: tuple[Instrument, ...] = (self._users, self._attempts, self._durations)

    def authenticate(self, credentials: Credentials) -> User:
        """Give the user behind the credentials.

        Raises:
            UnauthorizedError: as the one inside.
        """
        began, result = perf_counter(), _SUCCESS
        try:
            user = self._inner.authenticate(credentials)
            self._users.add((_class_of(user.name),))
        except UnauthorizedError:
            result = _ERROR
            raise
        finally:
            self._attempts.add(result)
            self._durations.observe(perf_counter() - began, result)
        return user

    def impersonated(self, user: User, credentials: Credentials) -> User:
        """Give whom ``user`` asks to act as, or ``user``."""
        return self._inner.impersonated(user, credentials)

    def act_as(self, user: User, other: User) -> User:
        """Give ``other`` as impersonated by ``user``."""
        return self._inner.act_as(user, other)


class CountedAuthorizer:
    """Counts decisions. RBAC never denies, it only has no opinion that would allow."""

    def __init__(self, inner: Authorizer) -> None:
        self._inner = inner
        self._attempts = Counter("authorization_attempts_total", "Decisions about requests.", ("result",))
        self._durations = Histogram(
            "authorization_duration_seconds", "Time to decide about a request.", ("result",), _BOUNDS
        )
        self.instruments: tuple[Instrument, ...] = (self._attempts, self._durations)

    def check(self, user: User, attributes: Attributes) -> None:
        """Return when allowed.

        Raises:
            ForbiddenError: as the one inside.
        """
        began, result = perf_counter(), _ALLOWED
        try:
            self._inner.check(user, attributes)
        except ForbiddenError:
            result = _NO_OPINION
            raise
        finally:
            self._attempts.add(result)
            self._durations.observe(perf_counter() - began, result)


def _class_of(name: str) -> str:
    if name in _KNOWN:
        return name
    return "email_id" if "@" in name else "other"
