"""What can be set about a platform process. Made by ``__main__`` from the CLI's options, read only by ``app``."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """One platform process.

    ``data_dir`` holds the store, keys and the kubeconfig; with ``in_memory`` only the kubeconfig is written
    there and everything else is gone when the process ends. Port 0 takes a free one. ``demo`` brings the
    reference platform, its demonstration organisation and the sandbox cloud. Events go ``event_ttl`` seconds after they were
    last written, 0 keeps them. ``webhook_service`` has the ``host:port`` of Services (``namespace/name``, or with
    ``:port``) that webhooks are named by. Requests are audited where a policy and
    a path are named; a full log has ``maxsize`` megabytes, ``maxbackup`` of them stay for ``maxage`` days, 0 is no bound.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    api_port: int = 0
    portal_port: int = 0
    demo: bool = False
    in_memory: bool = False
    event_ttl: float = 3_600.0
    webhook_service: Mapping[str, str] = field(default_factory=dict)
    audit_policy_file: Path | None = None
    audit_log_path: Path | None = None
    audit_log_maxsize: int = 100
    audit_log_maxbackup: int = 0
    audit_log_maxage: int = 0

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can reach the ports."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
