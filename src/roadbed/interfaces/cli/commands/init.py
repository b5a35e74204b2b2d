"""``roadbed init``: the reference platform as a git repository that an organisation then owns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.", show_default=False)
    ],
) -> None:
    """Write a platform of your own to start from.

    Definitions and AWS compositions for Database, ObjectStore and Network, and the catalog of a made-up
    organisation, in a git repository with one commit.
    """
    from roadbed.interfaces.cli.referenceplatform import write_reference

    write_reference(folder)
    sys.stdout.write(
        f"a platform of your own is in {folder}\n"
        f"  look     {folder}/README.md\n"
        f"  apply    roadbed apply -f {folder}/functions -f {folder}/apis\n"
    )
