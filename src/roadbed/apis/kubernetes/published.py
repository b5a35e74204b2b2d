"""Built-in definitions as OpenAPI documents publish them: with the values of enumerations, and words of our own.

Asked by the API server for the documents, and (``enumerations``) by what judges objects of built-in kinds. Recorded by
``tools/record_kinds.py``, because the documents that Kubernetes publishes with its release leave them out. What
Kubernetes' own documents say of each field in prose is not kept.
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
    "apiVersion": "APIVersion defines the schema of this object, by group and version, such as apps/v1.",
    "kind": "Kind is what this object is, in CamelCase; it can't be changed.",
    "metadata": "Standard object's metadata: its name, labels, annotations, owners and finalizers.",
}
"""What is said of the members that every object has; suites of others look for how these sentences begin."""
_METADATA: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_METADATA_WORDS: Final[Mapping[str, str]] = {
    "annotations": "Annotations are texts by key that programs keep with an object; nothing selects by them.",
    "creationTimestamp": "CreationTimestamp is a timestamp of the server: when this object was made.",
    "deletionGracePeriodSeconds": "How long a deleted object has to end, in seconds; set by the server.",
    "deletionTimestamp": "When this object is to be gone; set by the server once somebody deletes it.",
    "finalizers": "Who must do something before this object may go; each takes its own line away.",
    "generateName": "What the server begins a name with, where none is given; five characters follow.",
    "generation": "How often what is wanted of this object has changed; counted by the server.",
    "labels": "Labels are short texts by key, which selectors choose objects by.",
    "managedFields": "Who wrote which fields, and how; kept by the server for apply.",
    "name": "Name is unique among objects of this kind in the namespace; it can't be changed.",
    "namespace": "Namespace is where the name is unique; empty for kinds of the whole cluster.",
    "ownerReferences": "Objects that this one belongs to: when all of them are gone, it is collected.",
    "resourceVersion": "Which state of the object this is; opaque. A write that names another is refused.",
    "selfLink": "No longer filled in.",
    "uid": "UID tells this object from all others of any time; given by the server.",
}


@cache
def _read() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = orjson.loads(_FILE.read_bytes())
    return found


def enumerations(name: str) -> Mapping[str, Sequence[str]]:
    """Give the values that members of a definition may have, by member (``type``, or ``modes/items`` of a list)."""
    return _read().get(name, {})


@cache
def published(name: str) -> Mapping[str, Any] | None:
    """Give a definition by its name (``io.k8s.api.core.v1.ConfigMap``), or None where Kubernetes has none."""
    schema = load().definitions.get(name)
    if schema is None:
        return None
    if name == _METADATA:
        return _told(schema, _METADATA_WORDS, "ObjectMeta is what every object has, whatever its kind.")
    listed = enumerations(name)
    is_kind = "x-kubernetes-group-version-kind" in schema
    if not listed and not is_kind:
        return schema
    properties = dict(schema.get("properties") or {})
    for place, values in listed.items():
        member, *below = place.split("/")
        properties[member] = _listing(properties[member], below, list(values))
    if is_kind:
        properties |= {
            member: {**properties[member], "description": text}
            for member, text in WORDS.items()
            if member in properties
        }
    return {**schema, "properties": properties} if properties else schema


def _told(schema: Mapping[str, Any], words: Mapping[str, str], whole: str) -> dict[str, Any]:
    """Give a definition with what is said of it and of its members."""
    told = {member: {**schema["properties"][member], "description": text} for member, text in words.items()}
    return {**schema, "description": whole, "properties": {**schema["properties"], **told}}


def _listing(schema: Mapping[str, Any], below: Sequence[str], values: list[str]) -> dict[str, Any]:
    """Give a schema that lists ``values`` at the place ``below`` it."""
    if not below:
        return {**schema, "enum": values}
    return {**schema, below[0]: _listing(schema[below[0]], below[1:], values)}
