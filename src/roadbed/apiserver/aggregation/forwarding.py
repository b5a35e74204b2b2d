"""Requests on their way to another server, and its answers back: streamed, with the name of who asked.

Called by ``asgi`` once a request is authenticated, authorised and has its seat. The other server is verified by the
APIService's ``caBundle`` and told who asks in ``X-Remote-*`` headers, which it believes because this server shows its
front-proxy certificate. What a client says in such headers, and its own credentials, never go on. Redirects are given
back, not followed. A watch lasts as long as both ends like; everything else has a minute. Addresses are judged as
webhooks' are: no link-local or metadata service is ever connected to.

Source: k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go; k8s.io/client-go/transport/round_trippers.go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from roadbed.apimachinery.request import User
from roadbed.apiserver import answering, bodies
from roadbed.apiserver.webhooks import outbound

from .places import Nowhere, Places
from .remotes import Remote

if TYPE_CHECKING:
    import httpx2 as httpx

logger = logging.getLogger(__name__)

Identity = Callable[[], tuple[bytes, bytes]]
"""Gives the front-proxy certificate and its key, PEM."""
USER: Final = "X-Remote-User"
GROUP: Final = "X-Remote-Group"
UID: Final = "X-Remote-Uid"
EXTRA: Final = "X-Remote-Extra-"
MOST_CLIENTS: Final = 64  # certificate authorities and names with open connections
ANSWER_S: Final = 60.0  # for a whole answer, as of every request; a watch has it for its beginning
CONNECT_S: Final = 10.0
SEND_S: Final = 30.0  # for a client to take a piece; it is gone otherwise
_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
     "transfer-encoding", "upgrade", "host", "content-length", "expect")
)  # fmt: skip
_OURS: Final = ("authorization", "x-remote-", "x-forwarded-", "impersonate-")
_UNAVAILABLE: Final = b"service unavailable\n"


@dataclass(frozen=True, slots=True)
class Passed:
    """One request to pass on; ``uri`` is its address as it came, ``headers`` have lower-case names."""

    method: str
    uri: bytes
    headers: Iterable[tuple[bytes, bytes]]
    client: str
    is_watch: bool


class UnreachableError(Exception):
    """Nobody answered at any address; the text says why."""


class Forwarder:
    """Passes requests on; keeps connections for the next."""

    def __init__(self, places: Places, identity: Identity) -> None:
        self._places = places
        self._identity = identity
        self._clients: OrderedDict[tuple[str, str, bool], httpx.AsyncClient] = OrderedDict()

    async def forward(
        self, remote: Remote, user: User, passed: Passed, receive: bodies.Receive, send: answering.Send
    ) -> int:
        """Send another server's answer; gives its status code. Where nobody answers, that is 503.

        Raises:
            RequestEntityTooLargeError, BadRequestError: the body can't be read; nothing was sent.
        """
        if not remote.is_available:
            return await _unavailable(send, _UNAVAILABLE)
        import httpx2 as httpx

        length = next(
            (value.decode("latin-1") for name, value in passed.headers if name == b"content-length"), ""
        )
        body = await bodies.read(receive, length)
        headers = [*_kept(passed.headers), *identified(user), *_forwarded(passed)]
        answer: httpx.Response | None = None
        try:
            async with asyncio.timeout(ANSWER_S) as limit:
                answer = await self.ask(remote, passed.method, passed.uri, headers, body)
                try:
                    if passed.is_watch:
                        limit.reschedule(None)
                    await _until_gone(_pump(answer, send), receive)
                finally:
                    await answer.aclose()
        except UnreachableError as error:
            return await _unavailable(send, f"error trying to reach service: {error}\n".encode())
        except (TimeoutError, httpx.HTTPError) as error:
            if answer is None:
                return await _unavailable(send, b"error trying to reach service: context deadline exceeded\n")
            # Its beginning is on its way: the connection ends, so that nobody takes a part for the whole.
            logger.warning(
                "an answer of another server was cut off",
                extra={"apiservice": remote.name, "why": repr(error)},
            )
        return int(answer.status_code)

    async def ask(
        self, remote: Remote, method: str, uri: bytes, headers: list[tuple[str, str]], body: bytes = b""
    ) -> httpx.Response:
        """Begin one exchange with the first address that takes it; the caller closes the response.

        Raises:
            Nowhere: the Service has no address.
            UnreachableError: no address answers, or one that is never connected to.
        """
        import httpx2 as httpx

        trouble = "there is no address"
        client = await self._client(remote)
        try:
            places = self._places.of(remote)
        except Nowhere as nowhere:
            raise UnreachableError(str(nowhere)) from nowhere
        for host, port in places:
            try:
                async with asyncio.timeout(CONNECT_S):
                    addresses = await outbound.resolve(host, port)
            except (OSError, UnicodeError, outbound.ForbiddenAddressError) as error:
                trouble = str(error) or f"{host} was not resolved in time"
                continue
            for address in addresses:
                shown = f"[{address}]" if ":" in address else address
                request = client.build_request(
                    method,
                    f"https://{shown}:{port}{uri.decode('latin-1')}",
                    headers=[("host", remote.host), *headers],
                    content=body,
                    extensions={"sni_hostname": remote.host},
                )
                try:
                    return await client.send(request, stream=True)
                except httpx.ConnectError as error:
                    trouble = f"{shown}:{port}: {error}"
                except httpx.HTTPError as error:
                    raise UnreachableError(f"{shown}:{port}: {error or type(error).__name__}") from error
        raise UnreachableError(trouble)

    async def close(self) -> None:
        """End every connection."""
        clients = list(self._clients.values())
        self._clients.clear()
        for each in clients:
            await each.aclose()

    async def _client(self, remote: Remote) -> httpx.AsyncClient:
        import httpx2 as httpx

        key = (remote.ca_pem, remote.host, remote.is_trusted_blindly)
        found = self._clients.get(key)
        if found is None:
            context = await asyncio.to_thread(_context, remote, self._identity)
            timeout = httpx.Timeout(None, connect=CONNECT_S)
            found = httpx.AsyncClient(
                verify=context, timeout=timeout, trust_env=False, follow_redirects=False
            )
            self._clients[key] = found
            if len(self._clients) > MOST_CLIENTS:
                _, oldest = self._clients.popitem(last=False)
                await oldest.aclose()
        self._clients.move_to_end(key)
        return found


def identified(user: User) -> list[tuple[str, str]]:
    """Give the headers that tell another server who asks; what headers can't hold is percent-encoded."""
    found = [(USER, _value(user.name)), *((GROUP, _value(each)) for each in user.groups)]
    if user.uid:
        found.append((UID, _value(user.uid)))
    for name, values in user.extra.items():
        header = f"{EXTRA}{quote(name.lower(), safe='!#$&+-.^_`|~')}"
        found += [(header, _value(each)) for each in values]
    return found


