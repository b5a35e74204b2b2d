"""The caller of webhooks: one JSON object out, one back, over HTTPS that is verified.

Called by admission for every write that a webhook wants to see and by conversion for every batch of objects, many
at once on the event loop. Connections are kept and reused per certificate authority and server name; ``close``
ends them. Redirects are not followed, proxies of the environment not used, answers bounded. It knows no Services:
without pods there are none to reach, unless the server was told an address for one.

Source: k8s.io/apiserver/pkg/util/webhook/client.go; texts of errors as Go's net/http gives them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import orjson

from roadbed.apimachinery.request import Object

from . import outbound
from .target import Target

if TYPE_CHECKING:
    import httpx2 as httpx

MOST_CLIENTS = 64  # certificate authorities and server names with open connections
MOST_CONNECTIONS = 100  # to one of them
MOST_ANSWER_BYTES = 16 * 1024 * 1024  # a conversion answers for a whole batch of objects
MOST_SHOWN = 1024  # characters of an error body
_VERIFY_TEXTS = {
    10: "x509: certificate has expired or is not yet valid",
    9: "x509: certificate has expired or is not yet valid",
}
_NAME_CODES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


class WebhookCallError(Exception):
    """Nobody answered, or what answered is no JSON object; the text says what happened, in Go's words."""


