"""The cells that many kinds share: parts of the object by path, ages, selectors, lists. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import human_duration, parse_time
from roadbed.apiserver.columns import NAME, Cell
from roadbed.apiserver.columns import age as age_of

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"
_OPERATORS = {"In": "in", "NotIn": "notin"}
MOST_LISTED = 3

name: Cell = NAME.cell


def at(obj: Any, *path: str, otherwise: Any = None) -> Any:
    """Give what stands at a path of members, or ``otherwise`` where nothing does."""
    for each in path:
        obj = obj.get(each) if isinstance(obj, dict) else None
    return otherwise if obj is None else obj


def of(read: Callable[[Object], Any]) -> Cell:
    """Make a cell of a function that asks no clock."""
    return lambda obj, _now: read(obj)


def path(*names: str, otherwise: Any = "") -> Cell:
    """Give what stands at a path."""
    return lambda obj, _now: at(obj, *names, otherwise=otherwise)


def number(*names: str) -> Cell:
    """Give the number at a path; zero where nothing stands."""
    return path(*names, otherwise=0)


def count(*names: str) -> Cell:
    """Give how many members a list or map has."""
    return lambda obj, _now: len(at(obj, *names, otherwise=()))


def age(obj: Object, now: datetime) -> str:
    """Give how long ago the object was created."""
    return age_of(str(obj["metadata"].get("creationTimestamp") or ""), now)


def since(*names: str, otherwise: str = NONE) -> Cell:
    """Give how long ago the time at a path was."""

    def cell(obj: Object, now: datetime) -> str:
        found = at(obj, *names)
        return age_of(str(found), now) if found else otherwise

    return cell


def seconds_between(first: str, last: datetime | str) -> str:
    """Give the time from one to another, as people read it."""
    end = parse_time(last) if isinstance(last, str) else last
    return human_duration((end - parse_time(first)).total_seconds())


def containers(*names: str) -> tuple[Cell, Cell]:
    """Give the cells of a pod template's container names and images."""

    def joined(member: str) -> Cell:
        return lambda obj, _now: ",".join(
            str(each.get(member, "")) for each in at(obj, *names, "spec", "containers", otherwise=())
        )

    return joined("name"), joined("image")


def labels(found: Mapping[str, str] | None) -> str:
    """Give labels as ``a=b,c=d``."""
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or NONE


def selector(found: Mapping[str, Any] | None) -> str:
    """Give a label selector as kubectl writes it, ``<none>`` for one that says nothing."""
    if not found:
        return NONE
    parts = [(key, f"{key}={value}") for key, value in (found.get("matchLabels") or {}).items()]
    for each in found.get("matchExpressions") or ():
        key, operator = str(each.get("key", "")), str(each.get("operator", ""))
        if operator in _OPERATORS:
            values = ",".join(sorted(map(str, each.get("values") or ())))
            parts.append((key, f"{key} {_OPERATORS[operator]} ({values})"))
        else:
            parts.append((key, key if operator == "Exists" else f"!{key}"))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0])) or NONE


def selector_text(found: Mapping[str, Any]) -> str:
    """Give a label selector, or the plain labels that select in the oldest kind, as one text."""
    is_plain = not found.keys() <= {"matchLabels", "matchExpressions"}
    text = labels(found) if is_plain else selector(found)
    return "" if text == NONE else text


def selector_at(*names: str) -> Cell:
    """Give the label selector at a path."""
    return lambda obj, _now: selector(at(obj, *names))


def few(found: Iterable[str], most: int = MOST_LISTED) -> str:
    """Give the first of a list, and how many more there are."""
    every = list(found)
    if not every:
        return UNSET
    text = ",".join(every[:most])
    return f"{text} + {len(every) - most} more..." if len(every) > most else text
