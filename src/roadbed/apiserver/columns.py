"""Printer columns: how one object becomes a row of a Table.

``table`` asks; built-in kinds bring functions, CRDs bring JSONPaths. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import human_duration, parse_time

Cell = Callable[[Object, datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``priority`` 0 always shows, others only with ``-o wide``."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


def _name(obj: Object, now: datetime) -> str:
    del now
    return str(obj["metadata"].get("name", ""))


def _created(obj: Object, now: datetime) -> str:
    del now
    return str(obj["metadata"].get("creationTimestamp", ""))


NAME = Column("Name", _name, format="name", description="Name must be unique within a namespace.")
CREATED = Column(
    "Created At", _created, type="date", description="When the object was created, RFC 3339 UTC."
)
PLAIN = (NAME, CREATED)


def age(timestamp: str, now: datetime) -> str:
    """Give how long ago an RFC 3339 time was, as kubectl does; ``<unknown>`` where it can't be read."""
    try:
        return human_duration((now - parse_time(timestamp)).total_seconds())
    except ValueError:
        return "<unknown>"


def _age(obj: Object, now: datetime) -> str:
    return age(str(obj["metadata"].get("creationTimestamp") or ""), now)


AGE = Column("Age", _age, description="Time since the object was created.")
