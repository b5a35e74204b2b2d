"""``roadbed describe``: one object for reading: who it is, what is wanted, what is, and what happened."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.apimachinery.gvk import Resource
    from roadbed.apimachinery.request import Object

_ASIDE = frozenset(("apiVersion", "kind", "metadata", "status"))
_SECRET = frozenset(("data", "stringData"))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("describe")(on_server(describe))


async def describe(
    session: Session,
    what: Annotated[list[str], typer.Argument(metavar="TYPE[/NAME] [NAME]...", help="Types or objects.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where to look.", show_default=False)
    ] = "",
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Labels, such as team=shop.", show_default=False)
    ] = "",
) -> None:
    """Tell everything about objects: metadata, spec, status, conditions, events.

    The contents of Secrets are not shown, only their sizes.
    """
    from roadbed.interfaces.cli.selection import targets

    is_first = True
    for target in await targets(session, what):
        place = (namespace or session.namespace) if target.resource.namespaced else ""
        if target.names:
            found = [await session.client.get(target.resource, name, place) for name in target.names]
        else:
            found = await session.client.list(target.resource, place, labels=selector)
        for obj in found:
            sys.stdout.write(("" if is_first else "\n\n") + await _told(session, target.resource, obj))
            is_first = False
    if is_first:
        sys.stderr.write("No resources found\n")


async def _told(session: Session, resource: Resource, obj: Object) -> str:
    from roadbed.interfaces.cli.documents import to_yaml
    from roadbed.interfaces.cli.happenings import events_about, section_of

    parts = [_heading(resource, obj)]
    for name, value in obj.items():
        if name not in _ASIDE and value not in (None, {}, []):
            shown = _sizes(value) if resource.plural == "secrets" and name in _SECRET else value
            parts.append(_section(name, to_yaml(shown) if isinstance(shown, dict | list) else f"{shown}\n"))
    status = {name: value for name, value in (obj.get("status") or {}).items() if name != "conditions"}
    if status:
        parts.append(_section("status", to_yaml(status)))
    conditions = (obj.get("status") or {}).get("conditions")
    if conditions:
        parts.append(_section("conditions", _conditions(conditions)))
    events = await events_about(session.client, obj)
    parts.append(_section("events", section_of(events)) if events else "Events:  <none>\n")
    return "".join(parts)


def _heading(resource: Resource, obj: Object) -> str:
    from roadbed.interfaces.cli.words import age

    metadata = obj["metadata"]
    lines = [
        ("Name", metadata.get("name", "")),
        ("Namespace", metadata.get("namespace", "")),
        ("Kind", f"{resource.kind} ({resource.api_version})"),
        ("Labels", _pairs(metadata.get("labels"))),
        ("Annotations", _pairs(metadata.get("annotations"))),
        ("Owner", _owners(metadata.get("ownerReferences"))),
        ("Finalizers", "\n".join(metadata.get("finalizers") or ())),
        (
            "Created",
            f"{metadata.get('creationTimestamp', '')} ({age(metadata.get('creationTimestamp'))} ago)",
        ),
        (
            "Being deleted",
            f"since {metadata['deletionTimestamp']}" if "deletionTimestamp" in metadata else "",
        ),
    ]
    width = max(len(name) for name, _ in lines) + 3
    text = ""
    for name, value in lines:
        for index, line in enumerate(str(value).splitlines()):
            text += f"{(name + ':' if index == 0 else '').ljust(width)}{line}\n"
    return text


def _pairs(pairs: dict[str, str] | None) -> str:
    return "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in (pairs or {}).items())


def _owners(references: list[dict[str, Any]] | None) -> str:
    return "\n".join(f"{each.get('kind')}/{each.get('name')}" for each in references or ())


def _sizes(values: dict[str, Any]) -> dict[str, str]:
    import base64

    return {name: f"{len(base64.b64decode(value or ''))} bytes" for name, value in values.items()}


def _section(name: str, text: str) -> str:
    body = "".join(f"  {line}\n" if line else "\n" for line in text.splitlines())
    return f"{name[:1].upper()}{name[1:]}:\n{body}"


def _conditions(conditions: list[dict[str, Any]]) -> str:
    from roadbed.interfaces.cli.tables import Screen, lines
    from roadbed.interfaces.cli.words import age, sentence

    rows = [
        (
            str(each.get("type", "")),
            str(each.get("status", "")),
            str(each.get("reason", "")),
            age(each.get("lastTransitionTime")),
            sentence(str(each.get("message") or "")),
        )
        for each in conditions
    ]
    return "\n".join(
        lines(("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"), rows, Screen.of_stdout(indent=2))
    )
