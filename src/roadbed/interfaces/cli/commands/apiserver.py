"""``roadbed apiserver`` and ``roadbed envtest-assets``: the API server alone, for scripts and test kits.

The first one is here only to be listed and explained: ``main`` runs it before it imports Typer, since a test suite
waits for every start and its flags are read as Go reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    everything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command("apiserver", context_settings=everything)(apiserver)
    app.command("envtest-assets")(envtest_assets)


def apiserver(context: typer.Context) -> int:
    """Start the API server alone, under kube-apiserver's flags.

    No portal, no engines, none of Roadbed's own kinds: what a controller's test suite needs, ready in half a second.
    Unknown flags are ignored with a warning; `roadbed apiserver --help` lists the known ones.
    """
    from roadbed.interfaces.cli.server import main

    return main(context.args, None)


def envtest_assets(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the programs go.", show_default=False)],
) -> None:
    """Write the programs with which controller-runtime's envtest starts Roadbed as its API server.

    A suite needs nothing but KUBEBUILDER_ASSETS=DIR in its environment.
    """
    from roadbed.interfaces.cli.failures import Failure
    from roadbed.interfaces.cli.server.assets import write_assets

    try:
        written = write_assets(folder)
    except OSError as error:
        raise Failure(
            "cannot write the programs", about=str(folder), why=error.strerror or str(error)
        ) from error
    for name, what in written.items():
        sys.stdout.write(f"{folder / name}  ({what})\n")
    sys.stdout.write(f"  use them  export KUBEBUILDER_ASSETS={folder.absolute()}\n")
