"""The certificates of one data folder: a CA, the serving certificate, the admin's client certificate.

``app`` opens them at start and asks ``renew_if_due`` once a day. Everything is made on first start.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from .ports import Clock


class Certificates:
    """A private CA and what it signed, in PEM."""

    ca_pem: bytes
    serving_pem: bytes
    admin_pem: bytes
    admin_key_pem: bytes

    @classmethod
    def open_folder(cls, folder: Path | None, *, clock: Clock, hosts: Sequence[str] = ()) -> Certificates:
        """Read or make the certificates in ``folder``; None keeps them in memory (and a temporary file).

        Raises:
            KeyFileError: a file is damaged, unreadable or open to others.
        """
        raise NotImplementedError

    def server_context(self) -> ssl.SSLContext:
        """Give the one TLS context of the API port: client certificates are asked for, not required."""
        raise NotImplementedError

    def renew_if_due(self) -> bool:
        """Make new leaf certificates when a third of their life is left; live contexts serve them at once."""
        raise NotImplementedError
