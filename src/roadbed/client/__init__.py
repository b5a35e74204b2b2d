"""Reaching a server: the client, its transports, and informers. No kinds, no business rules.

Nothing here may import the API server; in process the two meet only through the ``Transport`` Protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .client import Client
from .informer import Change, Informer
from .interface import Transport
from .kubeconfig import Login, write_kubeconfig

if TYPE_CHECKING:
    from .http import HttpTransport

__all__ = ["Change", "Client", "Informer", "Login", "Transport", "connect", "reach", "write_kubeconfig"]


def connect(
    kubeconfig: Path | Sequence[Path], *, context: str = "", field_manager: str = "roadbed"
) -> Client:
    """Give a client for a context of a kubeconfig file (its current one if ``context`` is empty), or of several merged.

    Raises:
        BadRequestError: the file can't be read or used; the message names it.
    """
    return Client(reach(kubeconfig, context=context), field_manager=field_manager)


def reach(kubeconfig: Path | Sequence[Path], *, context: str = "") -> HttpTransport:
    """Give the HTTP transport itself, for what only HTTP has: tables, ``/readyz``, ``/version``.

    Raises:
        BadRequestError: the file can't be read or used; the message names it.
    """
    from .credentials import read_kubeconfigs
    from .http import HttpTransport  # 0.2 s and 20 MB that a platform in process never needs

    paths = [kubeconfig] if isinstance(kubeconfig, Path) else kubeconfig
    return HttpTransport(read_kubeconfigs(paths, context=context))
