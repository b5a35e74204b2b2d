"""What passes over the seam: one request shape in, encoded objects out, whatever the transport.

The API server's HTTP face and the in-process transport both speak this; ``client`` makes requests,
``apiserver`` answers them, and neither sees the other. Objects travel as encoded JSON bytes so that
a list or an event is encoded once, however many ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .gvk import Resource

Object = dict[str, Any]
"""A Kubernetes object on the wire: JSON, at most 1.5 MiB encoded."""

Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. ``extra`` values are lists, as in ``authentication.k8s.io`` UserInfo."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the resource model.

    ``options`` are the query parameters by their wire names (``labelSelector``, ``fieldSelector``,
    ``limit``, ``continue``, ``resourceVersion``, ``resourceVersionMatch``, ``timeoutSeconds``,
    ``allowWatchBookmarks``, ``sendInitialEvents``, ``dryRun``, ``fieldManager``, ``fieldValidation``,
    ``force``, ``propagationPolicy``). ``body`` is the decoded object, patch or ``DeleteOptions``; the
    receiver must not change it. ``patch_type`` is a media type, for verb ``patch`` only. ``agent`` is the program that
    asks: it owns the fields where no ``fieldManager`` is named.
    """

    verb: Verb
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    patch_type: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    impersonate: User | None = None
    agent: str = ""

    @classmethod
    def on(cls, verb: Verb, resource: Resource, **members: Any) -> ApiRequest:
        """Make a request on a known resource."""
        return cls(verb, resource.group, resource.version, resource.plural, **members)


@dataclass(frozen=True, slots=True)
class Answer:
    """One object, encoded, with the warnings the server gave (``Warning: 299`` texts)."""

    status: int
    body: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: encoded items in key order, and where the next page starts.

    ``revision`` is the ``resourceVersion`` of the list, never empty and equal on all pages. ``warnings`` are
    what the client should tell its user.
    """

    items: Sequence[bytes]
    revision: str
    continue_token: str = ""
    remaining: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. ``object`` is encoded; for ``BOOKMARK`` it is the kind with a resourceVersion only.

    An ``ERROR`` is never yielded by a transport: it is raised as the ``ApiError`` it carries.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: bytes
