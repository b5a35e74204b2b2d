"""``roadbed token``: a short-lived token of your own, for the portal, REST and agents."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from roadbed.interfaces.cli.session import Session, on_server


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("token")(on_server(token))


async def token(
    session: Session,
    expires: Annotated[str, typer.Option(metavar="DURATION", help="How long it lives: 60s to 12h.")] = "1h",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml", help="Form.", show_default=False)
    ] = "",
) -> None:
    """Print a token that is you for a while.

    Whoever holds it may do what you may, so hand it to nobody. It is printed once and kept nowhere.
    """
    from roadbed.apis.review import PORTALSESSIONS
    from roadbed.interfaces.cli.documents import form_of, rendered
    from roadbed.interfaces.cli.localplatform import portal_of
    from roadbed.interfaces.cli.words import seconds

    form = form_of(output)
    question = {
        "apiVersion": PORTALSESSIONS.api_version,
        "kind": PORTALSESSIONS.kind,
        "spec": {"expirationSeconds": int(seconds(expires))},
    }
    answer = (await session.client.ask(PORTALSESSIONS, question))["status"]
    if form:
        sys.stdout.write(rendered(answer, form))
        return
    sys.stdout.write(f"{answer['token']}\n")
    sys.stdout.flush()
    portal = portal_of(session.kubeconfig, session.http.server)
    where = f"; sign in with it at {portal}/signin" if portal else ""
    sys.stderr.write(f"valid until {answer['expirationTimestamp']}{where}\n")
