"""Making a git repository of a folder of files: the first commit of something that an organisation then owns.

Called by ``roadbed init`` and the demonstration, in a thread or before a loop runs: it blocks on the disk.
It writes one branch, ``main``, and nothing outside the folder; it never pushes.
"""

from __future__ import annotations

import os
from pathlib import Path

from dulwich.config import StackedConfig
from dulwich.repo import Repo

BRANCH = b"main"
NOBODY = ("Roadbed", "roadbed@localhost")


def create_repository(folder: Path, message: str) -> str:
    """Make ``folder`` a git repository whose first commit holds every file in it; gives the commit's id.

    The author is who git's own configuration names, else Roadbed.

    Raises:
        FileExistsError: the folder is a git repository already.
        OSError: the folder can't be written.
    """
    if (folder / ".git").exists():
        raise FileExistsError(f"{folder} is a git repository already")
    repo = Repo.init(folder, default_branch=BRANCH)
    try:
        worktree = repo.get_worktree()
        worktree.stage(_files(folder))
        author = _author(repo.get_config_stack())
        # Hooks and signing belong to the person's own commits; this one must not ask for a passphrase.
        commit = worktree.commit(
            message.encode(), author=author, committer=author, no_verify=True, sign=False
        )
        return commit.decode()
    finally:
        repo.close()


def _files(folder: Path) -> list[str]:
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names]  # noqa: PTH118 - os.walk
    return sorted(found)


def _author(config: StackedConfig) -> bytes:
    named = []
    for key, otherwise in zip((b"name", b"email"), NOBODY, strict=True):
        try:
            named.append(config.get((b"user",), key).decode(errors="replace"))
        except KeyError:
            named.append(otherwise)
    return f"{named[0]} <{named[1]}>".encode()
