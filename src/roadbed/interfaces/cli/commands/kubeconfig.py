"""``roadbed kubeconfig``: where the kubeconfig is that every command here uses, or what is in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from roadbed.interfaces.cli.invocation import Invocation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("kubeconfig")(kubeconfig)


def kubeconfig(
    context: typer.Context,
    given: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Another one than is found.", show_default=False)
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print its content, credentials included.")] = False,
) -> None:
    """Print the path of the kubeconfig in use: --kubeconfig, $KUBECONFIG, the data folder's, your own.

    Every Kubernetes client takes it: export KUBECONFIG=$(roadbed kubeconfig)
    """
    from roadbed.interfaces.cli.failures import Failure
    from roadbed.interfaces.cli.session import kubeconfig_path

    invocation: Invocation = context.obj
    path = kubeconfig_path(given or invocation.kubeconfig)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(
            "cannot read the kubeconfig",
            about=str(path),
            why=error.strerror or str(error),
            hint="`roadbed up` writes one into its data folder; or use --kubeconfig",
            code=4 if isinstance(error, FileNotFoundError) else 1,
        ) from error
    sys.stdout.write(text if raw else f"{path.absolute()}\n")
