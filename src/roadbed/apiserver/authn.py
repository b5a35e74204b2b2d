"""Who a request comes from: bearer tokens, client certificates, impersonation.

``asgi`` asks for every HTTP request, the in-process transport for its impersonations; everything is a
lookup in memory and nothing waits. Static tokens are kept as hashes: the admin's own (``admin.token``), and those
that the operator of a bare API server names in a file.
Signed tokens (``issue``) are not kept at all: they carry their user and end by themselves. Restarting does
not end them; deleting ``token.key`` does. Tokens of service accounts are ``serviceaccounts``' to judge.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import orjson
from cryptography import x509
from cryptography.x509.oid import NameOID

from roadbed.apimachinery.errors import BadRequestError, UnauthorizedError
from roadbed.apimachinery.request import Object, User

from . import keyfiles
from .authz import MASTERS, Rbac, forbidden
from .ports import Attributes, Clock, Credentials
from .rules import EVERYTHING, missing
from .serviceaccounts import AccountTokens, InvalidTokenError, Verified

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
ADMIN = User("admin", (MASTERS, AUTHENTICATED))
SERVICE_ACCOUNT = "system:serviceaccount:"

_SIGNED = "rb1."  # tells a signed token from a static one, and the version of its form
_MAX_TOKEN = 8_192  # characters; longer is no token of ours and not worth hashing


class Tokens:
    """Bearer tokens: static ones, known by their hashes, and short-lived signed ones."""

    def __init__(self, signing_key: bytes, admin_token: str, *, clock: Clock) -> None:
        self.admin_token = admin_token
        self._key = signing_key
        self.clock = clock
        self._static = {_digest(admin_token): ADMIN}

    @classmethod
    def open_folder(cls, folder: Path | None, *, clock: Clock) -> Tokens:
        """Read or make the token files in ``folder``; None keeps them in memory.

        Raises:
            KeyFileError: a file is damaged, unreadable or open to others.
        """
        if folder is None:
            return cls(secrets.token_bytes(32), secrets.token_urlsafe(32), clock=clock)
        key = keyfiles.read_or_make(folder / "token.key", lambda: secrets.token_hex(32).encode())
        token = keyfiles.read_or_make(folder / "admin.token", lambda: secrets.token_urlsafe(32).encode())
        try:
            return cls(bytes.fromhex(key.decode()), token.decode().strip(), clock=clock)
        except ValueError as error:
            raise keyfiles.KeyFileError(
                f"{folder / 'token.key'} is damaged; delete it to have a new one (that ends all portal sessions)"
            ) from error

    def add_static(self, token: str, user: User) -> None:
        """Let a token that somebody else chose stand for ``user`` as long as the process lives."""
        self._static[_digest(token)] = user

    def issue(self, user: User, ttl_s: float) -> tuple[str, datetime]:
        """Give a signed token that stands for ``user`` until the time beside it."""
        expires = (self.clock() + timedelta(seconds=ttl_s)).replace(microsecond=0)
        claims = {**_user_json(user), "exp": int(expires.timestamp())}
        payload = _base64(orjson.dumps(claims))
        return f"{_SIGNED}{payload}.{_base64(self._sign(payload))}", expires

    def user_of(self, token: str) -> User:
        """Give whom a token stands for.

        Raises:
            UnauthorizedError: unknown, changed or expired; the message does not say which.
        """
        user = None
        if len(token) <= _MAX_TOKEN:
            user = self._signed(token) if token.startswith(_SIGNED) else self._static.get(_digest(token))
        if user is None:
            raise UnauthorizedError("Unauthorized")
        return user

    def _signed(self, token: str) -> User | None:
        payload, _, signature = token[len(_SIGNED) :].partition(".")
        if not hmac.compare_digest(
            _base64(self._sign(payload)).encode(), signature.encode("utf-8", "surrogatepass")
        ):
            return None
        claims = orjson.loads(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )  # ours: the signature fits
        if claims["exp"] <= self.clock().timestamp():
            return None
        return _user_of_json(claims)

    def _sign(self, payload: str) -> bytes:
        return hmac.digest(self._key, payload.encode("utf-8", "surrogatepass"), "sha256")


class RequestAuthenticator:
    """The ``Authenticator`` of the API server."""

    def __init__(self, tokens: Tokens, accounts: AccountTokens, rbac: Rbac, *, clock: Clock) -> None:
        self._tokens = tokens
        self._accounts = accounts
        self._rbac = rbac
        self._clock = clock

    def authenticate(self, credentials: Credentials) -> User:
        """Give the user behind the credentials; ``system:anonymous`` when there are none.

        A valid client certificate goes before a token, as in Kubernetes.

        Raises:
            UnauthorizedError: what was shown is not valid.
        """
        if credentials.certificate is not None:
            user, expires = _certificate_user(credentials.certificate)
            if user is not None and self._clock() <= expires:
                return user
        scheme, _, token = credentials.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            try:
                return self.judge(token).user
            except InvalidTokenError as error:
                raise UnauthorizedError("Unauthorized") from error
        if credentials.certificate is not None:
            raise UnauthorizedError("Unauthorized")
        return ANONYMOUS

    def judge(self, token: str, audiences: Sequence[str] | None = None) -> Verified:
        """Give whom a bearer token stands for, for any of ``audiences`` (the API server's own where absent).

        Raises:
            UnauthorizedError: unknown, or one of the API server's own that is asked for others.
            InvalidTokenError: a service account's token that does not count, and why.
        """
        if len(token) > _MAX_TOKEN:
            raise UnauthorizedError("Unauthorized")
        if self._accounts.is_ours(token):
            return self._accounts.verify(token, audiences)
        user = self._tokens.user_of(token)
        own = self._accounts.audiences
        meant = own if audiences is None else tuple(each for each in own if each in audiences)
        if not meant:
            raise UnauthorizedError("Unauthorized")
        return Verified(user, meant)

    def impersonated(self, user: User, credentials: Credentials) -> User:
        """Give whom ``user`` asks to act as by ``Impersonate-*`` headers, or ``user``.

        Raises:
            ForbiddenError: ``user`` may not impersonate them.
            BadRequestError: groups, uid or extras without a user.
        """
        asked = [name for name in credentials.headers if name.startswith("impersonate-")]
        if not asked:
            return user
        headers = {name: _utf8(credentials.headers[name]) for name in asked}
        groups = headers.get("impersonate-group", "")
        other = User(
            name=headers.get("impersonate-user", ""),
            groups=tuple(groups.split("\n")) if groups else (),
            uid=headers.get("impersonate-uid", ""),
            extra={
                unquote(name.removeprefix("impersonate-extra-")): tuple(headers[name].split("\n"))
                for name in asked
                if name.startswith("impersonate-extra-")
            },
        )
        return self.act_as(user, other)

    def act_as(self, user: User, other: User) -> User:
        """Give ``other``, with the groups that every such user has, if ``user`` may impersonate it.

        Stricter than Kubernetes in one point: ``system:masters``, which no role limits, is only lent to who
        may do everything anyhow. So a portal that may impersonate any group still can't become root.

        Raises:
            ForbiddenError: ``user`` may not impersonate the name, a group, the uid or an extra.
            BadRequestError: ``other`` has no name.
        """
        if not other.name:
            raise BadRequestError(f"requested {_named(other)} without impersonating a user")
        for attributes in _impersonations(other):
            self._rbac.check(user, attributes)
        if MASTERS in other.groups and missing(self._rbac.rules_for(user, ""), EVERYTHING):
            attributes = Attributes("impersonate", resource="groups", name=MASTERS)
            raise forbidden(user, attributes, "only who may do everything may act as this group")
        return User(other.name, _groups(other), other.uid, other.extra)


def _named(other: User) -> str:
    """Print what a request without a user asks for, as Kubernetes prints its object references."""
    group = "authentication.k8s.io/v1"
    found = [f"{{Group  {name}    }}" for name in other.groups]
    found += [
        f"{{UserExtra  {value}  {group}  {key}}}" for key, values in other.extra.items() for value in values
    ]
    if other.uid:
        found.append(f"{{UID  {other.uid}  {group}  }}")
    return f"[{' '.join(found)}]"


def _utf8(text: str) -> str:
    """Read a header as clients mean it: HTTP hands it over as Latin-1, Go clients send UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _impersonations(other: User) -> list[Attributes]:
    """List what must be allowed to act as ``other``."""
    parts = other.name.removeprefix(SERVICE_ACCOUNT).split(":")
    if other.name.startswith(SERVICE_ACCOUNT) and len(parts) == 2:
        asked = [Attributes("impersonate", resource="serviceaccounts", namespace=parts[0], name=parts[1])]
    else:
        asked = [Attributes("impersonate", resource="users", name=other.name)]
    asked += [Attributes("impersonate", resource="groups", name=group) for group in other.groups]
    group = "authentication.k8s.io"
    if other.uid:
        asked.append(Attributes("impersonate", group, "uids", name=other.uid))
    asked += [
        Attributes("impersonate", group, "userextras", subresource=key, name=value)
        for key, values in other.extra.items()
        for value in values
    ]
    return asked


def _groups(other: User) -> tuple[str, ...]:
    """Complete an impersonated user's groups as Kubernetes does."""
    groups = other.groups
    if not groups and other.name.startswith(SERVICE_ACCOUNT):
        namespace = other.name.removeprefix(SERVICE_ACCOUNT).partition(":")[0]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    if other.name == ANONYMOUS.name:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    known = AUTHENTICATED in groups or UNAUTHENTICATED in groups
    return groups if known else (*groups, AUTHENTICATED)


@lru_cache(maxsize=256)
def _certificate_user(der: bytes) -> tuple[User | None, datetime]:
    """Read CN and O of a certificate that TLS has verified; no CN means no user."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if not names or not names[-1].value:
        return None, certificate.not_valid_after_utc
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    held = (*(str(group.value) for group in groups), AUTHENTICATED)
    user = User(str(names[-1].value), held, extra=extra)
    return user, certificate.not_valid_after_utc


def _user_json(user: User) -> Object:
    extra = {key: list(values) for key, values in user.extra.items()}
    members = {"user": user.name, "groups": list(user.groups), "uid": user.uid, "extra": extra}
    return {name: value for name, value in members.items() if value}


def _user_of_json(claims: Object) -> User:
    extra = {key: tuple(values) for key, values in claims.get("extra", {}).items()}
    return User(claims["user"], tuple(claims.get("groups", ())), claims.get("uid", ""), extra)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
