"""``roadbed restore``: a data folder made of a backup, all of it or nothing.

Everything is unpacked and verified in a folder beside the wanted one, the store is read to its last row, and its
revisions leap (see ``storage.maintenance.leap``); only then does the folder get its name. Nothing runs meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from roadbed.interfaces.cli import PlatformError
from roadbed.interfaces.cli.maintenance import RestoreReport, Tell
from roadbed.storage import StorageError
from roadbed.storage.maintenance import inspect_store, leap

from . import archive
from .backup import STORE


def restore(file: Path, data_dir: Path, tell: Tell) -> RestoreReport:
    """Make the folder.

    Raises:
        PlatformError: the folder holds something, the file is no whole backup, or a newer Roadbed wrote it.
    """
    if not file.is_file():
        raise PlatformError(f"cannot restore {file}: there is no such file")
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise PlatformError(
            f"cannot restore into {data_dir}: it is not empty",
            "choose a new folder with --data-dir; move the old one away once the new one works",
        )
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{data_dir.name}.", dir=data_dir.parent))
    except OSError as error:
        raise PlatformError(f"cannot restore into {data_dir}: {error.strerror}") from error
    try:
        return _restore(file, data_dir, work, tell)
    except archive.ArchiveError as error:
        raise PlatformError(
            f"cannot restore {file}: {error}; nothing was restored",
            "take another backup, or copy this one again",
        ) from error
    except StorageError as error:
        raise PlatformError(f"cannot restore {file}: {error}; nothing was restored") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlatformError(
            f"cannot restore {file}: {reason}; nothing was restored", "look at the disk"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _restore(file: Path, data_dir: Path, work: Path, tell: Tell) -> RestoreReport:
    size_bytes = file.stat().st_size
    manifest = archive.unpack(
        file, work, lambda done: tell(f"unpacking and verifying: {100 * done // max(size_bytes, 1)} %")
    )
    tell("reading the store")
    found = inspect_store(work / STORE)
    if found.damage:
        raise archive.ArchiveError(f"its store was damaged when it was made: {found.damage[0]}")
    if (found.summary.revision, found.summary.keys) != (manifest.revision, manifest.objects):
        raise archive.ArchiveError("its store is not the one that its manifest describes")
    revision = leap(work / STORE)
    (work / (STORE + ".lock")).unlink(missing_ok=True)
    work.chmod(0o700)
    work.replace(data_dir)  # an empty folder gives way
    return RestoreReport(
        data_dir=data_dir,
        taken_at=manifest.taken_at,
        version=manifest.version,
        objects=manifest.objects,
        backup_revision=manifest.revision,
        revision=revision,
    )