class Caller:
    """Asks webhooks. ``services`` maps ``namespace/name`` or ``namespace/name:port`` to ``host:port``."""

    def __init__(self, services: Mapping[str, str] | None = None) -> None:
        self.services: Mapping[str, str] = dict(services or {})
        self._clients: OrderedDict[tuple[str, str], httpx.AsyncClient] = OrderedDict()

    async def ask(self, target: Target, question: Object, *, timeout_s: float) -> Object:
        """Post a question; gives the decoded answer.

        Raises:
            WebhookCallError: no connection, no trust, no answer in time, a status beyond 206, or no JSON object.
        """
        try:
            async with asyncio.timeout(timeout_s):
                status, body = await self._post(target, orjson.dumps(question), timeout_s)
        except TimeoutError as error:
            raise WebhookCallError(
                f'Post "{_shown(target, timeout_s)}": context deadline exceeded'
            ) from error
        if not 200 <= status <= 206:
            raise WebhookCallError(_refusal(status, body))
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise WebhookCallError(f"couldn't get version/kind; json parse error: {error}") from error
        if not isinstance(answer, dict):
            raise WebhookCallError(f"the answer is {type(answer).__name__}, not an object")
        return answer

    async def close(self) -> None:
        """End every connection."""
        clients = list(self._clients.values())
        self._clients.clear()
        for each in clients:
            await each.aclose()

    async def _post(self, target: Target, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        import httpx2 as httpx

        shown = _shown(target, timeout_s)
        host, port = self._address(target)
        try:
            addresses = await outbound.resolve(host, port)
        except outbound.ForbiddenAddressError as error:
            raise WebhookCallError(f'Post "{shown}": {error}') from error
        except (OSError, UnicodeError) as error:
            raise WebhookCallError(f'Post "{shown}": dial tcp: lookup {host}: no such host') from error
        client = await self._client(target)
        try:
            return await _reach(client, target, (addresses, port), body, timeout_s)
        except httpx.HTTPError as error:
            told = _told(error, target, addresses[-1], port)
            raise WebhookCallError(f'Post "{shown}": {told}') from error

    def _address(self, target: Target) -> tuple[str, int]:
        if not target.service:
            return target.host, target.port
        known = self.services.get(f"{target.service}:{target.port}") or self.services.get(target.service)
        if known is None:
            raise WebhookCallError(
                f"service {target.service} cannot be reached: no pods run here; set clientConfig.url, or start the "
                f"server with --webhook-service={target.service}:{target.port}=https://HOST:PORT"
            )
        host, _, port = known.rpartition(":")
        return host.strip("[]"), int(port)

    async def _client(self, target: Target) -> httpx.AsyncClient:
        import httpx2 as httpx

        key = (target.ca_pem, target.host)
        found = self._clients.get(key)
        if found is None:
            limits = httpx.Limits(max_connections=MOST_CONNECTIONS, keepalive_expiry=30.0)
            found = httpx.AsyncClient(
                verify=_context(target.ca_pem),
                limits=limits,
                timeout=None,
                trust_env=False,
                follow_redirects=False,
            )
            self._clients[key] = found
            if len(self._clients) > MOST_CLIENTS:
                _, oldest = self._clients.popitem(last=False)
                await oldest.aclose()
        else:
            self._clients.move_to_end(key)
        return found


async def _reach(
    client: httpx.AsyncClient, target: Target, place: tuple[list[str], int], body: bytes, timeout_s: float
) -> tuple[int, bytes]:
    """Exchange with the first address that answers."""
    import httpx2 as httpx

    addresses, port = place
    for address in addresses[:-1]:
        with contextlib.suppress(httpx.ConnectError):
            return await _exchange(client, target, (address, port), body, timeout_s)
    try:
        return await _exchange(client, target, (addresses[-1], port), body, timeout_s)
    except httpx.RemoteProtocolError:
        # A kept connection may be closed by its server just as it is reused: once more, on a new one.
        return await _exchange(client, target, (addresses[-1], port), body, timeout_s)


async def _exchange(
    client: httpx.AsyncClient, target: Target, place: tuple[str, int], body: bytes, timeout_s: float
) -> tuple[int, bytes]:
    address, port = place
    host = f"[{address}]" if ":" in address else address
    shown_host = target.url.removeprefix("https://").split("/")[0]
    headers = {
        "host": shown_host,
        "content-type": "application/json",
        "accept": "application/json, */*",
        "accept-encoding": "identity",
        "user-agent": "kube-apiserver-admission",
    }
    request = client.build_request(
        "POST",
        f"https://{host}:{port}{target.path}",
        params={"timeout": f"{math.ceil(timeout_s)}s"},
        headers=headers,
        content=body,
        extensions={"sni_hostname": target.host},
    )
    answer = await client.send(request, stream=True)
    try:
        received = bytearray()
        async for chunk in answer.aiter_raw():
            received += chunk
            if len(received) > MOST_ANSWER_BYTES:
                raise WebhookCallError(f"the answer is larger than {MOST_ANSWER_BYTES} bytes")
        return answer.status_code, bytes(received)
    finally:
        await answer.aclose()


def _shown(target: Target, timeout_s: float) -> str:
    return f"{target.url}?timeout={math.ceil(timeout_s)}s"


def _context(ca_pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As Go: what the bundle holds is trusted, be it a root, an intermediate or the server's own certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _told(error: Exception, target: Target, address: str, port: int) -> str:
    """Put what went wrong with a connection in Go's words."""
    shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    for each in _chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return "tls: failed to verify certificate: " + _distrust(each, target)
        if isinstance(each, ssl.SSLError):
            return f"tls: {each.reason or each}"
        if isinstance(each, ConnectionRefusedError):
            return f"dial tcp {shown}: connect: connection refused"
        if isinstance(each, socket.gaierror):
            return f"dial tcp: lookup {target.host}: no such host"
    if "disconnected" in str(error):
        return "EOF"
    return f"dial tcp {shown}: {error or type(error).__name__}"


def _distrust(error: ssl.SSLCertVerificationError, target: Target) -> str:
    if error.verify_code in _NAME_CODES:
        return f"x509: certificate is not valid for {target.host}"
    return _VERIFY_TEXTS.get(error.verify_code, "x509: certificate signed by unknown authority")


def _refusal(status: int, body: bytes) -> str:
    if status == 404:
        return "the server could not find the requested resource"
    text = body[: 4 * MOST_SHOWN].decode(errors="replace")[:MOST_SHOWN].strip()
    if status >= 500:
        return f"an error on the server ({orjson.dumps(text).decode()}) has prevented the request from succeeding"
    known = {
        400: "the server rejected our request for an unknown reason",
        401: "the server has asked for the client to provide credentials",
        403: f"{text}" if text else "forbidden",
        405: "the server does not allow this method on the requested resource",
        413: "request entity too large",
        429: "the server has received too many requests and has asked us to try again later",
    }
    return known.get(
        status, f"the server responded with the status code {status} but did not return more information"
    )
