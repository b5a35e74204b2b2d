"""A portal over a real API server on memory storage, with kinds to order and things to look at."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
import pytest_asyncio

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import User
from roadbed.apis import load_crds
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.core import NAMESPACES
from roadbed.apis.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS
from roadbed.apiserver import ADMINS, Access, ApiServer
from roadbed.client import Client
from roadbed.interfaces.web import WebApp, WebSettings, create_app
from roadbed.portal.catalog import Catalog
from roadbed.portal.index import Database
from roadbed.storage import open_storage

ORIGIN = "http://127.0.0.1:7007"
ADMIN = User("ada", (ADMINS, "system:authenticated", "team-shop"))
SYSTEM = User("system:apiserver", ("system:masters", "system:authenticated"))
PORTAL = User("system:portal", ("system:authenticated",))

DATABASES = Resource(
    "platform.example.org",
    "v1alpha1",
    "databases",
    "Database",
    singular="database",
    categories=("composite",),
)
BUCKETS = Resource(
    "s3.aws.m.upbound.io", "v1beta1", "buckets", "Bucket", singular="bucket", categories=("managed",)
)

_CONDITIONS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_REFERENCES = {
    "type": "object",
    "properties": {
        "resourceRefs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("apiVersion", "kind", "name")},
            },
        }
    },
}
DATABASE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A database that is backed up, patched and watched.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["engine"],
            "properties": {
                "engine": {"type": "string", "enum": ["postgres", "mysql"], "description": "What it speaks."},
                "size": {"type": "string", "enum": ["small", "medium", "large"], "default": "small"},
                "storageGB": {"type": "integer", "minimum": 20, "maximum": 1000, "default": 20},
                "name": {"type": "string", "pattern": "^[a-z_]+$", "maxLength": 30},
                "protected": {"type": "boolean", "default": True, "description": "Refuse to delete it."},
                "users": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "role": {"type": "string", "enum": ["reader", "writer"], "default": "reader"},
                        },
                    },
                },
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "crossplane": _REFERENCES,
            },
        },
        "status": _CONDITIONS,
    },
}
BUCKET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "status": _CONDITIONS,
    },
}


def definition(resource: Resource, schema: dict[str, Any]) -> dict[str, Any]:
    """Make a CRD as a composite definition or a provider would."""
    return {
        "apiVersion": CUSTOMRESOURCEDEFINITIONS.api_version,
        "kind": CUSTOMRESOURCEDEFINITIONS.kind,
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "plural": resource.plural,
                "singular": resource.singular,
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "categories": list(resource.categories),
            },
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": copy.deepcopy(schema)},
                }
            ],
        },
    }


@dataclass
class Site:
    """The portal, what stands behind it, and browsers to visit it with."""

    app: WebApp
    server: ApiServer
    client: Client
    catalog: Catalog
    browsers: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self) -> httpx.AsyncClient:
        """Give a browser that is not signed in."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        made = httpx.AsyncClient(transport=transport, base_url=ORIGIN, follow_redirects=False)
        self.browsers.append(made)
        return made

    async def signed_in(self, user: User = ADMIN) -> httpx.AsyncClient:
        """Give a browser that has followed a sign-in link."""
        browser = self.browser()
        answer = await browser.get(self.app.issue_signin_link(user))
        assert answer.status_code == 303
        return browser

    async def grant(self, user: str, rules: list[dict[str, Any]], namespace: str = "") -> None:
        """Give a user a role."""
        name = f"{user}-{namespace or 'everywhere'}"
        await self.client.create(
            CLUSTERROLES,
            {
                "apiVersion": CLUSTERROLES.api_version,
                "kind": "ClusterRole",
                "metadata": {"name": name},
                "rules": rules,
            },
        )
        resource = ROLEBINDINGS if namespace else CLUSTERROLEBINDINGS
        await self.client.create(
            resource,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
                "roleRef": {"apiGroup": CLUSTERROLES.group, "kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "User", "name": user, "apiGroup": CLUSTERROLES.group}],
            },
        )

    async def order(
        self, name: str, *, buckets: int = 0, spec: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Create a Database in namespace shop with composed buckets, none of them ready yet."""
        references = [
            {"apiVersion": BUCKETS.api_version, "kind": "Bucket", "name": f"{name}-{number}"}
            for number in range(buckets)
        ]
        body = {"engine": "postgres", "crossplane": {"resourceRefs": references}, **(spec or {})}
        made = await self.client.create(DATABASES, obj(DATABASES, name, spec=body))
        for reference in references:
            await self.client.create(BUCKETS, obj(BUCKETS, reference["name"], spec={}))
        return made

    async def condition(self, resource: Resource, name: str, **conditions: str) -> None:
        """Write conditions: ``Ready="False Creating waiting"``."""
        written = []
        for kind, text in conditions.items():
            status, reason, message = [*text.split(" ", 2), "", ""][:3]
            then = "2026-01-01T00:00:00Z"
            written.append(
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastTransitionTime": then,
                }
            )
        patch = {"status": {"conditions": written}}
        await self.client.patch(resource, name, patch, namespace="shop", subresource="status")


def obj(resource: Resource, name: str, *, namespace: str = "shop", **members: Any) -> dict[str, Any]:
    """Make an object."""
    meta = {"name": name} | ({"namespace": namespace} if resource.namespaced else {})
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **members}


@pytest.fixture(scope="session")
def unchanging_crds() -> list[dict[str, Any]]:
    wanted = ("catalog.roadbed.dev", "apiextensions.crossplane.io", "pkg.crossplane.io")
    return [crd for crd in load_crds() if crd["spec"]["group"] in wanted]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(unchanging_crds: list[dict[str, Any]]) -> AsyncIterator[Site]:
    storage = await open_storage("memory:")
    clock = lambda: datetime.now(UTC)  # noqa: E731
    access = Access.open(None, storage, clock=clock)
    server = ApiServer(
        storage,
        authenticator=access.authenticator,
        authorizer=access.authorizer,
        sealer=access.sealer,
        crds=[*unchanging_crds, definition(DATABASES, DATABASE_SCHEMA), definition(BUCKETS, BUCKET_SCHEMA)],
        clock=clock,
    )
    for reviewer in access.reviewers:
        server.add_reviewer(reviewer)
    await server.start()
    client = Client(server.local(SYSTEM))
    await client.create(NAMESPACES, obj(NAMESPACES, "shop"))
    database = Database(None)
    await database.open()
    catalog = Catalog(database)
    settings = WebSettings(origins=(ORIGIN,), session_key=b"k" * 32, version="test")
    app = create_app(settings, client=Client(server.local(PORTAL)), catalog=catalog)
    made = Site(app, server, client, catalog)
    yield made
    await app.stop()
    for browser in made.browsers:
        await browser.aclose()
    await database.close()
    await server.stop()
    access.close()
    await storage.close()
