"""What the commands about a stopped or running platform's data folder need, as a Protocol.

``__main__`` hands in the implementation, because the command line may import neither the store nor the server.
Everything here blocks, works on files alone, and asks no server: it also works when none can start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol

Tell = Callable[[str], None]
"""Told what is being done, often; whoever shows it decides how much of it."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup that is complete and durable. ``revision`` is the newest that it holds."""

    file: Path
    size_bytes: int
    revision: int
    objects: int
    members: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A data folder that ``up`` can start on. New revisions begin after ``revision``."""

    data_dir: Path
    taken_at: str
    version: str
    objects: int
    backup_revision: int
    revision: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that ``fsck`` saw. An error is damage or will fail a start; a warning is worth a look."""

    severity: Literal["error", "warning"]
    place: str
    problem: str
    advice: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at, and what was found, the worst first."""

    store: Path
    objects: int
    revision: int
    compacted: int
    size_bytes: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Say whether nothing is damaged; warnings do not count."""
        return all(finding.severity != "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class CompactionReport:
    """A store without its past, and what that gave back to the disk."""

    store: Path
    revision: int
    before_bytes: int
    after_bytes: int


@dataclass(frozen=True, slots=True)
class Credential:
    """A client certificate and its key, both PEM; nothing of them is kept."""

    certificate_pem: bytes
    key_pem: bytes


class Maintenance(Protocol):
    """Looks after one data folder. Every method raises ``PlatformError`` with the next step."""

    def backup(self, data_dir: Path, file: Path, tell: Tell) -> BackupReport:
        """Write one consistent file, while a platform runs on the folder or not; nothing is left of a failure."""
        ...

    def restore(self, file: Path, data_dir: Path, tell: Tell) -> RestoreReport:
        """Make a data folder of a backup, all of it or nothing; a folder that holds anything is refused."""
        ...

    def check(self, data_dir: Path, tell: Tell) -> CheckReport:
        """Look at everything in the store and change nothing; a platform may run on it meanwhile."""
        ...

    def compact(self, data_dir: Path, tell: Tell) -> CompactionReport:
        """Forget all history of a folder on which no platform runs, and give its space back to the disk."""
        ...

    def issue(self, data_dir: Path, user: str, groups: Sequence[str], life: timedelta) -> Credential:
        """Make somebody a credential, signed by the folder's CA; a platform may run on it meanwhile."""
        ...


class MaintenanceFactory(Protocol):
    """Makes the implementation when a command needs it: other commands start without importing it."""

    def __call__(self) -> Maintenance:
        """Give it."""
        ...
