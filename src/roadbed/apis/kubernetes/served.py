"""The table of built-in kinds that Roadbed's API server serves: what Kubernetes serves, and our own reviews.

Read once at start from ``resources.json``, which ``tools/record_kinds.py`` recorded from the real server's
discovery.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apis import review

_FILE = Path(__file__).parent / "resources.json"
_READ_AND_WRITTEN = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """What discovery tells of a subresource: the kind of its bodies, and its verbs."""

    kind: GVK
    verbs: tuple[str, ...]


def _read() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(_FILE.read_bytes())
    return found


def _resource(facts: dict[str, Any]) -> Resource:
    return Resource(
        facts["group"],
        facts["version"],
        facts["plural"],
        facts["kind"],
        namespaced=facts["namespaced"],
        singular=facts["singular"],
        short_names=tuple(facts.get("short_names", ())),
        categories=tuple(facts.get("categories", ())),
        verbs=tuple(facts["verbs"]),
        subresources=tuple(facts.get("subresources", ())),
    )


SERVED: tuple[Resource, ...] = (*map(_resource, _read()), review.PORTALSESSIONS)


@cache
def _subresources() -> dict[tuple[str, str, str, str], Subresource]:
    return {
        (facts["group"], facts["version"], facts["plural"], name): Subresource(
            GVK(told["group"], told["version"] or facts["version"], told["kind"])
            if told["version"] or told["group"]
            else GVK(facts["group"], facts["version"], told["kind"]),
            tuple(told["verbs"]),
        )
        for facts in _read()
        for name, told in facts.get("subresources", {}).items()
    }


def subresource(resource: Resource, name: str) -> Subresource:
    """Give the facts of a subresource; those of a custom resource follow from its name."""
    key = (resource.group, resource.version, resource.plural, name)
    found = _subresources().get(key)
    if found is not None:
        return found
    kind = GVK("autoscaling", "v1", "Scale") if name == "scale" else resource.gvk
    return Subresource(kind, ("update",) if name == "finalize" else _READ_AND_WRITTEN)
