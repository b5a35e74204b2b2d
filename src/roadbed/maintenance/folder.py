"""The command line's ``Maintenance`` on a data folder: one method a command, the work in modules beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from roadbed.apiserver import KeyFileError
from roadbed.apiserver.aggregation.frontproxy import NAME as FRONT_PROXY
from roadbed.apiserver.certificates import Certificates
from roadbed.interfaces.cli import PlatformError
from roadbed.interfaces.cli.maintenance import (
    BackupReport,
    CheckReport,
    CompactionReport,
    Credential,
    RestoreReport,
    Tell,
)
from roadbed.storage import StorageError
from roadbed.storage.errors import StorageInUseError
from roadbed.storage.maintenance import compact_store

from .backup import STORE, back_up
from .fsck import check
from .restore import restore


class FolderMaintenance:
    """Looks after the folders it is given; holds nothing."""

    def backup(self, data_dir: Path, file: Path, tell: Tell) -> BackupReport:
        """Write one consistent file."""
        return back_up(_absolute(data_dir), _absolute(file), tell)

    def restore(self, file: Path, data_dir: Path, tell: Tell) -> RestoreReport:
        """Make a data folder of a backup."""
        return restore(_absolute(file), _absolute(data_dir), tell)

    def check(self, data_dir: Path, tell: Tell) -> CheckReport:
        """Look at everything and change nothing."""
        return check(_absolute(data_dir), tell)

    def compact(self, data_dir: Path, tell: Tell) -> CompactionReport:
        """Forget all history of a stopped platform."""
        store = _absolute(data_dir) / STORE
        try:
            before_bytes = store.stat().st_size if store.is_file() else 0
            tell("forgetting history")
            revision = compact_store(store)
        except StorageInUseError as error:
            raise PlatformError(
                f"cannot compact {store}: {error}",
                "stop the platform and run this again; while it runs it forgets history older than ten minutes itself",
            ) from error
        except StorageError as error:
            raise PlatformError(f"cannot compact {store}: {error}", "`roadbed fsck` says more") from error
        return CompactionReport(store, revision, before_bytes, store.stat().st_size)

    def issue(self, data_dir: Path, user: str, groups: Sequence[str], life: timedelta) -> Credential:
        """Sign a client certificate with the CA of a folder."""
        if user == FRONT_PROXY:
            raise PlatformError(
                f"{user} is the name by which other API servers know this one: who has it may speak for anybody there",
                "choose another name for --user",
            )
        folder = _absolute(data_dir)
        if not (folder / "pki" / "ca.key").is_file():
            raise PlatformError(
                f"{folder} has no certificate authority",
                "`roadbed up` makes one; or name another with --data-dir",
            )
        try:
            certificates = Certificates.open_folder(folder, clock=lambda: datetime.now(UTC))
        except KeyFileError as error:
            raise PlatformError(str(error)) from error
        return Credential(*certificates.issue_client(user, groups, life=life))


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
