"""The labels of one request, from its route and verb. Pure; names come from what is served only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import APPLY_PATCH, Verb
from roadbed.apiserver.routes import Route

from .instruments import RequestLabels

_VERBS: Final[Mapping[Verb, str]] = {
    "get": "GET",
    "list": "LIST",
    "watch": "WATCH",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETECOLLECTION",
}
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_ROOTS: Final = frozenset(("api", "apis", "healthz", "livez", "metrics", "openapi", "readyz", "version"))


def of_resource(
    resource: Resource, verb: Verb, found: Route, *, options: Mapping[str, str], content_type: str
) -> RequestLabels:
    """Give the labels of a request on a resource that is served."""
    word = _VERBS.get(verb, "OTHER")
    if word == "PATCH" and content_type.startswith(APPLY_PATCH):
        word = "APPLY"
    scope = "resource" if found.name or verb == "create" else "namespace" if found.namespace else "cluster"
    return (
        word,
        "All" if options.get("dryRun") == "All" else "",
        resource.group,
        resource.version,
        resource.plural,
        found.subresource if found.subresource in resource.subresources else "",
        scope,
        "apiserver",
    )


def of_document(method: str, path: str) -> RequestLabels:
    """Give the labels of any other request: the first part of its path, where that is one of ours."""
    root = path.lstrip("/").partition("/")[0]
    return (
        method if method in _METHODS else "OTHER",
        "",
        "",
        "",
        "",
        f"/{root}" if root in _ROOTS else "",
        "",
        "apiserver" if root in ("api", "apis") else "",
    )
