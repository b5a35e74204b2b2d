"""What the command line needs from the rest of Roadbed but may not import, as Protocols.

``__main__`` hands in the implementations: ``up`` runs a platform, everything else is a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class PlatformError(Exception):
    """The platform can't start or go on; ``hint`` is the next step for the person at the terminal."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Where audit events go, by which policy, and how much of them stays; 0 is no bound."""

    policy_file: Path | None = None
    log_path: Path | None = None
    log_maxsize: int = 100
    log_maxbackup: int = 0
    log_maxage: int = 0


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What ``roadbed up`` was asked for; see its ``--help``."""

    data_dir: Path
    host: str
    api_port: int
    portal_port: int
    demo: bool
    in_memory: bool
    audit: AuditOptions
    event_ttl_s: float = 3_600.0
    webhook_services: Mapping[str, str] = field(default_factory=dict)  # host:port by namespace/name[:port]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running platform is reached. ``notices`` are sentences that its user should read."""

    api_url: str
    portal_url: str
    signin_url: str
    kubeconfig: Path
    notices: tuple[str, ...] = ()
    ready_s: float = 0.0


class Platform(Protocol):
    """A platform in this process."""

    async def start(self) -> Addresses:
        """Start; returns once ``/readyz`` of both ports answers 200.

        Raises:
            PlatformError: it can't start; everything that had started is stopped again.
        """
        ...

    async def stop(self) -> None:
        """Stop gracefully: accepted writes are committed, external calls in flight finish or are recorded."""
        ...


class PlatformFactory(Protocol):
    """Makes a platform that has not started yet."""

    def __call__(self, options: UpOptions) -> Platform:
        """Give the platform for these options."""
        ...
