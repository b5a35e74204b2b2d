"""The lock that keeps a second process off a store: an advisory lock on ``<file>.lock``.

Taken by ``sqlite`` before the file is opened, held until the store is closed. The kernel drops it when the
process dies, however it dies, so there is nothing to clean up after a crash. The file holds the owner's
process id for the message that the second process shows; it stays behind empty, since removing it would
let a third process lock a file that no longer has a name.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .errors import StorageInUseError, StorageUnavailableError


class FileLock:
    """The lock of one store; taken on creation."""

    def __init__(self, store: Path) -> None:
        path = store.with_name(store.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageUnavailableError(
                f"cannot open the store {store}: {path}: {error.strerror}; make its folder writable"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise StorageInUseError(
                f"cannot open the store {store}: process {owner} has it open; "
                f"stop that process or choose another data directory"
            ) from error
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            # A full disk must not keep us from opening (to read, and to compact): only the name is lost.
            pass

    def release(self) -> None:
        """Let the next process in; once."""
        try:
            os.ftruncate(self._file, 0)
        finally:
            os.close(self._file)
