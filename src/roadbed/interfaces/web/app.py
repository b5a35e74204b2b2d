"""The portal as an ASGI application: routes inside a guard, errors as pages.

``app`` makes one with the portal's own client and the catalog, serves it, and calls ``stop`` before the
server closes so that live pages end. It starts no task of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import User
from roadbed.client import Client
from roadbed.portal.catalog import Catalog

from . import rendering
from .failures import failure_page
from .guard import Guard
from .portal import Portal, Visit
from .routes import catalog as catalog_pages
from .routes import create, home, platform, preferences, resource, resources, search, signin
from .sessions import Sessions
from .settings import WebSettings

logger = logging.getLogger(__name__)

Page = Callable[[Visit], Awaitable[ASGIApp]]


class WebApp:
    """The ASGI application."""

    def __init__(self, portal: Portal, guarded: Guard) -> None:
        self._portal = portal
        self._guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await self._guarded(scope, receive, send)

    def issue_signin_link(self, user: User) -> str:
        """Give an address that signs ``user`` in, once, within ``WebSettings.link_s`` seconds."""
        return self._portal.sessions.issue_link(user)

    async def stop(self) -> None:
        """End every live page; the browsers connect again when the portal is back."""
        self._portal.stopping.set()


def create_app(settings: WebSettings, *, client: Client, catalog: Catalog) -> WebApp:
    """Make the portal. ``client`` acts as the portal and must be allowed to impersonate users and groups."""
    sessions = Sessions(settings)
    portal = Portal(settings, client, catalog, sessions, rendering.environment(settings))
    if not rendering.is_built():
        logger.warning(
            "the browser files are not built: run make install", extra={"folder": str(rendering.STATIC)}
        )
    inner = Starlette(
        routes=_routes(portal),
        exception_handlers={HTTPException: _on_http, ApiError: _on_api, Exception: _on_surprise},
    )
    inner.state.portal = portal
    return WebApp(portal, Guard(inner, settings, sessions))


def _routes(portal: Portal) -> list[BaseRoute]:
    pages: list[tuple[str, str, Page]] = [
        *home.PAGES,
        *catalog_pages.PAGES,
        *create.PAGES,
        *resources.PAGES,
        *resource.PAGES,
        *platform.PAGES,
        *preferences.PAGES,
        *search.PAGES,
    ]
    return [
        Route("/healthz", _healthz),
        Route("/readyz", _readyz),
        Route("/static/{name}", _static),
        Route("/signin", signin.sign_in, methods=["GET", "POST"]),
        *(Route(path, _signed_in(portal, page), methods=[method]) for method, path, page in pages),
    ]


def _signed_in(portal: Portal, page: Page) -> Callable[[Request], Awaitable[ASGIApp]]:
    async def answer(request: Request) -> ASGIApp:
        session = request.state.session
        if session is None:
            return signin.ask(request)
        return await page(Visit(portal, request, session))

    return answer


async def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _readyz(request: Request) -> Response:
    unready = request.app.state.portal.settings.unready()
    if unready:
        return PlainTextResponse("not ready: " + "; ".join(unready) + "\n", 503)
    return PlainTextResponse("ok")


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    path = rendering.STATIC / name
    if "/" in name or name.startswith(".") or not path.is_file():
        raise HTTPException(404)
    headers = rendering.static_headers(request.url.query.encode())
    if (
        "gzip" in request.headers.get("accept-encoding", "")
        and (packed := path.with_name(f"{name}.gz")).is_file()
    ):
        kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}.get(path.suffix)
        return FileResponse(
            packed,
            media_type=kind,
            headers={**headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
        )
    return FileResponse(path, headers=headers)


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return failure_page(request, status, error.detail if isinstance(error, HTTPException) else "")


async def _on_api(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return failure_page(request, error.code, error.message)


async def _on_surprise(request: Request, error: Exception) -> Response:
    logger.error("page failed", exc_info=error, extra={"path": request.url.path})
    return failure_page(request, 500, "")


__all__ = ["WebApp", "create_app"]
