"""Settings of one browser, signing out, and the gallery in which every piece can be seen in every state."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from roadbed.interfaces.web import forms
from roadbed.interfaces.web.gallery import CAUSES, SCHEMA, VALUE, samples
from roadbed.interfaces.web.portal import THEME_COOKIE, THEMES, Visit, groups_of
from roadbed.interfaces.web.sessions import COOKIE

YEAR_S = 31_536_000


async def settings(visit: Visit) -> Response:
    """Give the settings page."""
    return visit.render("settings.html", themes=THEMES, groups=groups_of(visit.session))


async def choose_theme(visit: Visit) -> Response:
    """Remember light, dark or the system's choice in this browser."""
    form = await visit.request.form()
    chosen = str(form.get("theme", "system"))
    # Back to the page of ours that asked; only its path counts, so that no other site can be reached.
    back = urlsplit(visit.request.headers.get("referer", "")).path or "/settings"
    answer = RedirectResponse(
        back if back.startswith("/") and not back.startswith("//") else "/settings", 303
    )
    answer.set_cookie(
        THEME_COOKIE,
        chosen if chosen in THEMES else "system",
        max_age=YEAR_S,
        httponly=True,
        samesite="lax",
        secure=visit.portal.settings.is_secure,
    )
    return answer


async def sign_out(visit: Visit) -> Response:
    """End the session, here and for anyone who copied the cookie."""
    visit.portal.sessions.sign_out(visit.session)
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def show_gallery(visit: Visit) -> Response:
    """Give the gallery."""
    root = forms.build(SCHEMA, VALUE)
    forms.place(root, CAUSES)
    return visit.render("gallery.html", root=root, **samples(visit.portal.settings.now()))


PAGES = (
    ("GET", "/settings", settings),
    ("GET", "/settings/gallery", show_gallery),
    ("POST", "/settings/theme", choose_theme),
    ("POST", "/signout", sign_out),
)
