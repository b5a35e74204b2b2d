"""From method, path and query to a request on a resource, as Kubernetes reads addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from roadbed.apimachinery.errors import ApiError, BadRequestError, MethodNotAllowedError, NotFoundError
from roadbed.apimachinery.request import Verb
from roadbed.apis.kubernetes import SERVED

MAX_QUERY_PARAMETERS: Final = 64
# What Kubernetes itself serves has a Status for everything below; other groups are there only while something is.
_BUILT_IN: Final = frozenset(each.group for each in SERVED)
_NAMESPACE_SUBRESOURCES: Final = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads: a group version, and below it a resource, or (``plural`` empty) its discovery."""

    group: str
    version: str
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""
    is_watch: bool = False


def route(path: str) -> Route | None:
    """Read a path under ``/api/v1`` or ``/apis/<group>/<version>``; None for any other.

    Raises:
        NotFoundError: it is below them, but no address of a resource.
    """
    if path.startswith("//"):
        return None  # no address at all
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    is_watch = bool(rest) and rest[0] == "watch"  # the old form of ?watch=true
    if is_watch:
        rest = rest[1:]
    if not all(rest) or len(rest) > 5:
        raise not_found()
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and (group or rest[2] not in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        raise not_found()
    plural, name, subresource = (*rest, "", "", "")[:3]
    return Route(group, version, namespace, plural, name, subresource, is_watch)


def options(query: bytes) -> dict[str, str]:
    """Read the query; of a repeated parameter the first counts.

    Raises:
        BadRequestError: more parameters than any client sends, or not UTF-8.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_QUERY_PARAMETERS,
        )
    except ValueError as error:
        raise BadRequestError(f"couldn't read the query of the address: {error}") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def verb(method: str, found: Route, query: dict[str, str]) -> Verb:
    """Give the verb of a method on a route.

    Raises:
        MethodNotAllowedError: HTTP has such a method, resources have not.
    """
    match method:
        case "GET":  # not HEAD: Kubernetes answers that with 405 on resources
            if found.is_watch:
                return "watch"
            if found.name:  # whatever else is asked
                return "get"
            return "list" if query.get("watch", "false").lower() in ("false", "0") else "watch"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if found.name else "deletecollection"
    raise MethodNotAllowedError("the server does not allow this method on the requested resource")


class NoPageError(NotFoundError):
    """Nobody serves anything of this group: over HTTP the answer is a plain text, not a Status."""


def not_found(group: str = "") -> ApiError:
    """Make the 404 for an address that leads nowhere; of the built-in ``group``, or of one that is defined."""
    return _missing(group)("the server could not find the requested resource")


def _missing(group: str) -> type[NotFoundError]:
    return NotFoundError if group in _BUILT_IN else NoPageError
