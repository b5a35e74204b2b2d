"""What one run of the command knows: the options before the command's name, and what ``__main__`` handed in.

Made by ``main``, carried as the context's object to every command.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .maintenance import MaintenanceFactory
from .platform import PlatformFactory


@dataclass(slots=True)
class Invocation:
    """One run; ``kubeconfig`` is None and ``context`` empty where they were not given."""

    platforms: PlatformFactory
    kubeconfig: Path | None = None
    context: str = ""
    maintenance: MaintenanceFactory | None = None
