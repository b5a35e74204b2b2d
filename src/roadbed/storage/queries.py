"""The room's SQL, read from ``sql/`` once.

Called by ``database`` only. ``queries.sql`` holds named statements, each headed by ``-- name: word`` and a
sentence of description; ``migrations/NNNN_name.sql`` are numbered from 0001 without gaps and only go
forward. No SQL is written in Python here except PRAGMAs, which take no parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_HEAD = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_FILE = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward: the schema's number after it, its file's name and its statements."""

    number: int
    name: str
    script: str


@cache
def statements() -> dict[str, str]:
    """Give every statement of ``queries.sql`` by name, without comments."""
    text = (files(__package__) / "sql" / "queries.sql").read_text(encoding="utf-8")
    parts = _HEAD.split(text)[1:]
    return {
        name: "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip().rstrip(";")
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


@cache
def migrations() -> tuple[Migration, ...]:
    """Give the migrations in their order."""
    folder = files(__package__) / "sql" / "migrations"
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE.fullmatch(file.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))
