"""The door: every request passes here before a page sees it, and every answer on its way out.

An ASGI middleware around the whole portal. It checks Host, Origin and the form token, bounds bodies,
reads the session cookie, and adds the security headers. It answers on its own only to refuse; who may do
what is decided by the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .sessions import COOKIE, Session, Sessions
from .settings import WebSettings

MOST_BODY_BYTES = 3 * 1024 * 1024  # as the API server takes; a form is at most one object
SIGN_IN = "/signin"  # the one form that nobody signed in can send; its origin must be ours
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS = {
    # No inline script or style anywhere: what an object's text says can never run.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class _Refusal(Exception):  # noqa: N818 - never leaves this module
    status: int
    message: str


class Guard:
    """Lets through what may pass, with ``scope["state"]["session"]`` set (None when not signed in)."""

    def __init__(self, inner: ASGIApp, settings: WebSettings, sessions: Sessions) -> None:
        self._inner = inner
        self._sessions = sessions
        self._origins = frozenset(settings.origins)
        self._hosts = frozenset(urlsplit(origin).netloc.lower() for origin in settings.origins)
        self._headers = dict(_HEADERS)
        if settings.is_secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = Headers(scope=scope)
        guarded = self._with_headers(send)
        try:
            self._check_host(headers)
            session = self._session(headers)
            scope.setdefault("state", {})["session"] = session
            if scope["method"] not in SAFE_METHODS:
                receive = await self._check_write(headers, scope["path"], session, receive)
        except _Refusal as refusal:
            await PlainTextResponse(refusal.message + "\n", refusal.status)(scope, receive, guarded)
            return
        await self._inner(scope, receive, guarded)

    def _check_host(self, headers: Headers) -> None:
        # A page of another site that points its own name at this address must not reach us (DNS rebinding).
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            known = ", ".join(sorted(self._hosts))
            raise _Refusal(421, f"this portal does not answer to the host {host!r}; it is reached at {known}")

    def _session(self, headers: Headers) -> Session | None:
        try:
            cookies: Mapping[str, object] = SimpleCookie(headers.get("cookie", ""))
            morsel = cookies.get(COOKIE)
            return self._sessions.read(morsel.value) if morsel else None  # type: ignore[attr-defined]
        except (CookieError, ValueError, KeyError):
            return None  # a mangled cookie is no cookie

    async def _check_write(
        self, headers: Headers, path: str, session: Session | None, receive: Receive
    ) -> Receive:
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise _Refusal(403, f"a form of {origin!r} cannot act here; open the portal itself and try again")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise _Refusal(
                403, "a form of another site cannot act here; open the portal itself and try again"
            )
        body = await self._body(receive)
        if path == SIGN_IN:
            if origin is None:
                raise _Refusal(403, "signing in takes a browser that says where its form comes from")
            return _replay(body, receive)
        token = headers.get("x-csrf-token") or _field(headers, body, "csrf")
        if session is None:
            raise _Refusal(401, "not signed in, or no longer; open the portal and sign in again")
        if not self._sessions.is_form_token(session, token):
            raise _Refusal(403, "the form's token is missing or of another session; load the page again")
        return _replay(body, receive)

    async def _body(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise _Refusal(400, "the browser left before the form was complete")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > MOST_BODY_BYTES:
                raise _Refusal(413, f"the form is larger than {MOST_BODY_BYTES} bytes")
            if not message.get("more_body"):
                return b"".join(chunks)

    def _with_headers(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return guarded


def _field(headers: Headers, body: bytes, name: str) -> str:
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10_000)
    except ValueError as error:
        raise _Refusal(413, "the form has more than 10000 fields") from error
    return fields.get(name, [""])[0]


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
