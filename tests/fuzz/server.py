"""Whole requests against the server's HTTP face in process: any method, address, header and body.

The server keeps what was accepted, so later requests meet the objects of earlier ones; every so often it is made anew.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from roadbed.apimachinery.request import User
from roadbed.apiserver import Access, ApiServer
from roadbed.storage import open_storage

from .mutation import mutations
from .targets import LIVE, SCHEMA, TARGETS

ANSWER_S = 5.0  # longer is a hang
REQUESTS_EACH = 5_000  # of one server
LOWEST_FAILURE = 500
ANSWERED = frozenset((503, 504))  # not ready, and a revision from the future: both are answers
JSON = "application/json"
BODIES = (
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"a":"b"}},"data":{"k":"v"}}',
    b'{"apiVersion":"v1","kind":"Secret","metadata":{"generateName":"s-"},"stringData":{"k":"v"},"type":"Opaque"}',
    b'{"apiVersion":"fuzz.example.org/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"size":3,"items":[{"key":"a"}]}}',
    b'{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":{"kind":"Pod"},"reason":"x","type":"Normal"}',
    b'{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Foreground","preconditions":{"uid":"x"}}',
    b'{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"user":"a","resourceAttributes":{"verb":"get"}}}',
    *TARGETS["patch"].seeds,
    *TARGETS["protobuf"].seeds,
    *TARGETS["yaml"].seeds,
)
PATHS = (
    b"/api/v1/namespaces/default/configmaps",
    b"/api/v1/namespaces/default/configmaps/a",
    b"/api/v1/namespaces/default/secrets",
    b"/api/v1/namespaces",
    b"/api/v1/namespaces/default",
    b"/apis/apps/v1/namespaces/default/deployments/a",
    b"/apis/apps/v1/namespaces/default/deployments",
    b"/apis/fuzz.example.org/v1/namespaces/default/widgets",
    b"/apis/fuzz.example.org/v1/namespaces/default/widgets/a",
    b"/apis/fuzz.example.org/v1/namespaces/default/widgets/a/status",
    b"/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    b"/apis/rbac.authorization.k8s.io/v1/clusterroles",
    b"/apis/authorization.k8s.io/v1/subjectaccessreviews",
    b"/api/v1/namespaces/default/events",
    b"/openapi/v3",
    b"/openapi/v2",
    b"/api",
    b"/apis",
    b"/version",
    b"/readyz",
)
QUERIES = (
    b"",
    b"",
    b"fieldManager=fuzz&force=true",
    b"limit=1&continue=eyJydiI6MX0",
    b"labelSelector=a%3Db,c%20in%20(d)&fieldSelector=metadata.name%3Da",
    b"resourceVersion=1&resourceVersionMatch=Exact",
    b"dryRun=All&fieldValidation=Strict",
    b"propagationPolicy=Orphan&gracePeriodSeconds=0",
    b"pretty=true&includeObject=Object",
)
METHODS = ("GET", "GET", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE", "HEAD", "OPTIONS")
TYPES = (
    JSON,
    JSON,
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
)
ACCEPTS = (
    "*/*",
    JSON,
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/yaml",
    "image/png",
)


class Finding(AssertionError):
    """A request that was not answered as it should be."""


async def fuzz(count: int, seed: int) -> int:
    """Send ``count`` requests; gives how many were accepted (2xx).

    Raises:
        Finding: an answer of 500 or above, none in time, or an exception that left the server.
    """
    requests = _requests(seed)
    accepted = 0
    for start in range(0, count, REQUESTS_EACH):
        storage = await open_storage("memory:")
        server = await make_server(storage)
        try:
            for _ in range(min(REQUESTS_EACH, count - start)):
                accepted += 200 <= await _ask(server, next(requests)) < 300
        finally:
            await server.stop()
            await storage.close()
    return accepted


async def make_server(storage: Any, webhooks: Any = None) -> ApiServer:
    def now() -> datetime:
        return datetime.now(UTC)

    access = Access.open(None, storage, clock=now)
    server = ApiServer(
        storage,
        authenticator=_Admin(),
        authorizer=access.authorizer,
        sealer=access.sealer,
        clock=now,
        webhooks=webhooks,
    )
    for reviewer in access.reviewers:
        server.add_reviewer(reviewer)
    await server.start()
    access.close()
    names = {"plural": "widgets", "kind": "Widget"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    version["subresources"] = {"status": {}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.fuzz.example.org"},
        "spec": {"group": "fuzz.example.org", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    for path, obj in (
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd),
        ("/apis/apps/v1/namespaces/default/deployments", LIVE),
    ):
        await _ask(server, _scope("POST", path.encode(), JSON, JSON) | {"body": orjson.dumps(obj)})
    return server


class _Admin:
    """Lets everything in, so that nothing is spared by a 401."""

    def authenticate(self, credentials: Any) -> User:
        del credentials
        return User("admin", ("system:masters",))

    def impersonated(self, user: User, credentials: Any) -> User:
        del credentials
        return user

    act_as = impersonated


def _requests(seed: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    bodies, paths, queries = (
        mutations(BODIES, seed + 1),
        mutations(PATHS, seed + 2),
        mutations(QUERIES, seed + 3),
    )
    while True:
        # An address that leads nowhere tests little: most are right, as most bodies are for one in four.
        path = chance.choice(PATHS) if chance.random() < 0.8 else next(paths)
        query = chance.choice(QUERIES) if chance.random() < 0.7 else next(queries)
        body = chance.choice(BODIES) if chance.random() < 0.25 else next(bodies)
        scope = _scope(chance.choice(METHODS), path, chance.choice(TYPES), chance.choice(ACCEPTS))
        yield scope | {"query_string": query.replace(b"watch", b""), "body": body}


def _scope(method: str, path: bytes, content_type: str, accept: str) -> dict[str, Any]:
    headers = [(b"content-type", content_type.encode()), (b"accept", accept.encode())]
    return {
        "type": "http",
        "method": method,
        "path": path.decode("utf-8", "replace").replace("/watch/", "/"),
        "query_string": b"",
        "headers": headers,
    }


async def _ask(server: ApiServer, request: dict[str, Any]) -> int:
    body = request["body"] if request["method"] not in ("GET", "HEAD", "OPTIONS") else b""
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    try:
        async with asyncio.timeout(ANSWER_S):
            await server.asgi(request, receive, send)
    except Exception as error:
        raise Finding(f"{_shown(request)}: {error!r}") from error
    if status == 0 or (status >= LOWEST_FAILURE and status not in ANSWERED):
        raise Finding(f"{_shown(request)}: answered {status}")
    return status


def _shown(request: dict[str, Any]) -> str:
    parts = (request["method"], request["path"], request["query_string"], request["headers"], request["body"])
    return " ".join(repr(each) for each in parts)