def _value(text: str) -> str:
    """Give a header value; a name with a line break in it must not become a header of its own."""
    return text.replace("\r", "%0D").replace("\n", "%0A").encode().decode("latin-1")


def _kept(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    """Leave out what is of this connection, who the client is, and whom it would like to be taken for."""
    for raw, value in headers:
        name = raw.decode("latin-1")
        if name not in _HOP and not name.startswith(_OURS):
            yield name, value.decode("latin-1")


def _forwarded(passed: Passed) -> list[tuple[str, str]]:
    return [
        ("X-Forwarded-For", passed.client),
        ("X-Forwarded-Uri", passed.uri.decode("latin-1").partition("?")[0]),
        ("X-Forwarded-Proto", "https"),
    ]


def _context(remote: Remote, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if remote.is_trusted_blindly:  # the APIService says so, and only who may write it can
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif remote.ca_pem:
        with contextlib.suppress(ssl.SSLError):  # what can't be read trusts nobody
            context.load_verify_locations(cadata=remote.ca_pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        context.load_default_certs()
    certificate, key = identity()
    with tempfile.TemporaryDirectory(
        prefix="roadbed-proxy-"
    ) as name:  # only files are taken; nobody else may enter
        path = Path(name, "pair.pem")
        path.write_bytes(certificate + key)
        context.load_cert_chain(path)
    return context


async def _pump(answer: httpx.Response, send: answering.Send) -> None:
    """Send an answer on, piece by piece."""
    headers = [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.lower().decode("latin-1") not in _HOP - {"content-length"} and name.lower() != b"audit-id"
    ]
    await _sent(send, {"type": "http.response.start", "status": answer.status_code, "headers": headers})
    async for piece in answer.aiter_raw():
        await _sent(send, {"type": "http.response.body", "body": piece, "more_body": True})
    await _sent(send, {"type": "http.response.body", "body": b""})


async def _sent(send: answering.Send, message: dict[str, Any]) -> None:
    async with asyncio.timeout(SEND_S):
        await send(message)


async def _until_gone(work: Any, receive: bodies.Receive) -> None:
    """Do the work until it is done, or the client goes."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for each in (working, gone):
            each.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _disconnected(receive: bodies.Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unavailable(send: answering.Send, text: bytes) -> int:
    headers = [answering.TEXT, answering.NO_CACHE, answering.NO_SNIFFING]
    await answering.send_bytes(send, 503, text, headers)
    return 503
