"""One TLS (or loopback plain) port: uvicorn's protocol over httptools, in the loop of the process.

``app`` starts it after the server. A protocol subclass puts the verified client certificate (DER) into
``scope["extensions"]["tls"]["client_cert"]``, which no ASGI server does by itself. uvicorn's own server
class is left out: it would install signal handlers, and a second listener lives in the same loop.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .descriptors import Scarcity, raise_limit
from .exchange import WRITER, Exchange

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 75  # longer than client-go's idle pool checks, so that clients close first
STOP_S = 5.0  # open requests get this long after their watches were ended
ABORT_S = 1.0  # and this long to see that their connections are gone
BACKLOG = 1024
MAX_HEAD_BYTES = 64 * 1024  # address and headers; tokens are the largest part of real ones
MAX_PIPELINED = (
    256  # requests that wait on one connection; no client we know sends a second before the answer
)
MAX_DISCARDED_BYTES = (
    16 * 1024 * 1024
)  # of a body that was refused: a client that writes on must still see why
UNSENT_BYTES = 64 * 1024  # a stream waits when its client has more than this to take; TLS would hold 512 KiB
FRAMING = 16  # bytes of chunk heads for one byte of body: more is not a body but an attack
_HOST = re.compile(rb"[0-9A-Za-z!$%&'()*+,\-.:;=\[\]_~]*")  # as Go takes it
_TOO_LARGE = f"Request head larger than {MAX_HEAD_BYTES} bytes."
_FAULT = "Invalid HTTP request received."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may keep us waiting.

    ``head_s``: from its start, or the first byte of a request, to the end of the head (kube-apiserver's 32 s).
    ``body_s``: from the end of the head to the end of the body (kube-apiserver's limit of a request).
    ``stall_s``: without taking a byte of what is to be sent. ``look_s``: between two looks at all connections;
    all may take that much longer.
    """

    head_s: float = 32.0
    body_s: float = 60.0
    stall_s: float = 60.0
    look_s: float = 5.0


class _MalformedError(Exception):
    """A request that the parser took and we refuse; ends its parsing."""


