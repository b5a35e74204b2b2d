"""Built-in definitions as OpenAPI documents publish them: with the values of enumerations, and words of our own.

Asked by the API server for the documents alone. Objects are not held to these enumerations: what judges a kind does
that, with the texts of Kubernetes. Recorded by ``tools/record_kinds.py``, because the documents that Kubernetes
publishes with its release leave them out. What Kubernetes' own documents say of each field in prose is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from .catalogue import load

_FILE = Path(__file__).parent / "enumerations.json"
WORDS: Final[Mapping[str, str]] = {
    "apiVersion": "The group and version of the schema that this object is written in, such as apps/v1.",
    "kind": "What this object is, in CamelCase; it can't be changed.",
    "metadata": "What every object has: its name, labels, annotations, owners and finalizers.",
}
"""What is said of the members that every object has."""


@cache
def _enumerations() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = orjson.loads(_FILE.read_bytes())
    return found


@cache
def published(name: str) -> Mapping[str, Any] | None:
    """Give a definition by its name (``io.k8s.api.core.v1.ConfigMap``), or None where Kubernetes has none."""
    schema = load().definitions.get(name)
    if schema is None:
        return None
    enumerations = _enumerations().get(name, {})
    is_kind = "x-kubernetes-group-version-kind" in schema
    if not enumerations and not is_kind:
        return schema
    properties = dict(schema.get("properties") or {})
    for place, values in enumerations.items():
        member, *below = place.split("/")
        properties[member] = _listing(properties[member], below, values)
    if is_kind:
        properties |= {
            member: {**properties[member], "description": text}
            for member, text in WORDS.items()
            if member in properties
        }
    return {**schema, "properties": properties} if properties else schema


def _listing(schema: Mapping[str, Any], below: Sequence[str], values: list[str]) -> dict[str, Any]:
    """Give a schema that lists ``values`` at the place ``below`` it."""
    if not below:
        return {**schema, "enum": values}
    return {**schema, below[0]: _listing(schema[below[0]], below[1:], values)}
