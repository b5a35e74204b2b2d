"""The commands, one module each: words in, an API call or a platform, words out.

A module here imports nothing heavier than Typer; what its work needs it imports when it runs. What two
commands share lives one folder up.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from roadbed.interfaces.cli.invocation import Invocation

from . import (
    apiserver,
    apply,
    delete,
    describe,
    events,
    get,
    init,
    kubeconfig,
    maintenance,
    status,
    token,
    tree,
    up,
    version,
)


@functools.cache  # it never changes, and costs 15 ms
def command() -> Any:
    """Give the whole command, ready to be run with an ``Invocation`` as its object."""
    return typer.main.get_command(application())


def application() -> typer.Typer:
    """Give the command with all its sub-commands; the reference page is made of it."""
    app = typer.Typer(
        help="An internal developer platform that starts with one command.",
        rich_markup_mode=None,  # plain help answers in half the time
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    # In the order of help: start and look first, then work, then the rest.
    for module in (
        up,
        status,
        get,
        describe,
        apply,
        delete,
        tree,
        events,
        init,
        kubeconfig,
        token,
        maintenance,
        apiserver,
        version,
    ):
        module.register(app)
    return app


def _root(
    context: typer.Context,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Where the server and your credentials are; also after the command."),
    ] = None,
    context_name: Annotated[
        str, typer.Option("--context", metavar="NAME", help="Which of its contexts; also after the command.")
    ] = "",
) -> None:
    invocation: Invocation = context.obj
    invocation.kubeconfig = kubeconfig
    invocation.context = context_name
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
