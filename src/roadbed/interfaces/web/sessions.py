"""Who is signed in: one-time links, signed cookies, and the token that every form carries.

Called by the guard on each request and by the sign-in pages. A cookie holds the whole session, signed, so
nothing is stored but the links not used yet and the sessions signed out before their time; both are
bounded. It decides nothing about permissions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from roadbed.apimachinery.request import User

from .settings import WebSettings

COOKIE = "roadbed_session"
MOST_LINKS = 1000
MOST_SIGNED_OUT = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """One person's signed-in browser, until ``expires``."""

    id: str
    user: User
    expires: datetime


class Sessions:
    """Issues and redeems links, makes and reads cookies."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._links: OrderedDict[bytes, tuple[User, datetime]] = OrderedDict()
        self._signed_out: OrderedDict[str, None] = OrderedDict()

    def issue_link(self, user: User) -> str:
        """Give an address that signs ``user`` in once, soon."""
        token = secrets.token_urlsafe(32)
        self._links[_digest(token)] = (user, self._settings.now() + timedelta(seconds=self._settings.link_s))
        while len(self._links) > MOST_LINKS:
            self._links.popitem(last=False)
        return f"{self._settings.origins[0]}/signin?token={token}"

    def redeem(self, token: str) -> Session | None:
        """Open a session for an unused link; None when it was used, is too old or was never issued."""
        found = self._links.pop(_digest(token), None)
        now = self._settings.now()
        if found is None or found[1] <= now:
            return None
        return self.open(found[0])

    def open(self, user: User) -> Session:
        """Open a session for somebody whose identity is certain."""
        expires = self._settings.now() + timedelta(seconds=self._settings.session_s)
        return Session(secrets.token_urlsafe(16), user, expires)

    def cookie_of(self, session: Session) -> str:
        """Give the signed text that ``read`` takes back."""
        claims = {
            "id": session.id,
            "user": session.user.name,
            "groups": session.user.groups,
            "expires": int(session.expires.timestamp()),
        }
        payload = base64.urlsafe_b64encode(orjson.dumps(claims)).decode()
        return f"{payload}.{self._sign('session', payload)}"

    def read(self, cookie: str) -> Session | None:
        """Give the session of a cookie that we signed, that is not too old and not signed out."""
        payload, _, signature = cookie.rpartition(".")
        if not payload or not hmac.compare_digest(
            signature.encode(), self._sign("session", payload).encode()
        ):
            return None
        claims = orjson.loads(base64.urlsafe_b64decode(payload))
        now = self._settings.now()
        if claims["expires"] <= now.timestamp() or claims["id"] in self._signed_out:
            return None
        user = User(claims["user"], tuple(claims["groups"]))
        return Session(claims["id"], user, datetime.fromtimestamp(claims["expires"], now.tzinfo))

    def sign_out(self, session: Session) -> None:
        """Refuse the session's cookie from now on."""
        self._signed_out[session.id] = None
        while len(self._signed_out) > MOST_SIGNED_OUT:
            self._signed_out.popitem(last=False)

    def form_token(self, session: Session) -> str:
        """Give the token that this session's forms must carry, which another site cannot know."""
        return self._sign("form", session.id)

    def is_form_token(self, session: Session, token: str) -> bool:
        """Say whether a form came from one of our pages in this session."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())

    def _sign(self, purpose: str, text: str) -> str:
        key = self._settings.session_key
        digest = hmac.new(key, f"{purpose}:{text}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
