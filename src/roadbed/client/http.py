"""The HTTP transport: any Kubernetes API server, reached as a kubeconfig says.

Made by ``connect`` for the CLI and for cluster mode; one connection pool per transport, used from one
loop. ``lightkube`` reads the kubeconfig and sets up TLS, client certificates and tokens. Nothing is
retried here. A watch holds one connection until it ends or its reader goes away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2 as httpx
import orjson
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from roadbed.apimachinery.errors import ApiError, BadRequestError, ServiceUnavailableError, UnauthorizedError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Object, Page, User, WatchEvent

TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
JSON = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


def read_kubeconfig(path: Path, *, context: str = "") -> SingleConfig:
    """Read one context of a kubeconfig.

    Raises:
        BadRequestError: the file is missing, malformed, or has no such context.
    """
    try:
        config = KubeConfig.from_file(path).get(context or None)
    except (ConfigError, OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequestError(f"cannot use kubeconfig {path}: {error}") from error
    if config is None or config.user is None:
        raise BadRequestError(f"cannot use kubeconfig {path}: the context names no user")
    return config


class HttpTransport:
    """A ``Transport`` over HTTP, as the user of one kubeconfig context.

    Beyond what the Protocol asks, it gives what only HTTP has: tables, and documents at a path. Whoever sets
    ``on_warning`` is told every warning of the server once it comes.
    """

    def __init__(self, config: SingleConfig) -> None:
        self.server = config.cluster.server
        self.namespace = config.namespace
        self.on_warning: Callable[[str], None] = lambda _: None
        self._http = AsyncClient(
            config,
            ConnectionParams(
                timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                # As client-go: loopback is never reached through a proxy.
                trust_env=not _is_loopback(self.server),
            ),
        )

    async def call(self, request: ApiRequest) -> Answer:
        """Carry one request and give the encoded object or ``Status``."""
        response = await self._send(request)
        warnings = _warnings(response.headers)
        for warning in warnings:
            self.on_warning(warning)
        return Answer(response.status_code, response.content, warnings)

    async def list(self, request: ApiRequest) -> Page:
        """Carry one ``list``."""
        body = orjson.loads((await self._send(request)).content)
        metadata = body.get("metadata") or {}
        return Page(
            [orjson.dumps(item) for item in body.get("items") or ()],
            str(metadata.get("resourceVersion") or ""),
            str(metadata.get("continue") or ""),
            metadata.get("remainingItemCount"),
        )

    async def table(self, request: ApiRequest) -> Object:
        """Carry one ``get`` or ``list`` and give the ``Table`` that the server makes of it, one page."""
        table: Object = orjson.loads((await self._send(request, accept=TABLE)).content)
        return table

    async def document(self, path: str) -> Answer:
        """Give what stands at a path, such as ``/readyz?verbose`` or ``/version``, whatever its status."""
        try:
            response = await self._http.get(path)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return Answer(response.status_code, response.content)

    async def watch(self, request: ApiRequest, *, as_table: bool = False) -> AsyncGenerator[WatchEvent, None]:
        """Carry one ``watch``; an ERROR event is raised as what it says. ``as_table``: objects are Tables."""
        options = {**request.options, "watch": "true"}
        call = self._http.build_request(
            "GET",
            path_of(request),
            params=options,
            headers=_headers(request, TABLE if as_table else JSON),
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
        )
        try:
            response = await self._http.send(call, stream=True)
            try:
                if response.status_code >= 400:
                    raise _error(response.status_code, await response.aread())
                async for line in _lines(response.aiter_bytes()):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError.from_status(event["object"])
                    yield WatchEvent(event["type"], orjson.dumps(event["object"]))
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    async def discover(self) -> Sequence[Resource]:
        """Ask for the aggregated discovery documents of ``/api`` and ``/apis``."""
        found: list[Resource] = []
        for path in ("/api", "/apis"):
            response = await self._http_get(path, {"Accept": AGGREGATED})
            for group in orjson.loads(response.content).get("items") or ():
                found.extend(_resources(group))
        return found

    async def close(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def _http_get(self, path: str, headers: Mapping[str, str]) -> httpx.Response:
        try:
            response = await self._http.get(path, headers=dict(headers))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.status_code >= 400:
            raise _error(response.status_code, response.content)
        return response

    async def _send(self, request: ApiRequest, *, accept: str = JSON) -> httpx.Response:
        headers = _headers(request, accept)
        content = None
        if request.body is not None:
            content = orjson.dumps(request.body)
            headers["Content-Type"] = request.patch_type or "application/json"
        try:
            response = await self._http.request(
                METHODS[request.verb],
                path_of(request),
                params=dict(request.options),
                content=content,
                headers=headers,
            )
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.status_code >= 400:
            raise _error(response.status_code, response.content)
        return response

    def _unreachable(self, error: Exception) -> ServiceUnavailableError:
        reason = str(error) or type(error).__name__
        return ServiceUnavailableError(f"cannot reach the API server at {self.server}: {reason}")


def path_of(request: ApiRequest) -> str:
    """Give the URL path of a request."""
    parts = ["apis", request.group] if request.group else ["api"]
    parts.append(request.version)
    if request.namespace:
        parts += ["namespaces", request.namespace]
    parts += [part for part in (request.plural, request.name, request.subresource) if part]
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _headers(request: ApiRequest, accept: str) -> httpx.Headers:
    headers = [("Accept", accept)]
    if request.impersonate is not None:
        headers += _impersonation(request.impersonate)
    return httpx.Headers(headers)


def _impersonation(user: User) -> list[tuple[str, str]]:
    # https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    headers = [("Impersonate-User", user.name)]
    if user.uid:
        headers.append(("Impersonate-Uid", user.uid))
    headers += [("Impersonate-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
    return headers


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line


def _resources(group: Mapping[str, Any]) -> list[Resource]:
    name = str((group.get("metadata") or {}).get("name") or "")
    return [
        Resource(
            name,
            str(version["version"]),
            str(entry["resource"]),
            str(entry["responseKind"]["kind"]),
            entry.get("scope") == "Namespaced",
            str(entry.get("singularResource") or ""),
            tuple(entry.get("shortNames") or ()),
            tuple(entry.get("categories") or ()),
            tuple(entry.get("verbs") or ()),
            tuple(str(sub["subresource"]) for sub in entry.get("subresources") or ()),
        )
        for version in group.get("versions") or ()
        for entry in version.get("resources") or ()
    ]


def _warnings(headers: httpx.Headers) -> tuple[str, ...]:
    # RFC 7234 warn-values as Kubernetes writes them: 299 - "text"
    texts = []
    for value in headers.get_list("warning"):
        _, quote_mark, rest = value.partition('"')
        if quote_mark:
            texts.append(rest.rpartition('"')[0].replace('\\"', '"'))
    return tuple(texts)


def _error(status: int, body: bytes) -> ApiError:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        return ApiError.from_status(answer)
    text = body[:200].decode(errors="replace").strip() or "no body"
    if status == 401:
        return UnauthorizedError(f"the server asks for other credentials: {text}")
    return ApiError.from_status({"code": status, "message": f"the server answered {status}: {text}"})


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
