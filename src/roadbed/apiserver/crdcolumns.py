"""``additionalPrinterColumns`` of a CRD as columns: a JSONPath, typed as the definition says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roadbed.apimachinery.jsonpath import JsonPath
from roadbed.apimachinery.request import Object

from .columns import Cell, Column, age


def column_of(column: Mapping[str, Any]) -> Column:
    """Give one column.

    Raises:
        ValueError: its JSONPath can't be read.
    """
    kind = str(column.get("type", "string"))
    return Column(
        str(column["name"]),
        _cell(JsonPath.parse(str(column["jsonPath"])), kind),
        type=kind,
        format=str(column.get("format", "")),
        description=str(
            column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
        ),
        priority=int(column.get("priority") or 0),
    )


def _cell(path: JsonPath, kind: str) -> Cell:
    def cell(obj: Object, now: datetime) -> Any:
        found = path.find(obj)
        if not found:
            return None
        value = found[0]
        if kind == "date":
            return age(str(value), now)
        if kind == "string":
            return _text(found)
        if kind == "boolean":
            return value if isinstance(value, bool) else None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    return cell


def _text(values: list[Any]) -> str:
    return ",".join(
        ("true" if value else "false") if isinstance(value, bool) else str(value) for value in values
    )
