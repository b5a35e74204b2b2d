"""What the portal is told at start; made by ``app`` from the platform's settings, read everywhere here."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """``origins`` are the addresses people use (``http://127.0.0.1:7007``), the first one goes into links.

    ``session_key`` signs cookies: keep it across restarts and people stay signed in. ``sandbox`` is a
    sentence for the striped banner, empty where things are real. ``unready`` names what is not ready yet,
    for ``/readyz``.
    """

    origins: tuple[str, ...] = ("http://127.0.0.1:7007", "http://localhost:7007")
    session_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    session_s: float = 12 * 3600.0  # a working day
    link_s: float = 900.0  # a sign-in link that lies in a terminal's history is soon worthless
    cluster: str = "local"
    organisation: str = "Roadbed"
    sandbox: str = ""
    version: str = ""
    unready: Callable[[], Sequence[str]] = tuple
    now: Callable[[], datetime] = _now

    @property
    def is_secure(self) -> bool:
        """Say whether people come over TLS, so that cookies may insist on it."""
        return self.origins[0].startswith("https://")
