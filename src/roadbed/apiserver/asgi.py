"""The HTTP face: raw ASGI, one coroutine a request, no framework between the socket and the dispatcher.

A ``Listener`` calls it. Authenticates, reads the body, routes to resources, discovery, OpenAPI, health;
every failure leaves as a ``Status`` with its code, and nothing that a client sends ends in a 500.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from roadbed.apimachinery.apply import manager_name
from roadbed.apimachinery.errors import ApiError, MethodNotAllowedError
from roadbed.apimachinery.request import Answer, ApiRequest, User

from . import bodies, negotiation, routes, scale, table
from .context import Core
from .discovery import Discovery, Encoded
from .dispatch import Dispatcher
from .health import Checks, Health, version
from .openapi import OpenApi
from .ports import Attributes, Authenticator, Credentials
from .registry import Served
from .streaming import stream

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Document = Callable[[], tuple[bytes, bytes]]
"""Gives the body and the media type of a document that is no resource."""
_JSON = (b"content-type", b"application/json")
_PUBLIC = (b"cache-control", b"public, max-age=3600")
_NO_CACHE = (b"cache-control", b"no-cache, private")
_WITH_BODY = frozenset(("create", "update", "patch", "delete", "deletecollection"))


class HttpFace:
    """The ASGI application."""

    def __init__(
        self,
        core: Core,
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        openapi: OpenApi,
        checks: Checks,
    ) -> None:
        self._core = core
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._openapi = openapi
        self._discovery = Discovery(core.registry, lambda: dispatcher.reviews)
        self._health = Health(checks)
        self.documents: dict[str, Document] = {}  # by path; everybody may keep them for an hour

    async def __call__(self, scope: dict[str, Any], receive: bodies.Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        headers = _headers(scope["headers"])
        try:
            certificate = scope.get("extensions", {}).get("tls", {}).get("client_cert")
            credentials = Credentials(headers, certificate)
            user = self._authenticator.authenticate(credentials)
            if any(name.startswith("impersonate-") for name in headers):
                user = self._authenticator.impersonated(user, credentials)
            found = routes.route(scope["path"])
            if found is not None and found.plural:
                await self._resource(scope, headers, found, user, receive, send)
            else:
                await self._other(scope, headers, found, user, send)
        except ApiError as error:
            await _refuse(send, error)
        except Exception:  # the last resort: the client gets a Status, the log the traceback
            logger.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            failure = ApiError("Internal error occurred; the server's log has the details")
            await _refuse(send, failure)

    async def _resource(
        self,
        scope: Mapping[str, Any],
        headers: Mapping[str, str],
        found: routes.Route,
        user: User,
        receive: bodies.Receive,
        send: Send,
    ) -> None:
        form = negotiation.form_of(headers.get("accept", ""))
        query = routes.options(scope["query_string"])
        verb = routes.verb(scope["method"], found, query)
        body, patch_type = None, ""
        doubled: tuple[str, ...] = ()
        if verb in _WITH_BODY:
            raw = await bodies.read(receive, headers.get("content-length", ""))
            content_type = headers.get("content-type", "")
            if verb == "patch":
                body, patch_type = bodies.decode_patch(raw, content_type)
            else:
                body = bodies.decode(raw, content_type)
            if not verb.startswith("delete"):
                doubled = bodies.repeated(raw, body, query.get("fieldValidation", ""))
            if "fieldManager" not in query and patch_type != "application/apply-patch+yaml":
                query["fieldManager"] = manager_name("", headers.get("user-agent", ""))
        request = ApiRequest(
            verb,
            found.group,
            found.version,
            found.plural,
            namespace=found.namespace,
            name=found.name,
            subresource=found.subresource,
            body=body,
            patch_type=patch_type,
            options=query,
        )
        if verb == "watch":
            watch = self._dispatcher.watch(user, request)
            await stream(watch, form, self._core.clock, receive, send)
        elif verb == "list":
            page = await self._dispatcher.list(user, request)
            served = self._core.registry.get(found.group, found.version, found.plural)
            if form == "table":
                include = table.include_object(query.get("includeObject", ""))
                meta = table.page_meta(page)
                content = table.table(served.columns, page.items, meta, self._core.clock(), include=include)
            else:
                content = table.partial_list(page) if form == "partial" else table.plain_list(served, page)
            await respond(send, 200, content)
        else:
            answer = await self._dispatcher.call(user, request)
            await respond(
                send, answer.status, self._shaped(answer, found, query, form), doubled + answer.warnings
            )

    def _shaped(
        self, answer: Answer, found: routes.Route, query: Mapping[str, str], form: negotiation.Form
    ) -> bytes:
        if form == "json" or answer.body.startswith(b'{"kind":"Status"'):
            return answer.body
        served: Served | None = self._core.registry.find(found.group, found.version, found.plural)
        if served is None:
            return answer.body
        if form == "partial":
            return table.partial(answer.body)
        revision = orjson.loads(answer.body)["metadata"].get("resourceVersion", "")
        include = table.include_object(query.get("includeObject", ""))
        meta = {"resourceVersion": revision}
        columns = scale.COLUMNS if found.subresource == "scale" else served.columns
        return table.table(columns, [answer.body], meta, self._core.clock(), include=include)

    async def _other(
        self,
        scope: Mapping[str, Any],
        headers: Mapping[str, str],
        found: routes.Route | None,
        user: User,
        send: Send,
    ) -> None:
        path: str = scope["path"].rstrip("/") or "/"
        method: str = scope["method"]
        self._core.authorizer.check(
            user, Attributes(method.lower() if method != "HEAD" else "get", path=path)
        )
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowedError(f"the server does not allow method {method} on {path}")
        query = routes.options(scope["query_string"])
        health = self._health.answer(path, query)
        if health is not None:
            await respond(send, health.status, health.body, content_type=b"text/plain; charset=utf-8")
        elif path == "/version":
            await respond(send, 200, version())
        elif path in self.documents:
            body, content_type = self.documents[path]()
            await respond(send, 200, body, content_type=content_type, cache=_PUBLIC)
        elif path.startswith("/openapi/v"):
            await self._schema(path, query, headers, send)
        else:
            await self._discover(path, headers, found, send)

    async def _schema(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], send: Send
    ) -> None:
        document = self._openapi.get(
            path, hash_=query.get("hash", ""), if_none_match=headers.get("if-none-match", "")
        )
        if document is None:
            raise routes.not_found()
        extra = [(name.lower().encode(), value.encode()) for name, value in document.headers.items()]
        names = {name for name, _ in extra}
        start = [*extra, (b"content-length", str(len(document.body)).encode())]
        if b"content-type" not in names:
            start.append(_JSON)
        await send({"type": "http.response.start", "status": document.status, "headers": start})
        await send({"type": "http.response.body", "body": document.body})

    async def _discover(
        self, path: str, headers: Mapping[str, str], found: routes.Route | None, send: Send
    ) -> None:
        document: Encoded | None = None
        content_type = b"application/json"
        if path in ("/api", "/apis"):
            if negotiation.wants_aggregated(headers.get("accept", "")):
                document = self._discovery.aggregated(core=path == "/api")
                content_type = negotiation.DISCOVERY.encode()
            else:
                document = self._discovery.core_versions() if path == "/api" else self._discovery.groups()
        elif found is not None:
            document = self._discovery.resources(found.group, found.version)
        elif path.startswith("/apis/"):
            document = self._discovery.group(path.removeprefix("/apis/"))
        elif path == "/":
            await respond(
                send,
                200,
                orjson.dumps(
                    {"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}
                ),
            )
            return
        if document is None:
            raise routes.not_found()
        etag = document.etag.encode()
        vary = [(b"etag", etag), (b"vary", b"Accept"), (b"cache-control", b"public")]
        is_known = headers.get("if-none-match") == document.etag
        body = b"" if is_known else document.body
        start = [*vary, (b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 304 if is_known else 200, "headers": start})
        await send({"type": "http.response.body", "body": body})


async def respond(
    send: Send,
    status: int,
    body: bytes,
    warnings: tuple[str, ...] = (),
    *,
    content_type: bytes = b"application/json",
    cache: tuple[bytes, bytes] = _NO_CACHE,
) -> None:
    """Send one whole answer."""
    headers = [(b"content-type", content_type), cache, (b"content-length", str(len(body)).encode())]
    headers.extend((b"warning", _warning(text)) for text in warnings)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(send: Send, error: ApiError) -> None:
    body = orjson.dumps(error.to_status())
    headers = [_JSON, _NO_CACHE, (b"content-length", str(len(body)).encode())]
    if error.retry_after_s:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if error.code == 401:
        headers.append((b"www-authenticate", b'Bearer realm="roadbed"'))
    await send({"type": "http.response.start", "status": error.code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give headers by lower-case name; repeated ones joined by newlines."""
    found: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}\n{text}" if name in found else text
    return found


def _warning(text: str) -> bytes:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'299 - "{quoted}"'.encode("ascii", "backslashreplace")
