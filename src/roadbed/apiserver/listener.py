"""One TLS (or loopback plain) port: uvicorn's protocol over httptools, in the loop of the process.

``app`` starts it after the server. A protocol subclass puts the verified client certificate (DER) into
``scope["extensions"]["tls"]["client_cert"]``, which no ASGI server does by itself. uvicorn's own server
class is left out: it would install signal handlers, and a second listener lives in the same loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .exchange import Exchange

KEEP_ALIVE_S = 75  # longer than client-go's idle pool checks, so that clients close first
STOP_S = 5.0  # open requests get this long after their watches were ended
BACKLOG = 1024
MAX_HEAD_BYTES = 64 * 1024  # address and headers; tokens are the largest part of real ones


class _Protocol(HttpToolsProtocol):
    """Adds the client certificate, read once a connection, to every scope."""

    _extensions: dict[str, Any]
    _is_in_head = True
    _head_bytes = 0
    _has_ended_one = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._extensions = {"tls": {"client_cert": certificate}}

    def data_received(self, data: bytes) -> None:
        self._has_ended_one = False
        super().data_received(data)
        # The parser hands a header on only when it is complete, and holds back any length of it until then.
        if self._is_in_head and not self.transport.is_closing():
            # Data that ended a request is its body; what may follow of the next head is counted from the next data on.
            self._head_bytes += 0 if self._has_ended_one else len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response(f"Request head larger than {MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        """Begin the exchange; as uvicorn's, without its upgrades, concurrency limit and mounting."""
        self._is_in_head = False
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope |= {
            "method": self.parser.get_method().decode("ascii"),
            "http_version": version,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
        }
        previous, self.cycle = self.cycle, self._exchange(is_kept=version != "1.0")
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:  # pipelined: one after another
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

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

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._has_ended_one = True
        self._is_in_head = True
        self._head_bytes = 0


class Listener:
    """Serves an ASGI application on one address; ``port`` 0 takes a free one."""

    def __init__(self, app: Callable[..., Any], *, host: str, port: int, tls: ssl.SSLContext | None) -> None:
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

    async def start(self) -> None:
        """Bind and serve; ``port`` is the real one afterwards.

        Raises:
            OSError: the address is busy or not ours.
        """
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Protocol(self._config, self._state, {}, loop),
            self.host,
            self.port,
            ssl=self._tls,
            backlog=BACKLOG,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port, end open requests, wait for them."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=STOP_S)
        left = list(self._state.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for connection in list(self._state.connections):
            connection.transport.close()
        self._server = None
