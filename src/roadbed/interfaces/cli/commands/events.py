"""``roadbed events``: what was recorded lately, everywhere, in a namespace or about one object."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.interfaces.cli.tables import Layout


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("events")(on_server(events))


async def events(
    session: Session,
    about: Annotated[
        str, typer.Option("--for", metavar="TYPE/NAME", help="Only about this object.", show_default=False)
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where to look.", show_default=False)
    ] = "",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look everywhere.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with every new one.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml", help="Form.", show_default=False)
    ] = "",
) -> None:
    """Show what happened, newest last."""
    from roadbed.apis.core import EVENTS
    from roadbed.interfaces.cli.documents import collected, form_of, presented, rendered
    from roadbed.interfaces.cli.happenings import DEFAULT, HEADINGS, in_order, row_of
    from roadbed.interfaces.cli.selection import one
    from roadbed.interfaces.cli.tables import Layout, Screen

    form = form_of(output)
    place, fields = "" if all_namespaces else namespace or session.namespace, ""
    if about:
        chosen = await one(session, [about], namespace)
        fields = f"involvedObject.name={chosen.name},involvedObject.kind={chosen.resource.kind}"
        place = chosen.namespace or DEFAULT
    page = await session.client.read_all(EVENTS, place, fields=fields)
    found = in_order(_decoded(page.items))
    if form and not watch:
        sys.stdout.write(rendered(collected([presented(event) for event in found]), form))
        return
    if not found and not watch:
        where = f" in {place} namespace" if place else ""
        sys.stderr.write(f"No events found{where}.\n")
        return
    headings = HEADINGS if place else ("NAMESPACE", *HEADINGS)
    layout = Layout(headings, Screen.of_stdout())
    rows = [row_of(event) if place else (event["metadata"]["namespace"], *row_of(event)) for event in found]
    layout.grow(rows)
    sys.stdout.write("".join(f"{line}\n" for line in [layout.head(), *(layout.row(row) for row in rows)]))
    sys.stdout.flush()
    if watch:
        await _follow(session, place, fields, page.revision, layout)


def _decoded(items: object) -> list[dict[str, object]]:
    import orjson

    return [orjson.loads(item) for item in items]  # type: ignore[attr-defined]


async def _follow(session: Session, place: str, fields: str, after: str, layout: Layout) -> None:
    from roadbed.apimachinery.errors import ExpiredError
    from roadbed.apimachinery.objects import revision_of
    from roadbed.apis.core import EVENTS
    from roadbed.interfaces.cli.happenings import row_of

    while True:
        try:
            async with aclosing(session.client.watch(EVENTS, place, after=after, fields=fields)) as stream:
                async for kind, event in stream:
                    after = revision_of(event) or after
                    if kind == "DELETED":
                        continue
                    cells = row_of(event) if place else (event["metadata"]["namespace"], *row_of(event))
                    layout.grow([cells])
                    sys.stdout.write(f"{layout.row(cells)}\n")
                    sys.stdout.flush()
        except ExpiredError:
            # What was missed is older than the server remembers; go on with what comes now.
            after = (await session.client.read_all(EVENTS, place, fields=fields)).revision
