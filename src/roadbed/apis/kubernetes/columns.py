"""The columns of each built-in kind's Table, as the real server describes them; read on first use.

Recorded by ``tools/record_kinds.py``. What stands in the cells is code: ``roadbed.apiserver.kinds``.
"""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from roadbed.apimachinery.gvk import Resource

_FILE = Path(__file__).parent / "columns.json.xz"


@cache
def _all() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = orjson.loads(lzma.decompress(_FILE.read_bytes()))
    return found


def column_definitions(resource: Resource) -> list[dict[str, Any]]:
    """Give the columns of a kind in order: name, type, format, description, priority; none where unknown."""
    return _all().get(f"{resource.plural}.{resource.version}.{resource.group}", [])
