"""From a service account to its token, and from a token to the user that it stands for.

Asked by ``authn`` for every request with such a token, by TokenReview and by ``requests``, on the event loop.
A signature is checked once per token and kept; whether the account, and the object that a token is bound to,
still live is looked up in the store's memory every time, so a deletion ends a token at once. No I/O, no waiting.

Source: k8s.io/kubernetes/pkg/serviceaccount/{claims,legacy,jwt}.go
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import orjson

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.request import Object, User
from roadbed.apimachinery.timestamps import parse_time
from roadbed.apiserver.ports import Clock, Sealer
from roadbed.storage import Storage

from .keys import Keys, unverified

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
LEGACY_ISSUER: Final = "kubernetes/serviceaccount"
USER: Final = "system:serviceaccount:"
_LEEWAY = timedelta(minutes=1)  # go-jose's: clocks differ, and deletions take a moment
_MAX_KEPT = 4_096  # verified tokens; more at once only cost checking again
_CLAIM = "kubernetes.io/serviceaccount/"
_EXTRA = "authentication.kubernetes.io/"
INVALID_SINCE: Final = "kubernetes.io/legacy-token-invalid-since"


class InvalidTokenError(Exception):
    """A token of ours that does not count; the message says why and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whom a token stands for, and those of the audiences asked for that it is meant for."""

    user: User
    audiences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """An object whose deletion ends a token. ``plural`` is pods, nodes or secrets."""

    plural: str
    name: str
    uid: str
    node: tuple[str, str] | None = None  # name and uid of a pod's node


@dataclass(frozen=True, slots=True)
class Grant:
    """What to sign: an account, until when, for whom, bound to what."""

    namespace: str
    name: str
    uid: str
    audiences: Sequence[str]
    life_s: int
    binding: Binding | None = None
    issued: datetime | None = None


@dataclass(slots=True)
class AccountTokens:
    """Signs and recognises service-account tokens; ``audiences`` are those that the API server itself takes."""

    keys: Keys
    storage: Storage
    sealer: Sealer
    clock: Clock
    issuer: str = ISSUER
    audiences: tuple[str, ...] = (ISSUER,)
    address: str = ""  # host and port by which clients reach the OIDC documents
    _kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sign(self, grant: Grant) -> tuple[str, str]:
        """Give a token and its id."""
        now = int((grant.issued or self.clock()).timestamp())
        inside: dict[str, Any] = {
            "namespace": grant.namespace,
            "serviceaccount": {"name": grant.name, "uid": grant.uid},
        }
        binding = grant.binding
        if binding is not None:
            inside[binding.plural.removesuffix("s")] = {"name": binding.name, "uid": binding.uid}
            if binding.node is not None:
                name, uid = binding.node
                inside["node"] = {"name": name, **({"uid": uid} if uid else {})}
        identity = str(uuid4())
        claims = {
            "iss": self.issuer,
            "sub": f"{USER}{grant.namespace}:{grant.name}",
            "aud": list(grant.audiences),
            "iat": now,
            "nbf": now,
            "exp": now + grant.life_s,
            "jti": identity,
            "kubernetes.io": inside,
        }
        return self.keys.sign(claims), identity

    def sign_legacy(self, namespace: str, account: Object, secret: str) -> str:
        """Give the endless token that lives as long as the Secret which holds it."""
        name = str(account["metadata"]["name"])
        return self.keys.sign(
            {
                "iss": LEGACY_ISSUER,
                "sub": f"{USER}{namespace}:{name}",
                f"{_CLAIM}namespace": namespace,
                f"{_CLAIM}secret.name": secret,
                f"{_CLAIM}service-account.name": name,
                f"{_CLAIM}service-account.uid": account["metadata"]["uid"],
            }
        )

    def is_ours(self, token: str) -> bool:
        """Say whether a token names us as its issuer; what it says is not believed yet."""
        return token in self._kept or unverified(token).get("iss") in (
            self.issuer,
            LEGACY_ISSUER,
        )

    def verify(self, token: str, audiences: Sequence[str] | None = None) -> Verified:
        """Give whom a token stands for, for any of ``audiences`` (the API server's own where absent).

        Raises:
            InvalidTokenError: forged, expired, for others, or its account or bound object is gone.
        """
        claims = self._claims(token)
        asked = self.audiences if audiences is None else tuple(audiences)
        meant = claims.get("aud") or self.audiences  # tokens of Secrets name no audience
        meant = (meant,) if isinstance(meant, str) else tuple(meant)
        common = tuple(each for each in meant if each in asked)
        if not common:
            raise InvalidTokenError(
                f"token audiences {_quoted(meant)} is invalid for the target audiences {_quoted(asked)}"
            )
        if claims["iss"] == LEGACY_ISSUER:
            return Verified(self._legacy_user(token, claims), common)
        return Verified(self._user(claims), common)

    def live(self, plural: str, namespace: str, name: str) -> Object | None:
        """Give an object of the core group from the store's memory, opened where it is sealed."""
        key = f"/core/{plural}/{namespace}/{name}" if namespace else f"/core/{plural}/{name}"
        record = self.storage.get(key)
        if record is None:
            return None
        value = self.sealer.open(record.value, context=key) if plural == "secrets" else record.value
        found: Object = orjson.loads(value)
        return found

    def _claims(self, token: str) -> dict[str, Any]:
        kept = self._kept.get(token)
        if kept is None:
            kept = self.keys.verify(token)
            if kept is None:
                raise InvalidTokenError("invalid signature")
            if kept.get("iss") not in (self.issuer, LEGACY_ISSUER):
                raise InvalidTokenError(f"token issuer {go_quote(str(kept.get('iss')))} is invalid")
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[token] = kept
        return kept

    def _user(self, claims: Mapping[str, Any]) -> User:
        now, inside = self.clock(), claims["kubernetes.io"]
        if now - _LEEWAY > datetime.fromtimestamp(claims["exp"], tz=now.tzinfo):
            raise InvalidTokenError("service account token has expired")
        if now + _LEEWAY < datetime.fromtimestamp(claims["nbf"], tz=now.tzinfo):
            raise InvalidTokenError("service account token is not valid yet")
        namespace, account = inside["namespace"], inside["serviceaccount"]
        self._account(namespace, account["name"], account["uid"])
        extra: dict[str, Sequence[str]] = {}
        for word, plural in (("secret", "secrets"), ("pod", "pods"), ("node", "nodes")):
            reference = inside.get(word)
            if reference is None:
                continue
            if word != "node" or "pod" not in inside:
                self._bound(plural, "" if word == "node" else namespace, reference)
            if word != "secret":
                extra[f"{_EXTRA}{word}-name"] = (reference["name"],)
                if reference.get("uid"):
                    extra[f"{_EXTRA}{word}-uid"] = (reference["uid"],)
        extra[f"{_EXTRA}credential-id"] = (f"JTI={claims['jti']}",)
        return user_of(namespace, account["name"], account["uid"], extra)

    def _legacy_user(self, token: str, claims: Mapping[str, Any]) -> User:
        words = ("namespace", "secret.name", "service-account.name", "service-account.uid")
        namespace, secret_name, name, uid = (str(claims.get(f"{_CLAIM}{word}") or "") for word in words)
        secret = self.live("secrets", namespace, secret_name)
        if secret is None or secret["metadata"].get("deletionTimestamp"):
            raise InvalidTokenError("Token has been invalidated")
        held = b64decode((secret.get("data") or {}).get("token") or "")
        if not hmac.compare_digest(held, token.encode()):
            raise InvalidTokenError("Token does not match server's copy")
        self._account(namespace, name, uid)
        if (secret["metadata"].get("labels") or {}).get(INVALID_SINCE):
            raise InvalidTokenError(
                f"the token in secret {namespace}/{secret_name} for service account {namespace}/{name} has been "
                "marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or "
                f"remove the '{INVALID_SINCE}' label from the secret to temporarily allow use of this token"
            )
        return user_of(namespace, name, uid, {})

    def _account(self, namespace: str, name: str, uid: str) -> None:
        account = self.live("serviceaccounts", namespace, name)
        if account is None:
            raise InvalidTokenError(f'serviceaccounts "{name}" not found')
        if account["metadata"]["uid"] != uid:
            live = account["metadata"]["uid"]
            raise InvalidTokenError(f"service account UID ({live}) does not match claim ({uid})")
        if self._is_deleted(account):
            raise InvalidTokenError(f"service account {namespace}/{name} has been deleted")

    def _bound(self, plural: str, namespace: str, reference: Mapping[str, str]) -> None:
        found, word = self.live(plural, namespace, reference["name"]), plural.removesuffix("s")
        if found is None or self._is_deleted(found):
            raise InvalidTokenError("service account token has been invalidated")
        live = found["metadata"]["uid"]
        if live != reference["uid"]:
            text = f"does not match service account {word} ref claim ({reference['uid']})"
            raise InvalidTokenError(f"{word} UID ({live}) {text}")

    def _is_deleted(self, obj: Object) -> bool:
        """Say whether an object that finalizers hold was deleted longer ago than clocks differ."""
        deleted = obj["metadata"].get("deletionTimestamp")
        return deleted is not None and parse_time(deleted) < self.clock() - _LEEWAY


def user_of(namespace: str, name: str, uid: str, extra: Mapping[str, Sequence[str]]) -> User:
    """Give the user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"{USER}{namespace}:{name}", groups, uid, extra)


def _quoted(values: Sequence[str]) -> str:
    return "[" + " ".join(go_quote(value) for value in values) + "]"
