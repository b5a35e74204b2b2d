"""Reaching a server: the client, its transports, and informers. No kinds, no business rules.

Nothing here may import the API server; in process the two meet only through the ``Transport`` Protocol.
"""

from .client import Client
from .informer import Change, Informer
from .interface import Transport

__all__ = ["Change", "Client", "Informer", "Transport"]
