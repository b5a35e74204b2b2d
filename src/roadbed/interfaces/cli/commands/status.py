"""``roadbed status``: is the platform ready, and what does it look after."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadbed.interfaces.cli.session import Session, on_server

if TYPE_CHECKING:
    from roadbed.apimachinery.gvk import Resource

CATEGORIES = ("composite", "claim", "managed")
PORTAL_TIMEOUT_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(on_server(status))


async def status(
    session: Session,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml", help="Form.", show_default=False)
    ] = "",
) -> int | None:
    """Say whether the platform is ready, and how its resources are.

    Asks /readyz of both ports and counts composites and managed resources. Exit code 1 when not ready.
    """
    from roadbed.interfaces.cli.documents import form_of, rendered
    from roadbed.interfaces.cli.localplatform import portal_of

    form = form_of(output)
    answer = await session.http.document("/readyz?verbose")
    portal = portal_of(session.kubeconfig, session.http.server)
    report: dict[str, Any] = {
        "server": session.http.server,
        "ready": answer.status == 200,
        "checks": _checks(answer.body.decode(errors="replace")),
    }
    if portal:
        problem = await _portal_problem(portal)
        report["portal"] = {"url": portal, "ready": not problem, "message": problem}
    report["resources"] = await _counts(session) if report["ready"] else []
    if form:
        sys.stdout.write(rendered(report, form))
    else:
        sys.stdout.write(_told(report))
    is_ready = report["ready"] and report.get("portal", {}).get("ready", True)
    return 0 if is_ready else 1


def _checks(text: str) -> list[dict[str, str]]:
    found = []
    for line in text.splitlines():
        if line.startswith(("[+]", "[-]")):
            name, _, state = line[3:].partition(" ")
            found.append({"name": name, "state": "ok" if line.startswith("[+]") else state})
    return found


async def _portal_problem(url: str) -> str:
    """Give what is wrong with the portal, nothing when it is ready."""
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=PORTAL_TIMEOUT_S, trust_env=False) as http:
            answer = await http.get(f"{url}/readyz")
    except httpx2.TransportError as error:
        return f"cannot reach it: {str(error) or type(error).__name__}"
    return "" if answer.status_code == 200 else answer.text.strip().removeprefix("not ready: ")


async def _counts(session: Session) -> list[dict[str, Any]]:
    served: dict[tuple[str, str], Resource] = {}
    for resource in await session.client.resources():
        if set(CATEGORIES).intersection(resource.categories) and "list" in resource.verbs:
            served.setdefault((resource.group, resource.plural), resource)
    found = await asyncio.gather(*(_count(session, resource) for resource in served.values()))
    return [each for each in found if each["ready"] or each["notReady"] or each.get("message")]


async def _count(session: Session, resource: Resource) -> dict[str, Any]:
    from roadbed.apimachinery.errors import ApiError
    from roadbed.interfaces.cli.kinds import shown
    from roadbed.interfaces.cli.lineage import unreadiness

    category = next(each for each in CATEGORIES if each in resource.categories)
    counted: dict[str, Any] = {"kind": shown(resource), "category": category, "ready": 0, "notReady": 0}
    try:
        objects = await session.client.list(resource)
    except ApiError as error:
        return {**counted, "message": error.message}
    unready = sum(bool(unreadiness(obj, expected="Ready")) for obj in objects)
    return {**counted, "ready": len(objects) - unready, "notReady": unready}


def _told(report: dict[str, Any]) -> str:
    from roadbed.interfaces.cli.tables import lines

    rows = [("kubernetes", report["server"], "ready" if report["ready"] else "not ready")]
    if "portal" in report:
        portal = report["portal"]
        rows.append(
            ("portal", portal["url"], "ready" if portal["ready"] else f"not ready: {portal['message']}")
        )
    text = "\n".join(lines(("WHAT", "ADDRESS", "STATE"), rows)) + "\n"
    waiting = [
        f"  {check['name']} {check['state']}\n" for check in report["checks"] if check["state"] != "ok"
    ]
    text += "".join(waiting)
    counts = [
        (each["kind"], each["category"], str(each["ready"]), str(each["notReady"]), each.get("message", ""))
        for each in report["resources"]
    ]
    if counts:
        has_trouble = any(row[-1] for row in counts)
        headings = ("KIND", "CATEGORY", "READY", "NOT READY", "MESSAGE")
        shown = [row if has_trouble else row[:-1] for row in counts]
        text += "\n" + "\n".join(lines(headings if has_trouble else headings[:-1], shown)) + "\n"
    elif report["ready"]:
        text += "\nNo composites or managed resources yet; `roadbed get xrd` shows what can be ordered.\n"
    return text
