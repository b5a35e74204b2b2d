"""One TLS (or loopback plain) port: uvicorn with httptools on uvloop, in the loop of the process.

``app`` starts it after the server. A protocol subclass puts the verified client certificate (DER) into
``scope["extensions"]["tls"]["client_cert"]``, which no ASGI server does by itself.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any


class Listener:
    """Serves an ASGI application on one address; ``port`` 0 takes a free one."""

    def __init__(self, app: Callable[..., Any], *, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._app = app
        self.host = host
        self.port = port
        self._tls = tls

    async def start(self) -> None:
        """Bind and serve; ``port`` is the real one afterwards.

        Raises:
            OSError: the address is busy or not ours.
        """

    async def stop(self) -> None:
        """Close the port, end open requests, wait for them."""
