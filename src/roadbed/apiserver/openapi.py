"""The OpenAPI v3 documents that clients fetch before they create, apply, diff or explain.

``asgi`` hands ``/openapi/v3`` and what is below it to ``OpenApi``; documents are built on first request and
kept until the served kinds change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from roadbed.apimachinery.gvk import Resource


@dataclass(frozen=True, slots=True)
class Published:
    """One served kind as it is published; ``schema`` None means a built-in kind, read from the generated data."""

    resource: Resource
    schema: Mapping[str, Any] | None = None


class RegistryView(Protocol):
    """What OpenApi asks the registry."""

    @property
    def generation(self) -> int:
        """Grows whenever what is served changes."""
        ...

    def published(self) -> Iterable[Published]:
        """Give every served kind (all versions), in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: 200 with a body, or 304 without. ``headers`` hold ETag, Cache-Control and so on."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class OpenApi:
    """Serves ``/openapi/v3`` and ``/openapi/v3/<group version>``."""

    def __init__(self, registry: RegistryView) -> None: ...

    def get(self, path: str, *, hash_: str = "", if_none_match: str = "") -> Document | None:
        """Give the document at ``path`` (``/openapi/v3``, ``/openapi/v3/apis/apps/v1``), None where there is none."""
        raise NotImplementedError
