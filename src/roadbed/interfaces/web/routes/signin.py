"""Signing in and out: the one-time link, the token of the command line, and the page that asks for one.

A link is redeemed here; a token is reviewed by the API server (``TokenReview``, asked by the portal), so
whoever the server knows can sign in, as nobody but themselves.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import User
from roadbed.apis.authentication import TOKENREVIEWS
from roadbed.interfaces.web.portal import Portal, theme_of
from roadbed.interfaces.web.sessions import COOKIE, Session

LONGEST_TOKEN = 16_384


async def sign_in(request: Request) -> Response:
    """Redeem a link or a token, or show how to get one."""
    portal: Portal = request.app.state.portal
    if request.method == "POST":
        return await _with_token(request, portal)
    token = request.query_params.get("token", "")
    if not token:
        return RedirectResponse("/", 303) if request.state.session else ask(request, status=200)
    session = portal.sessions.redeem(token)
    if session is None:
        problem = "This link was used already, or is too old. Links work once, for a short time."
        return ask(request, problem=problem, status=401)
    return _welcome(portal, session)


async def _with_token(request: Request, portal: Portal) -> Response:
    token = str((await request.form()).get("token", "")).strip()
    if not token or len(token) > LONGEST_TOKEN:
        return ask(request, problem="Paste the token that roadbed token prints.", status=422)
    question = {
        "apiVersion": TOKENREVIEWS.api_version,
        "kind": TOKENREVIEWS.kind,
        "spec": {"token": token},
    }
    try:
        status = (await portal.client.ask(TOKENREVIEWS, question)).get("status") or {}
    except ApiError as error:
        return ask(request, problem=error.message, status=error.code)
    if not status.get("authenticated"):
        return ask(request, problem="The server does not know this token; it may be too old.", status=401)
    found = status.get("user") or {}
    user = User(str(found.get("username", "")), tuple(found.get("groups") or ()))
    return _welcome(portal, portal.sessions.open(user))


def _welcome(portal: Portal, session: Session) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        COOKIE,
        portal.sessions.cookie_of(session),
        max_age=int(portal.settings.session_s),
        httponly=True,
        # Lax, so that a link to a page in a chat opens that page; every write carries the form's token.
        samesite="lax",
        secure=portal.settings.is_secure,
    )
    return answer


def ask(request: Request, *, problem: str = "", status: int = 401) -> Response:
    """Give the sign-in page."""
    portal: Portal = request.app.state.portal
    page = portal.templates.get_template("signin.html").render(
        problem=problem, settings=portal.settings, theme=theme_of(request)
    )
    # A part of a page asked for after the session ended must not land inside the page.
    headers = {"HX-Redirect": "/signin"} if request.headers.get("hx-request") == "true" else None
    return HTMLResponse(page, status, headers=headers)
