"""Small secret files: keys and tokens, mode 0600, written whole or not at all.

Used by ``certificates``, ``authn`` and ``encryption`` at start, before anything runs concurrently.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path


class KeyFileError(Exception):
    """A key file can't be used; the message names the file and the next step."""


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Give the file's bytes; on first use make them and store them with mode 0600.

    Raises:
        KeyFileError: the file can't be read or written, or others may read it.
    """
    try:
        return read(path)
    except FileNotFoundError:
        content = make()
        write(path, content)
        return content


def read(path: Path) -> bytes:
    """Give the bytes of a file that nobody but its owner may read.

    Raises:
        FileNotFoundError: there is no such file.
        KeyFileError: it can't be read, or others may read it.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyFileError(
                    f"{path} can be read by others (mode {mode:04o}): if nobody else had it, run chmod 600 {path}"
                )
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}; check its owner and mode") from error


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write the file whole, durably, readable by its owner only (unless ``mode`` says otherwise).

    Raises:
        KeyFileError: the folder can't be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise KeyFileError(
            f"cannot write {path}: {error.strerror}; check that its folder is yours"
        ) from error
