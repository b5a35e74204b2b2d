"""Reaching a server: the client, its transports, and informers. No kinds, no business rules.

Nothing here may import the API server; in process the two meet only through the ``Transport`` Protocol.
"""

from __future__ import annotations

from pathlib import Path

from .client import Client
from .informer import Change, Informer
from .interface import Transport
from .kubeconfig import Login, write_kubeconfig

__all__ = ["Change", "Client", "Informer", "Login", "Transport", "connect", "write_kubeconfig"]


def connect(kubeconfig: Path, *, context: str = "", field_manager: str = "roadbed") -> Client:
    """Give a client for a context of a kubeconfig file (its current one if ``context`` is empty).

    Raises:
        BadRequestError: the file can't be read or used; the message names it.
    """
    from .http import HttpTransport, read_kubeconfig  # 0.3 s and 20 MB that a platform in process never needs

    return Client(HttpTransport(read_kubeconfig(kubeconfig, context=context)), field_manager=field_manager)
