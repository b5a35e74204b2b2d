"""Everything over HTTP that is no resource: health, version, discovery, OpenAPI, metrics, and the list of addresses.

``asgi`` hands over each such request once the caller is known. Who may is asked by path and method, as Kubernetes
does; then the address decides. Some addresses take any method there (they hang on a plain multiplexer), others GET
only; both are kept. What nobody serves is a plain 404 text, but below a group version that exists, a Status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from roadbed.apimachinery import instruments
from roadbed.apimachinery.errors import MethodNotAllowedError, NotAcceptableError
from roadbed.apimachinery.request import User

from . import answering, negotiation, openapi, routes
from .answering import Manner, Send
from .discovery import Discovery, Encoded
from .health import Health, version
from .metrics import Metrics
from .openapi import Document as OpenApiDocument
from .openapi import OpenApi
from .ports import Attributes, Authorizer

Document = Callable[[], tuple[bytes, bytes]]
"""Gives the body and the media type of a document that is no resource."""

_PUBLIC: Final = (b"cache-control", b"public, max-age=3600")
_METRICS: Final = (b"content-type", instruments.MEDIA_TYPE.encode())
_MOST_COMPRESSED: Final = 64  # documents; each is some 10 KB


@dataclass(frozen=True, slots=True)
class Asking:
    """One request for a document."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    route: routes.Route | None

    @property
    def accept(self) -> str:
        """What forms are taken."""
        return self.headers.get("accept", "")

    @property
    def takes_gzip(self) -> bool:
        """Say whether the answer may be compressed."""
        return negotiation.takes_gzip(self.headers.get("accept-encoding", ""))


