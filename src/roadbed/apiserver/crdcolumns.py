"""``additionalPrinterColumns`` of a CRD as columns: a JSONPath, typed as the definition says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roadbed.apimachinery.causes import go_json, go_number
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
        value = found[0]  # of several, as Kubernetes
        if kind == "date":
            shown = age(str(value), now)
            return "<invalid>" if shown == "<unknown>" else shown
        if kind == "string":
            return _text(value)
        if kind == "boolean":
            return value if isinstance(value, bool) else None
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        return int(value) if kind == "integer" else value

    return cell


def _text(value: Any) -> str:
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return go_number(value)
    return value if isinstance(value, str) else go_json(value)
