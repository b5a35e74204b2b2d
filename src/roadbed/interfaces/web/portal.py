"""What every page needs: the portal's parts, and the visit of one person.

``Portal`` is made once by ``create_app``; a ``Visit`` once per request. A visit's client impersonates the
person, so that what a page can show or do is what its reader may; only definitions (what kinds exist and
which fields they have, which the server publishes to everyone) are read by the portal itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.authorization import SELFSUBJECTACCESSREVIEWS
from roadbed.apis.core import NAMESPACES
from roadbed.client import Client
from roadbed.portal.catalog import Access, Catalog, access_of

from .sessions import Session, Sessions
from .settings import WebSettings

THEME_COOKIE = "roadbed_theme"
THEMES = ("system", "light", "dark")
SYSTEM_PREFIXES = ("kube-", "roadbed-")  # namespaces that nobody orders anything in come last
MOST_NAMESPACES = 32  # asked one by one for somebody without rights over all


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One entry of the rail; ``key`` is the letter after ``g`` that goes there."""

    name: str
    path: str
    icon: str
    key: str


NAVIGATION = (
    NavEntry("Home", "/", "home", "h"),
    NavEntry("Catalog", "/catalog", "catalog", "c"),
    NavEntry("Create", "/create", "create", "n"),
    NavEntry("Resources", "/resources", "resources", "r"),
    NavEntry("Platform", "/platform", "platform", "p"),
    NavEntry("Settings", "/settings", "settings", "s"),
)


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the person may, and in words what they lack."""

    allowed: bool
    sentence: str = ""


@dataclass(slots=True)
class Portal:
    """The parts that pages share. ``stopping`` ends live streams when the portal stops."""

    settings: WebSettings
    client: Client
    catalog: Catalog
    sessions: Sessions
    templates: jinja2.Environment
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0


@dataclass
class Visit:
    """One request of one signed-in person."""

    portal: Portal
    request: Request
    session: Session
    _elsewhere: Sequence[str] | None = None

    @cached_property
    def client(self) -> Client:
        """A client with exactly this person's rights."""
        return self.portal.client.impersonate(self.session.user)

    @property
    def catalog(self) -> Catalog:
        """The catalog; ask it with ``access``."""
        return self.portal.catalog

    @property
    def cluster(self) -> str:
        """The name of the cluster in addresses."""
        return self.portal.settings.cluster

    @property
    def is_partial(self) -> bool:
        """Say whether htmx asks for a part of a page rather than the browser for all of it."""
        headers = self.request.headers
        return headers.get("hx-request") == "true" and headers.get("hx-boosted") != "true"

    async def access(self) -> Access:
        """Compile what this person may see of the catalog."""
        return await access_of(self.client, await self.catalog.namespaces())

    async def may(self, verb: str, resource: Resource, namespace: str = "", name: str = "") -> Permission:
        """Ask whether this person may act on a resource; every button asks before it is drawn."""
        attributes = {
            "verb": verb,
            "group": resource.group,
            "version": resource.version,
            "resource": resource.plural,
            "namespace": namespace,
            "name": name,
        }
        question = {
            "apiVersion": SELFSUBJECTACCESSREVIEWS.api_version,
            "kind": SELFSUBJECTACCESSREVIEWS.kind,
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        answer = await self.client.ask(SELFSUBJECTACCESSREVIEWS, question)
        if (answer.get("status") or {}).get("allowed"):
            return Permission(True)
        where = f" in namespace {namespace}" if namespace else ""
        granter = "an admin of the namespace" if namespace else "a cluster admin"
        return Permission(
            False, f"You may not {verb} {resource.qualified}{where}. Ask {granter} for a role that allows it."
        )

    async def elsewhere(self) -> Sequence[str]:
        """Give namespaces in which somebody may have rights who has none over all; asked of each as the person.

        Read by the portal, because people with a role in one namespace may rarely list them. A name is shown only
        where the person may do something in it.
        """
        if self._elsewhere is not None:
            return self._elsewhere
        listed = await self.portal.client.list(NAMESPACES)
        names = [
            str(item["metadata"]["name"]) for item in listed if not item["metadata"].get("deletionTimestamp")
        ]
        self._elsewhere = [name for name in names if not name.startswith(SYSTEM_PREFIXES)][:MOST_NAMESPACES]
        return self._elsewhere

    async def namespaces_for(self, verb: str, resource: Resource) -> tuple[Permission, Sequence[str]]:
        """Say where this person may act on a namespaced resource; the permission is that of the best place."""
        everywhere = await self.may(verb, resource)
        if everywhere.allowed or not resource.namespaced:
            return everywhere, await self.namespaces() if resource.namespaced else ()
        names = await self.elsewhere()
        answers = await asyncio.gather(*(self.may(verb, resource, name) for name in names))
        allowed = [name for name, answer in zip(names, answers, strict=True) if answer.allowed]
        return (Permission(True), allowed) if allowed else (everywhere, ())

    async def namespaces(self) -> Sequence[str]:
        """Give the namespaces that the person may list, the system's own last; none where that is not allowed."""
        try:
            listed = await self.client.list(NAMESPACES)
        except ApiError:
            return ()
        names = [
            str(item["metadata"]["name"]) for item in listed if not item["metadata"].get("deletionTimestamp")
        ]
        return sorted(names, key=lambda name: (name.startswith(SYSTEM_PREFIXES), name))

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Give a page, or the part of it that htmx asked for."""
        return HTMLResponse(self.markup(template, **context), status)

    def markup(self, template: str, **context: Any) -> str:
        """Give a template's text for this visit."""
        return self.portal.templates.get_template(template).render(self._shell(), **context)

    def redirect(self, path: str) -> RedirectResponse | HTMLResponse:
        """Send the browser to another page, whether it asked itself or through htmx."""
        if self.is_partial:
            return HTMLResponse("", 200, headers={"HX-Redirect": path})
        return RedirectResponse(path, 303)

    def _shell(self) -> dict[str, Any]:
        return {
            "visit": self,
            "user": self.session.user,
            "csrf": self.portal.sessions.form_token(self.session),
            "path": self.request.url.path,
            "navigation": NAVIGATION,
            "settings": self.portal.settings,
            "theme": theme_of(self.request),
            "rail": "slim" if self.request.cookies.get("roadbed_rail") == "slim" else "wide",
            "now": self.portal.settings.now(),
            "partial": self.is_partial,
        }


def theme_of(request: Request) -> str:
    """Give the chosen theme; a cookie that says anything else means the system's."""
    found = request.cookies.get(THEME_COOKIE, "system")
    return found if found in THEMES else "system"


def groups_of(session: Session) -> Sequence[str]:
    """Give the groups that people chose, without those that the system adds."""
    return [group for group in session.user.groups if not group.startswith("system:")]
