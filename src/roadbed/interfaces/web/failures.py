"""Failures as pages: what went wrong, in words, and where to go from here; never a traceback."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .portal import Portal, Visit

_TITLES = {
    400: "That does not make sense to us",
    401: "You are not signed in",
    403: "You may not see this",
    404: "There is nothing here",
    405: "That is not possible here",
    409: "Somebody else was faster",
    422: "That is not valid",
    429: "Too much at once",
    503: "Not available right now",
}
_NEXT = {
    400: "Go back and check the address or what you entered.",
    403: "Ask an admin of the namespace, or a cluster admin, for a role that allows it.",
    404: "It may have been deleted, or the address is mistyped. Search with Ctrl K, or start from Home.",
    409: "Load the page again to see what changed, then try once more.",
    429: "Wait a moment, then load the page again.",
    503: "The API server is starting or stopping. This page will work again in a moment; load it again.",
}


def failure_page(request: Request, status: int, message: str) -> Response:
    """Give the page for a failure; for a part of a page, only the card."""
    portal: Portal = request.app.state.portal
    context = {
        "status": status,
        "title": _TITLES.get(status, "Something broke on our side"),
        "message": message if message not in ("Not Found", "Method Not Allowed") else "",
        "next_step": _NEXT.get(
            status,
            "It has been written to the log. Load the page again; if it stays, tell the platform team.",
        ),
    }
    session = getattr(request.state, "session", None)
    if session is None:
        return HTMLResponse(
            portal.templates.get_template("plain_failure.html").render(theme="system", **context), status
        )
    visit = Visit(portal, request, session)
    return HTMLResponse(visit.markup("failure.html", **context), status)
