"""Putting the server's messages where the person can mend them: at the field each one names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from roadbed.apimachinery.errors import Cause

from .model import Field

_QUOTED = re.compile(r"\[\"?([^\]\"]+)\"?\]")
_LAST = re.compile(r"(\.[^.\[\]]+|\[[^\]]*\])\Z")


def place(root: Field, causes: Iterable[Cause]) -> list[str]:
    """Add each cause to the field it names, or to the closest one above it.

    Returns the messages that belong to no field, to be shown above the form.
    """
    fields = {found.path: found for found in _walk(root)}
    homeless: list[str] = []
    for cause in causes:
        path = _QUOTED.sub(r"[\1]", cause.field)
        home, below = _home(fields, path)
        if home is None or home.path == "":
            homeless.append(f"{cause.field}: {cause.message}" if cause.field else cause.message)
            continue
        said = in_words(cause)
        message = f"{below}: {said}" if below else said
        if message not in home.errors:
            home.errors.append(message)
    return homeless


def in_words(cause: Cause) -> str:
    """Leave out of a message what its place already says: the path, and the value that stands in the input."""
    if cause.message.startswith("Required value"):
        return "This is required."
    _, found, rest = cause.message.partition(f"{cause.field} in body ")
    return rest[:1].upper() + rest[1:] if found else cause.message


def has_errors(made: Field) -> bool:
    """Say whether a field or anything in it has a message; a folded group must then be open."""
    return any(found.errors for found in _walk(made))


def _walk(made: Field) -> Iterator[Field]:
    yield made
    for child in made.children:
        yield from _walk(child)


def _home(fields: dict[str, Field], path: str) -> tuple[Field | None, str]:
    at, below = path, ""
    while at not in fields:
        found = _LAST.search(at)
        if found is None:
            return fields.get(""), path
        below = f"{found.group(0)}{below}"
        at = at[: found.start()]
    return fields[at], below.lstrip(".")