class Documents:
    """Answers them; ``extra`` holds, by path, those of others, which everybody may keep for an hour.

    ``dumps`` hold texts about this moment, which the list of addresses does not show.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        discovery: Discovery,
        openapi: OpenApi,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._authorizer = authorizer
        self._discovery = discovery
        self._openapi = openapi
        self._health = health
        self._metrics = metrics
        self._building = asyncio.Lock()
        self._compressed: dict[str, bytes] = {}
        self.extra: dict[str, Document] = {}
        self.dumps: dict[str, Callable[[], bytes]] = {}

    async def answer(self, asking: Asking, user: User, send: Send) -> tuple[int, int]:
        """Send the answer; gives its status code and its size.

        Raises:
            ForbiddenError, MethodNotAllowedError, NotAcceptableError, NotFoundError: nothing was sent.
        """
        path = asking.path
        verb = asking.method.lower()
        self._authorizer.check(user, Attributes("get" if verb == "head" else verb, path=path))
        health = self._health.answer(path, asking.query)
        if health is not None:
            headers = [answering.TEXT, answering.NO_CACHE, answering.NO_SNIFFING]
            return health.status, await answering.send_bytes(send, health.status, health.body, headers)
        path = path.rstrip("/") or "/"
        if path == "/version":
            return await self._version(asking, send)
        if path in self.extra:
            body, content_type = self.extra[path]()
            return 200, await answering.send_bytes(
                send, 200, body, [(b"content-type", content_type), _PUBLIC]
            )
        if path in self.dumps:
            headers = [answering.TEXT, answering.NO_CACHE]
            return 200, await answering.send_bytes(send, 200, self.dumps[path](), headers)
        if path == "/metrics":
            body = self._metrics.text()
            headers = [_METRICS, answering.NO_CACHE]
            return 200, await answering.send_bytes(send, 200, body, headers, takes_gzip=asking.takes_gzip)
        if path.startswith("/openapi/v"):
            return await self._schema(path, asking, send)
        return await self._discover(path, asking, send)

    async def _version(self, asking: Asking, send: Send) -> tuple[int, int]:
        _only_get(asking)
        form = negotiation.document_form(asking.accept, has_protobuf=False)
        return 200, await answering.respond(send, 200, version(), Manner(form, is_pretty=True))

    async def _schema(self, path: str, asking: Asking, send: Send) -> tuple[int, int]:
        async with self._building:  # one at a time: the second asker finds it built
            build = self._openapi.building(path, asking.accept)
            if build is not None:
                await asyncio.to_thread(build)
        document = self._openapi.get(
            path,
            hash_=asking.query.get("hash", ""),
            if_none_match=asking.headers.get("if-none-match", ""),
            accept=asking.accept,
        )
        if document is None:
            if not path.startswith(openapi.ROOT):
                raise routes.NoPageError(path)
            return 404, await answering.send_bytes(send, 404, b"", [answering.NO_CACHE])
        headers = [(name.lower().encode(), value.encode()) for name, value in document.headers.items()]
        body = document.body
        if asking.takes_gzip and len(body) > answering.GZIP_BYTES:
            body = await self._packed(document)
            headers.append((b"content-encoding", b"gzip"))
        await answering.send_bytes(send, document.status, body, headers)
        return document.status, len(document.body)

    async def _packed(self, document: OpenApiDocument) -> bytes:
        """Give a document compressed; many clients ask for the same few."""
        key = document.headers["ETag"]
        found = self._compressed.get(key)
        if found is None:
            found = await asyncio.to_thread(answering.compressed, document.body)
            if len(self._compressed) >= _MOST_COMPRESSED:
                self._compressed.clear()
            self._compressed[key] = found
        return found

    async def _discover(self, path: str, asking: Asking, send: Send) -> tuple[int, int]:
        if path == "/":
            body = orjson.dumps({"paths": self._paths()})
            return 200, await answering.respond(send, 200, body, Manner(is_pretty=True))
        document, form, is_open = self._document(path, asking)
        if document is None:
            raise (
                routes.not_found(asking.route.group) if asking.route is not None else routes.NoPageError(path)
            )
        if not is_open:
            _only_get(asking)
        agent = asking.headers.get("user-agent", "")
        manner = Manner(form, negotiation.wants_pretty(form, asking.query, agent), asking.takes_gzip)
        if not form.is_aggregated:
            return 200, await answering.respond(send, 200, document.body, manner)
        return await _aggregated(document, manner, asking, send)

    def _document(self, path: str, asking: Asking) -> tuple[Encoded | None, negotiation.Form, bool]:
        """Give the document, its form, and whether any method may ask for it."""
        discovery = self._discovery
        if path in ("/api", "/apis"):
            form = negotiation.document_form(asking.accept, is_discovery_root=True)
            if form.is_aggregated:
                return discovery.aggregated(core=path == "/api"), form, True
            return (discovery.core_versions() if path == "/api" else discovery.groups()), form, True
        document = None
        if asking.route is not None:
            document = discovery.resources(asking.route.group, asking.route.version)
        elif path.startswith("/apis/"):
            document = discovery.group(path.removeprefix("/apis/"))
        if document is None:
            return None, negotiation.PLAIN, True
        return document, negotiation.document_form(asking.accept), False

    def _paths(self) -> list[str]:
        found = [
            "/api",
            "/apis",
            "/apis/",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openapi/v3/",
            "/version",
        ]
        return sorted([*found, *self.extra, *self._health.paths(), *self._discovery.paths()])


async def _aggregated(document: Encoded, manner: Manner, asking: Asking, send: Send) -> tuple[int, int]:
    form = manner.form
    headers = [(b"etag", document.etag.encode()), (b"vary", b"Accept"), (b"cache-control", b"public")]
    content_type = (b"content-type", f"{form.media_type};{negotiation.DISCOVERY}".encode())
    if negotiation.is_known(document.etag, asking.headers.get("if-none-match", "")):
        return 304, await answering.send_bytes(send, 304, b"", headers)
    if form.encoding == "protobuf":
        raise NotAcceptableError("aggregated discovery is given as JSON or YAML")
    body = document.body if manner.is_plain else await answering.written(document.body, manner)
    return 200, await answering.send_bytes(
        send, 200, body, [content_type, *headers], takes_gzip=manner.takes_gzip
    )


def _only_get(asking: Asking) -> None:
    if asking.method != "GET":
        raise MethodNotAllowedError("the server does not allow this method on the requested resource")
