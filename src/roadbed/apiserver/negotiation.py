"""Which form an answer takes: plain JSON, a Table, metadata only, or aggregated discovery. Pure.

Accept headers repeat, so each text is read once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from roadbed.apimachinery.errors import NotAcceptableError

Form = Literal["json", "table", "partial", "discovery"]

JSON: Final = "application/json"
DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_META: Final = ("meta.k8s.io", "v1")


@lru_cache(maxsize=256)
def form_of(accept: str) -> Form:
    """Give the first form in an ``Accept`` header that can be given for an object or list.

    Raises:
        NotAcceptableError: none can.
    """
    if not accept:
        return "json"
    for clause in accept.split(","):
        media_type, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        if media_type not in (JSON, "*/*", "application/*"):
            continue
        wanted = parameters.get("as", "")
        if not wanted:
            return "json"
        if (parameters.get("g"), parameters.get("v")) == _META:
            if wanted == "Table":
                return "table"
            if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
                return "partial"
    raise NotAcceptableError(f"only the following media types are accepted: {JSON}")


@lru_cache(maxsize=256)
def wants_aggregated(accept: str) -> bool:
    """Say whether discovery is asked for in one document, before the plain form."""
    for clause in accept.split(","):
        media_type, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        if media_type in (JSON, "*/*", "application/*") and not parameters.get("as"):
            return False
        if (
            media_type == JSON
            and parameters.get("as") == "APIGroupDiscoveryList"
            and (parameters.get("g"), parameters.get("v")) == ("apidiscovery.k8s.io", "v2")
        ):
            return True
    return False