class _Protocol(HttpToolsProtocol):
    """Adds the client certificate, read once a connection, to every scope; bounds what a connection may send.

    What llhttp's strict parser leaves open is closed here: two Hosts or none, encodings other than chunked, trailers,
    chunk heads without end, upgrades, pipelines without end. A refused request ends its connection, so that nobody
    reads what follows as another request, but not before the requests ahead of it have their answers.
    """

    _extensions: dict[str, Any]
    _is_in_head = True
    _head_began_s = 0.0  # 0 between requests
    _body_began_s = 0.0  # 0 while there is none, or all of it came at once
    _head_bytes = 0
    _framing_bytes = 0
    _body_bytes = 0
    _discarded_bytes = 0
    _data_bytes = 0
    _has_ended_one = False
    _is_upgraded = False
    _hosts = 0
    _has_encoding = False
    _fault = ""
    _last_word = ""  # the refusal that goes out when what came before it is answered
    _running: RequestResponseCycle | None = (
        None  # ``cycle`` is the newest, which may have to wait for this one
    )
    _unsent_bytes = 0
    _stalled_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._extensions = {"tls": {"client_cert": certificate}, WRITER: {}}
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        self._head_began_s = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse; as uvicorn's, but that faults are the client's business and not the log's."""
        self._unset_keepalive_if_required()
        if self._is_upgraded or self._last_word or self.transport.is_closing():
            return
        was_in_head, body_bytes = self._is_in_head, self._body_bytes
        self._data_bytes = len(data)
        if was_in_head and not self._head_began_s:
            self._head_began_s = self.loop.time()
        self._has_ended_one = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We go on as if it had not been asked for, but the parser can't: this answer is the last one here.
            self._is_upgraded = True
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            logger.debug("refused a malformed request", extra={"reason": self._fault or str(error)})
            self._end_with(self._fault or _FAULT)
            return
        if self._is_in_head and not self.transport.is_closing():
            # The parser hands a header on only when it is complete, and holds back any length of it until then.
            # Data that ended a request is its body; what may follow of the next head is counted from the next data on.
            self._head_bytes += 0 if self._has_ended_one else len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._end_with(_TOO_LARGE)
        elif not was_in_head:
            self._framing_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._framing_bytes > MAX_HEAD_BYTES + FRAMING * self._body_bytes:
                self._end_with("Request body with more framing than content.")
        if not self._is_in_head and not self._body_began_s:
            self._body_began_s = self.loop.time()

    def _end_with(self, why: str) -> None:
        """Refuse what came last and end the connection, once every request before it has its answer."""
        self._head_began_s = self._body_began_s = 0.0
        last, running = self.cycle, self._running
        if not self._is_in_head:  # the fault is in the body of the last request
            if last is not running:
                self.pipeline.popleft()
            elif last.response_started:
                self.transport.close()  # there is one answer to a request, and it has gone out or begun to
                return
            else:
                _lose(last)  # who waits for the body must not take what there is for all of it
                running = None
        if running is None or running.response_complete:
            self.send_400_response(why)
        else:
            self._last_word = why

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._hosts, self._has_encoding = 0, False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            return  # a trailer: nobody may say after the body who they are
        name = name.lower()
        self.headers.append((name, value))
        if name == b"host":
            self._hosts += 1
            if not _HOST.fullmatch(value):
                self._refuse("The Host header is malformed.")
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            if self._has_encoding or value.lower() != b"chunked":
                self._refuse("Transfer-Encoding other than chunked is not taken.")
            self._has_encoding = True

    def on_headers_complete(self) -> None:
        """Begin the exchange; as uvicorn's, without its upgrades, concurrency limit and mounting."""
        version = self.parser.get_http_version()
        method = self.parser.get_method()
        self._check(version)
        previous = self.cycle
        is_free = previous is None or previous.response_complete
        if not is_free and len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(f"More than {MAX_PIPELINED} requests wait for their answers.")
        self._head_began_s = 0.0
        self._framing_bytes = self._body_bytes = self._discarded_bytes = 0
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope |= {
            "method": method.decode("ascii"),
            "http_version": version,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
        }
        self.cycle = self._exchange(is_kept=version != "1.0")
        self._is_in_head = False
        if is_free:
            self._start_asgi_task(self.cycle, self.app)
        else:  # pipelined: one after another
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _check(self, version: str) -> None:
        if version not in ("1.0", "1.1"):
            self._refuse("HTTP/1.0 and HTTP/1.1 are served.")
        if self._hosts > 1 or (not self._hosts and version == "1.1"):
            self._refuse("One Host header is needed.")
        if self._has_encoding and version == "1.0":
            self._refuse("HTTP/1.0 has no Transfer-Encoding.")
        if self._data_bytes > MAX_HEAD_BYTES:  # else no whole head in it is too large
            head_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if head_bytes > MAX_HEAD_BYTES:
                self._refuse(_TOO_LARGE)
        if self.parser.should_upgrade():
            lengths = [value for name, value in self.headers if name == b"content-length"]
            if self._has_encoding or any(value != b"0" for value in lengths):
                self._refuse("Upgrade is not served; send the request without it.")

    def _refuse(self, why: str) -> NoReturn:
        self._fault = why
        raise _MalformedError(why)

    def _exchange(self, *, is_kept: bool) -> Exchange:
        return Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=is_kept and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > MAX_DISCARDED_BYTES:
                self.transport.close()
            return
        self.cycle.body += body
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()
        self._has_ended_one = True
        self._is_in_head = True
        self._body_began_s = 0.0
        self._head_bytes = 0

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if self._last_word and not self.pipeline and not self.transport.is_closing():
            self.send_400_response(self._last_word)
        super().on_response_complete()
        if self.pipeline:  # or each answer would let in more requests than it answers
            self.flow.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's, which tells only the newest request, and not the one being answered before it."""
        if self._running is not None and not self._running.response_complete:
            _lose(self._running)
        super().connection_lost(exc)

    def look(self, now_s: float, patience: Patience) -> None:
        """End the connection if it has kept us waiting for too long."""
        if self._head_began_s and now_s - self._head_began_s > patience.head_s:
            self.transport.close()
        if self._body_began_s and now_s - self._body_began_s > patience.body_s:
            self._end_with(f"The body did not arrive within {patience.body_s:.0f} s.")
        unsent_bytes = self.transport.get_write_buffer_size()
        is_stalled = unsent_bytes and unsent_bytes >= self._unsent_bytes
        self._stalled_s = self._stalled_s + patience.look_s if is_stalled else 0.0
        self._unsent_bytes = unsent_bytes
        if self._stalled_s >= patience.stall_s:
            self.transport.abort()  # to close it would wait for the client to read


def _lose(cycle: RequestResponseCycle) -> None:
    """Tell an exchange that its client is gone: what it sends goes nowhere, and it has heard all it will."""
    cycle.disconnected = True
    cycle.message_event.set()


class Listener:
    """Serves an ASGI application on one address; ``port`` 0 takes a free one."""

    def __init__(
        self,
        app: Callable[..., Any],
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        patience: Patience | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._config = Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # nobody stands before us whose word on addresses we would take
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._patience = patience or Patience()
        self._timer: asyncio.TimerHandle | None = None
        self._scarcity = Scarcity()

    @property
    def unsent_bytes(self) -> int:
        """What all connections hold of answers that their clients have not taken."""
        return sum(
            connection.transport.get_write_buffer_size()
            for connection in self._state.connections
            if isinstance(connection, _Protocol)
        )

    async def start(self) -> None:
        """Bind and serve; ``port`` is the real one afterwards.

        Raises:
            OSError: the address is busy or not ours.
        """
        self._config.load()
        raise_limit()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Protocol(self._config, self._state, {}, loop),
            self.host,
            self.port,
            ssl=self._tls,
            backlog=BACKLOG,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._look()

    async def stop(self) -> None:
        """Close the port, end open requests, wait for them."""
        if self._server is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=STOP_S)
        if (
            self._state.tasks
        ):  # some wait for clients that take nothing; whose clients are gone end by themselves
            for connection in list(self._state.connections):
                connection.transport.abort()
            await asyncio.wait(self._state.tasks, timeout=ABORT_S)
        left = list(self._state.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for connection in list(self._state.connections):
            connection.transport.close()
        self._server = None

    def _look(self) -> None:
        """Look at every connection: one timer for all, instead of one armed and cancelled for each request."""
        loop = asyncio.get_running_loop()
        for connection in list(self._state.connections):
            if isinstance(connection, _Protocol):
                connection.look(loop.time(), self._patience)
        self._scarcity.look(len(self._state.connections))
        self._timer = loop.call_later(self._patience.look_s, self._look)
