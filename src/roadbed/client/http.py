"""The HTTP transport: any Kubernetes API server, reached as a kubeconfig says.

Made by ``connect`` for the CLI and for cluster mode; one connection pool per transport, used from one
loop. ``credentials`` reads the kubeconfig and proves who we are. Nothing is retried here, but for one case: a
request whose proof was refused (401), and so not carried out, is sent once more with a fresh one. A watch holds
one connection until it ends or its reader goes away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2 as httpx
import orjson

from roadbed.apimachinery.errors import ApiError, BadRequestError, ServiceUnavailableError, UnauthorizedError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Object, Page, User, WatchEvent

from .credentials import Proof, Target, credentials_for, tls_context

TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
MOST_POOLS = 3  # without a certificate, with the present one, with the one before
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


class HttpTransport:
    """A ``Transport`` over HTTP, as the user of one kubeconfig context.

    Beyond what the Protocol asks, it gives what only HTTP has: tables, and documents at a path. Whoever sets
    ``on_warning`` is told every warning of the server once it comes.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.server = target.server
        self.namespace = target.namespace
        self.on_warning: Callable[[str], None] = lambda _: None
        self._credentials = credentials_for(target)
        self._pools: dict[
            tuple[bytes, bytes], httpx.AsyncClient
        ] = {}  # by client certificate; the newest is last
        self._pool(Proof())  # what can't be used in the kubeconfig is told now
        self._has_warned = False
        self._is_closed = False

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
        response = await self._exchange("GET", path, httpx.Headers())
        return Answer(response.status_code, response.content)

    async def watch(self, request: ApiRequest, *, as_table: bool = False) -> AsyncGenerator[WatchEvent, None]:
        """Carry one ``watch``; an ERROR event is raised as what it says. ``as_table``: objects are Tables."""
        options = {**request.options, "watch": "true"}
        headers = self._headers(request, TABLE if as_table else JSON)
        response = await self._exchange("GET", path_of(request), headers, params=options, streams=True)
        try:
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
        self._is_closed = True
        for pool in self._pools.values():
            await pool.aclose()

    async def _http_get(self, path: str, headers: Mapping[str, str]) -> httpx.Response:
        response = await self._exchange("GET", path, httpx.Headers(dict(headers)))
        if response.status_code >= 400:
            raise _error(response.status_code, response.content)
        return response

    async def _send(self, request: ApiRequest, *, accept: str = JSON) -> httpx.Response:
        headers = self._headers(request, accept)
        content = None
        if request.body is not None:
            content = orjson.dumps(request.body)
            headers["Content-Type"] = request.patch_type or "application/json"
        method, path = METHODS[request.verb], path_of(request)
        response = await self._exchange(method, path, headers, params=dict(request.options), content=content)
        if response.status_code >= 400:
            raise _error(response.status_code, response.content)
        return response

    async def _exchange(
        self,
        method: str,
        path: str,
        headers: httpx.Headers,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        streams: bool = False,
    ) -> httpx.Response:
        """Send one request with a proof; a refused proof is replaced once. Gives the response, whatever its status."""
        if self._is_closed:
            raise ServiceUnavailableError(f"the connection to {self.server} is closed")
        self._warn_of_insecurity()
        proof = await self._credentials.current()
        for is_last in (False, True):
            if proof.header:
                headers["Authorization"] = proof.header
            pool = self._pool(proof)
            await self._retire()
            call = pool.build_request(method, path, params=params, content=content, headers=headers)
            if streams:
                call.extensions["timeout"] = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S).as_dict()
            if self.target.tls_server_name:
                call.extensions["sni_hostname"] = self.target.tls_server_name
            try:
                response = await pool.send(call, stream=streams)
            except httpx.TransportError as error:
                raise self._unreachable(error) from error
            if response.status_code != 401 or is_last or not await self._credentials.refused(proof):
                break
            await response.aclose()
            proof = await self._credentials.current()
        return response

    def _pool(self, proof: Proof) -> httpx.AsyncClient:
        """Give the connections that show this client certificate."""
        key = (proof.certificate_pem, proof.key_pem)
        pool = self._pools.get(key)
        if pool is None:
            try:
                pool = self._pools[key] = httpx.AsyncClient(
                    base_url=self.server,
                    verify=tls_context(self.target, proof),
                    proxy=self.target.proxy_url or None,
                    timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                    # As client-go: loopback is never reached through the environment's proxy.
                    trust_env=not _is_loopback(self.server),
                )
            except (ValueError, ImportError, httpx.InvalidURL) as error:
                raise BadRequestError(
                    f"cannot use kubeconfig {self.target.file}: server or proxy-url: {error}"
                ) from error
        return pool

    async def _retire(self) -> None:
        """Close what shows a certificate that was replaced twice since; its watches are opened again."""
        while len(self._pools) > MOST_POOLS:
            await self._pools.pop(next(iter(self._pools))).aclose()

    def _warn_of_insecurity(self) -> None:
        if self.target.is_insecure and not self._has_warned:
            self._has_warned = True
            self.on_warning(
                f"the certificate of {self.server} is not verified (insecure-skip-tls-verify): whoever is between "
                "can read and change everything"
            )

    def _headers(self, request: ApiRequest, accept: str) -> httpx.Headers:
        headers = [("Accept", accept)]
        acting = request.impersonate or self.target.impersonates
        if acting is not None:
            headers += _impersonation(acting)
        return httpx.Headers(headers)

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
