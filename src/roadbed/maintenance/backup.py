"""``roadbed backup``: one consistent file of everything that can't be made again.

Runs in the command's process, beside a platform that goes on working. The store is copied first, the keys after
it: keys are only ever added, so every value in the copy opens with the keys beside it. The file appears under its
name only when it is whole and on disk; a failure leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from roadbed import __version__
from roadbed.interfaces.cli import PlatformError
from roadbed.interfaces.cli.maintenance import BackupReport, Tell
from roadbed.storage import StorageError
from roadbed.storage.maintenance import Copied, copy_store

from . import archive

STORE = "roadbed.db"
# What a platform makes by itself at its next start, or is no use elsewhere.
LEFT_OUT = {
    "kubeconfig": "written anew by `roadbed up`",
    "addresses.json": "written anew by `roadbed up`",
    "index.db": "the portal's index, built again from objects",
}
NOT_OURS = "a folder that is no part of the platform's state"


def back_up(data_dir: Path, file: Path, tell: Tell) -> BackupReport:
    """Write the backup.

    Raises:
        PlatformError: there is nothing to back up, the file exists, or the disk is full.
    """
    store = data_dir / STORE
    if not store.is_file():
        raise PlatformError(
            f"cannot back up {data_dir}: it holds no store",
            "name the folder of `roadbed up` with --data-dir; a platform started with --in-memory keeps nothing",
        )
    if file.exists():
        raise PlatformError(f"cannot write {file}: it exists", "choose another name, or move it away")
    if not file.parent.is_dir():
        raise PlatformError(
            f"cannot write {file}: there is no folder {file.parent}", f"mkdir -p {file.parent}"
        )
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=file.parent))
    except OSError as error:
        raise PlatformError(f"cannot write {file}: {error.strerror}", "choose another folder") from error
    try:
        return _write(data_dir, file, work, tell)
    except StorageError as error:
        raise PlatformError(f"the backup failed and nothing is left of it: {error}") from error
    except OSError as error:
        raise PlatformError(
            f"cannot write {file}: {error.strerror}; nothing is left of it",
            "free some space there (a backup needs twice the store's size for a moment), or choose another disk",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(data_dir: Path, file: Path, work: Path, tell: Tell) -> BackupReport:
    def copying(done: int, total: int) -> None:
        tell(f"copying the store: {_percent(done, total)}")

    copied = copy_store(data_dir / STORE, work / STORE, copying)
    sources = {STORE: work / STORE, **_kept_files(data_dir)}
    manifest = _manifest(data_dir, copied, sources, tell)
    total = sum(member.size_bytes for member in manifest.members)
    packed = work / "packed"
    archive.pack(packed, manifest, sources, lambda done: tell(f"writing the backup: {_percent(done, total)}"))
    # Unlike a rename, a link refuses to take the place of a file that appeared meanwhile.
    os.link(packed, file)
    _sync_folder(file.parent)
    return BackupReport(
        file=file,
        size_bytes=file.stat().st_size,
        revision=copied.revision,
        objects=copied.keys,
        members=tuple(sources),
        left_out=manifest.left_out,
    )


def _manifest(data_dir: Path, copied: Copied, sources: dict[str, Path], tell: Tell) -> archive.Manifest:
    members = []
    for name, path in sources.items():
        tell(f"reading {name}")
        members.append(archive.describe(path, name))
    return archive.Manifest(
        taken_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=__version__,
        revision=copied.revision,
        compacted=copied.compacted,
        schema=copied.schema,
        objects=copied.keys,
        members=tuple(members),
        left_out=_left_out(data_dir),
    )


def _kept_files(data_dir: Path) -> dict[str, Path]:
    """Give keys, tokens and certificates: every file beside the store that is not known to be made again."""
    beside = [path for path in data_dir.iterdir() if not path.name.startswith((STORE, *LEFT_OUT))]
    found = sorted((*beside, *(data_dir / "pki").glob("*")))
    return {str(path.relative_to(data_dir)): path for path in found if path.is_file() and path.name[0] != "."}


def _left_out(data_dir: Path) -> tuple[str, ...]:
    told = []
    for path in sorted(data_dir.iterdir()):
        if path.name in LEFT_OUT:
            told.append(f"{path.name}: {LEFT_OUT[path.name]}")
        elif path.is_dir() and path.name != "pki":
            told.append(f"{path.name}: {NOT_OURS}")
    return tuple(told)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _percent(done: int, total: int) -> str:
    return f"{100 * done // max(total, 1)} %"
