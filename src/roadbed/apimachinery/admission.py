"""What may step between a request and its effect: admitters and reviewers, as Protocols.

The API server calls them; engines provide them through ``plugins``; ``app`` brings the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from .gvk import GVK, Resource
from .request import Object, User

Operation = Literal["CREATE", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One write on its way to storage.

    ``object`` is what would be stored (absent on DELETE), ``old`` what is stored (absent on CREATE). ``name`` is that
    in the request's address or body, empty where it names none (each object of a collection that is deleted: ``old``
    has its name). ``dry_run`` asks for no side effect at all. ``options`` are the request's CreateOptions,
    UpdateOptions (of a patch, too) or DeleteOptions. What is put into ``warnings`` goes back with the answer, what is
    put into ``annotations`` into the audit log. ``kind`` is set where objects are of another kind than the resource's own
    (the TokenRequest of ``serviceaccounts/token``, the Scale of a scale subresource).
    """

    operation: Operation
    resource: Resource
    namespace: str
    name: str
    user: User
    object: Object | None
    old: Object | None
    subresource: str = ""
    dry_run: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    kind: GVK | None = None


class Admitter(Protocol):
    """Says no to a write, or changes it before it is validated.

    ``resources`` names what it sees as ``plural.group`` (``*`` for all); others are never handed to it.
    """

    name: str
    resources: frozenset[str]
    operations: frozenset[Operation]

    async def admit(self, request: AdmissionRequest) -> Object | None:
        """Return the object to go on with, or None to leave it as it is.

        Raises:
            ApiError: the write is refused with this Status.
        """
        ...


class Reviewer(Protocol):
    """Answers a create-only *review kind*: a question asked as an object, never stored."""

    resource: Resource

    async def review(self, question: Object, user: User) -> Object:
        """Return the question with its ``status`` filled in, acting with no more rights than ``user``."""
        ...
