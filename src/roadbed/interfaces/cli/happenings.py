"""Events: what was recorded about objects, newest last, as rows.

Both event APIs write the same objects; they are read through the core group, as kubectl does.
"""

from __future__ import annotations

from collections.abc import Sequence

from roadbed.apimachinery.objects import name_of, namespace_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.core import EVENTS
from roadbed.client import Client

from .tables import Screen, lines
from .words import age, sentence

HEADINGS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
DEFAULT = "default"  # where events about cluster-scoped objects live


async def events_about(client: Client, obj: Object) -> list[Object]:
    """Give the events about one object, oldest first."""
    fields = f"involvedObject.name={name_of(obj)},involvedObject.kind={obj.get('kind', '')}"
    found = await client.list(EVENTS, namespace_of(obj) or DEFAULT, fields=fields)
    # An object of that name that was there before has another uid; its events say nothing of this one.
    return in_order([event for event in found if _uid(event) in ("", uid_of(obj))])


def in_order(events: Sequence[Object]) -> list[Object]:
    """Give events by when they were last seen, oldest first."""
    return sorted(events, key=last_seen)


def last_seen(event: Object) -> str:
    """Give the time at which an event happened last."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        event["metadata"].get("creationTimestamp"),
    )
    return str(next((time for time in times if time), ""))


def row_of(event: Object) -> tuple[str, ...]:
    """Give an event as a row under ``HEADINGS``."""
    about = event.get("involvedObject") or {}
    times = (event.get("series") or {}).get("count") or event.get("count") or 1
    repeated = f" (x{times})" if times > 1 else ""
    return (
        age(last_seen(event)),
        str(event.get("type") or ""),
        str(event.get("reason") or ""),
        f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        sentence(str(event.get("message") or "")) + repeated,
    )


def section_of(events: Sequence[Object]) -> str:
    """Give events about one object as a table inside its description."""
    kept = [index for index, heading in enumerate(HEADINGS) if heading != "OBJECT"]
    rows = [[row_of(event)[index] for index in kept] for event in events]
    screen = Screen.of_stdout(indent=2)
    return "\n".join(lines([HEADINGS[index] for index in kept], rows, screen))


def _uid(event: Object) -> str:
    return str((event.get("involvedObject") or {}).get("uid") or "")
