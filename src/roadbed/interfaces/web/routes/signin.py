"""Signing in and out: the one-time link, and the page that says where to get one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from roadbed.interfaces.web.portal import Portal, theme_of
from roadbed.interfaces.web.sessions import COOKIE


async def sign_in(request: Request) -> Response:
    """Redeem a link, or show how to get one."""
    portal: Portal = request.app.state.portal
    token = request.query_params.get("token", "")
    if not token:
        return RedirectResponse("/", 303) if request.state.session else ask(request, status=200)
    session = portal.sessions.redeem(token)
    if session is None:
        problem = "This link was used already, or is too old. Links work once, for a short time."
        return ask(request, problem=problem, status=401)
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
