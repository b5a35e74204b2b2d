"""A command's connection: which kubeconfig, which context, and one event loop for the time of the command.

``on_server`` turns a coroutine that takes a ``Session`` first into a command with ``--kubeconfig`` and
``--context``. It runs the coroutine to its end; Ctrl-C cancels it. What it raises is told by ``main``.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadbed.apimachinery.errors import ApiError, BadRequestError

from .failures import from_api
from .invocation import Invocation

if TYPE_CHECKING:
    from roadbed.client import Client
    from roadbed.client.http import HttpTransport

FIELD_MANAGER = "roadbed-cli"
DATA_DIR = ".roadbed"  # as `up` has it

Kubeconfig = Annotated[
    Path | None, typer.Option(help="Where the server and your credentials are.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Session:
    """A reachable server; ``namespace`` is what the kubeconfig's context names."""

    client: Client
    http: HttpTransport
    kubeconfig: Path
    namespace: str


def kubeconfig_paths(given: Path | None) -> list[Path]:
    """Give the kubeconfigs to use: the given one, all of $KUBECONFIG, the data folder's, the user's own."""
    if given is not None:
        return [given]
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if named:
        return named
    ours = Path(os.environ.get("ROADBED_DATA_DIR") or DATA_DIR) / "kubeconfig"
    return [ours if ours.exists() else Path.home() / ".kube" / "config"]


def kubeconfig_path(given: Path | None) -> Path:
    """Give the first of the kubeconfigs to use that exists, or else the first."""
    paths = kubeconfig_paths(given)
    return next((path for path in paths if path.exists()), paths[0])


@asynccontextmanager
async def open_session(invocation: Invocation) -> AsyncIterator[Session]:
    """Connect for the time of one command; warnings of the server go to stderr, each once."""
    from roadbed.client import Client, reach

    http = reach(kubeconfig_paths(invocation.kubeconfig), context=invocation.context)
    warned: set[str] = set()

    def warn(text: str) -> None:
        if text not in warned:
            warned.add(text)
            sys.stderr.write(f"Warning: {text}\n")

    http.on_warning = warn
    try:
        client = Client(http, field_manager=FIELD_MANAGER)
        yield Session(client, http, http.target.file, http.namespace or "default")
    finally:
        await http.close()


def on_server(run: Callable[..., Awaitable[int | None]], *, needs_server: bool = True) -> Callable[..., None]:
    """Make a command of a coroutine function whose first parameter is the ``Session``.

    ``needs_server`` False: the session is None where no kubeconfig can be used.
    """

    @functools.wraps(run)
    def command(
        context: typer.Context, kubeconfig: Path | None = None, context_name: str = "", **options: Any
    ) -> None:
        invocation: Invocation = context.obj
        invocation.kubeconfig = kubeconfig or invocation.kubeconfig
        invocation.context = context_name or invocation.context

        async def work() -> int | None:
            async with AsyncExitStack() as stack:
                try:
                    session = await stack.enter_async_context(open_session(invocation))
                except BadRequestError:
                    if needs_server:
                        raise
                    session = None
                return await run(session, **options)

        try:
            code = asyncio.run(work())
        except ApiError as error:
            about = f"{error.kind}/{error.name}" if error.name else ""
            raise from_api(error, f"{run.__name__} failed", about) from error
        if code:
            raise typer.Exit(code)

    signature = inspect.signature(run, eval_str=True)
    own = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter("context", own, annotation=typer.Context),
        inspect.Parameter("kubeconfig", own, default=None, annotation=Kubeconfig),
        inspect.Parameter(
            "context_name",
            own,
            default="",
            annotation=Annotated[
                str,
                typer.Option("--context", metavar="NAME", help="Which of its contexts.", show_default=False),
            ],
        ),
    ]
    options = [each.replace(kind=own) for each in list(signature.parameters.values())[1:]]
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*options, *added], return_annotation=None
    )
    del command.__wrapped__
    command.__annotations__ = {each.name: each.annotation for each in [*options, *added]}
    return command
