"""``roadbed tree``: what an object is made of, down to the cloud, and the reason where it is stuck."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.interfaces.cli.lineage import Node

HEADINGS = ("NAME", "SYNCED", "READY", "EXTERNAL-NAME", "REASON")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tree")(on_server(tree))


async def tree(
    session: Session,
    what: Annotated[list[str], typer.Argument(metavar="TYPE/NAME", help="One object.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where it is.", show_default=False)
    ] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml", help="Form.", show_default=False)
    ] = "",
) -> int | None:
    """Show what an object is made of.

    Composite, composed resources, the id that each has at the cloud, and, where something is stuck, the
    reason of the deepest cause.
    """
    from roadbed.interfaces.cli.documents import form_of, rendered
    from roadbed.interfaces.cli.lineage import lineage
    from roadbed.interfaces.cli.selection import one
    from roadbed.interfaces.cli.tables import lines

    form = form_of(output)
    chosen = await one(session, what, namespace)
    obj = await session.client.get(chosen.resource, chosen.name, chosen.namespace)
    root = await lineage(session.client, chosen.resource, obj)
    if form:
        sys.stdout.write(rendered(_plain(root), form))
        return None
    sys.stdout.write("".join(f"{line}\n" for line in lines(HEADINGS, list(_rows(root, "", "")))))
    cause = root.cause
    if cause is not None:
        sys.stdout.write(f"\n{cause.label}: {cause.own_trouble}\n")
    return None


def _rows(node: Node, before: str, below: str) -> list[tuple[str, ...]]:
    label = f"{before}{node.label}"
    status = (node.status("Synced"), node.status("Ready"))
    rows: list[tuple[str, ...]] = [
        (label, *status, node.external_name if not node.children else "", node.own_trouble)
    ]
    for index, child in enumerate(node.children):
        is_last = index == len(node.children) - 1
        branch, stem = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        rows += _rows(child, below + branch, below + stem)
    return rows


def _plain(node: Node) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "kind": node.kind,
        "name": node.name,
        "namespace": node.namespace,
        "synced": node.status("Synced"),
        "ready": node.status("Ready"),
        "externalName": node.external_name,
        "reason": node.own_trouble,
        "children": [_plain(child) for child in node.children],
    }
    return {name: value for name, value in plain.items() if value or name == "children"}
