"""``roadbed version``: of this command, and of the server if there is one."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from roadbed import __version__
from roadbed.interfaces.cli.session import Session, on_server


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("version")(on_server(version, needs_server=False))


async def version(
    session: Session | None,
    client: Annotated[bool, typer.Option("--client", help="Only of this command; asks no server.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml", help="Form.", show_default=False)
    ] = "",
) -> None:
    """Print the versions of this command and of the server."""
    from roadbed.interfaces.cli.documents import form_of, rendered

    form = form_of(output)
    found: dict[str, Any] = {"client": __version__}
    trouble = ""
    if not client:
        found["server"], trouble = await _of_server(session)
    if form:
        sys.stdout.write(rendered({name: value for name, value in found.items() if value}, form))
        return
    sys.stdout.write(f"client  {__version__}\n")
    if found.get("server"):
        sys.stdout.write(f"server  {found['server'].get('gitVersion', '')}\n")
    elif trouble:
        sys.stderr.write(f"server  not known: {trouble}\n")


async def _of_server(session: Session | None) -> tuple[Any, str]:
    import orjson

    from roadbed.apimachinery.errors import ApiError

    if session is None:
        return None, "no kubeconfig can be used"
    try:
        answer = await session.http.document("/version")
    except ApiError as error:
        return None, error.message
    if answer.status != 200:
        return None, f"it answered {answer.status}"
    return orjson.loads(answer.body), ""
