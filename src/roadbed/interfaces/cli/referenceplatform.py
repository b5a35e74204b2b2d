"""Writing the reference platform: the definitions, compositions and catalog that an organisation starts from.

Called by ``roadbed init`` and by the demonstration of ``up``. It blocks on the disk; a loop calls it in a
thread. The folder appears whole or not at all.
"""

from __future__ import annotations

import os
import shutil
from importlib import resources
from pathlib import Path

from .platform import PlatformError

MESSAGE = "Start from Roadbed's reference platform"


def write_reference(folder: Path) -> None:
    """Write the reference platform into a new (or empty) folder as a git repository with one commit.

    Raises:
        PlatformError: the folder holds something, or can't be written.
    """
    from roadbed.repositories import create_repository  # git costs 0.1 s that other commands need not pay

    folder = folder.absolute()
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise PlatformError(
                f"cannot write a platform to {folder}: it is not an empty folder",
                "name a folder that is not there yet",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with resources.as_file(resources.files("roadbed.interfaces.cli") / "reference") as source:
            shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        create_repository(fresh, MESSAGE)
        fresh.replace(folder)
    except OSError as error:
        raise PlatformError(
            f"cannot write a platform to {folder}: {error.strerror or error}",
            "choose a folder that you may write",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
