"""The seam between the managed reconciler and a cloud: what one external resource can be asked.

``ManagedReconciler`` calls it, never twice at once for one object; calls for different objects run
concurrently. A ``Connector`` lives as long as its controller, an ``ExternalClient`` for one reconcile.
Nothing here decides what should happen (that is the reconciler's), and nothing writes to the API server.

Source: github.com/crossplane/crossplane-runtime pkg/reconciler/managed (the same promises, other code).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.request import Object

ConnectionDetails = Mapping[str, str]
"""Secret values by key; written to the connection Secret and nowhere else."""

Readiness = Literal["Creating", "Available", "Unavailable"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A ``spec.forProvider`` field that may be filled from other managed objects.

    ``field`` holds the value, ``ref`` the name(s) (``{name, namespace?, policy?}``, a list when ``many``),
    ``selector`` picks them by labels. ``extract`` says what of the other object is the value: its external
    name, or a path below ``status.atProvider``.
    """

    field: str
    ref: str
    selector: str
    to: GVK
    many: bool = False
    extract: str = "external-name"


@dataclass(frozen=True, slots=True)
class ManagedKind:
    """What the reconciler must know about one kind, apart from its cloud.

    ``initial_name`` gives the external name before anything exists, or "" where the cloud makes it up.
    ``fault`` says what of the object this provider can't do, naming the fields; "" if it can do all of it.
    ``initialize`` may add to ``spec.forProvider`` in place (tags), never change what is there.
    ``deterministic`` kinds may be created again after an interruption: the second creation collides with
    the first or changes nothing. Others are asked to ``recover``.
    ``legacy`` kinds are cluster-scoped and have ``deletionPolicy``. ``users`` are the kinds that may depend on
    this one, so that a deletion that had to wait for them goes on when one of them goes.
    """

    resource: Resource
    references: Sequence[Reference] = ()
    initial_name: Callable[[Object], str] = lambda _: ""
    fault: Callable[[Object], str] = lambda _: ""
    initialize: Callable[[Object], None] = lambda _: None
    deterministic: bool = False
    legacy: bool = False
    users: Sequence[GVK] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What the cloud says about one external resource.

    ``at_provider`` is ``status.atProvider`` as a whole and holds nothing sensitive. ``late_init`` are
    ``forProvider`` fields that the user left open and the cloud has filled; only optional and computed
    ones. ``differences`` says in words what ``update`` would change, without secret values; empty means up to date.
    ``message`` explains a readiness other than Available.
    """

    exists: bool
    differences: Sequence[str] = ()
    readiness: Readiness = "Available"
    message: str = ""
    at_provider: Mapping[str, Any] = field(default_factory=dict)
    late_init: Mapping[str, Any] = field(default_factory=dict)
    connection: ConnectionDetails = field(default_factory=dict)
    external_name: str = ""  # the name to go on with, where the one on the object is another spelling

    @property
    def up_to_date(self) -> bool:
        """Say whether ``update`` would change nothing."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Creation:
    """The name by which the new external resource is found from now on, and what is known only now."""

    external_name: str
    connection: ConnectionDetails = field(default_factory=dict)


class ExternalClient(Protocol):
    """One kind of external resource in one account, for one reconcile.

    ``managed`` is the object with references resolved, its external name in the annotation
    ``crossplane.io/external-name``. It is not to be changed. No call may take longer than a minute; none
    waits until a cloud is done (the reconciler looks again). All raise ``ExternalError``.
    """

    async def observe(self, managed: Object) -> Observation:
        """Look, change nothing. ``exists`` is False when the external name is empty or names nothing.

        "Not found" must be certain: an error, a timeout or missing rights raise instead.
        """
        ...

    async def create(self, managed: Object) -> Creation:
        """Create it. Called only when ``observe`` said that it does not exist and the intent is stored.

        Raises:
            UnknownOutcomeError: it may have been created; ``recover`` will be asked before another try.
        """
        ...

    async def update(self, managed: Object) -> ConnectionDetails:
        """Bring what exists to ``spec.forProvider``; fields that are absent there stay as they are.

        Raises:
            ReplacementNeededError: a difference can't be changed in place; nothing was changed.
        """
        ...

    async def delete(self, managed: Object) -> None:
        """Ask for deletion. Being deleted already, or being gone, is success."""
        ...

    async def recover(self, managed: Object) -> str | None:
        """Find what an interrupted ``create`` of this object may have left, by a name or tag of its own.

        Returns its external name, "" if there is certainly nothing *as of now* (a cloud may still be
        settling; the reconciler waits and asks again), or None if this kind can't tell.
        """
        ...


class Connector(Protocol):
    """Gives the ``ExternalClient`` for one object, from its provider config. Caches as it likes.

    ``configs`` are the resources it reads; objects that could not be connected are looked at again when
    one of those changes.
    """

    configs: Sequence[Resource]

    async def connect(self, managed: Object) -> ExternalClient:
        """Find account, credentials and endpoint.

        Raises:
            ExternalError: config or secret is missing or wrong; the message names it and the next step.
        """
        ...


class ExternalError(Exception):
    """A call that failed. The message goes to the object's condition: no secrets, and a next step.

    ``retry_after_s`` is the cloud's own wish, 0 without one.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnreachableError(ExternalError):
    """Nobody answers at the endpoint; nothing was done."""


class ThrottledError(ExternalError):
    """The cloud asks to slow down; nothing was done."""


class CredentialsError(ExternalError):
    """The credentials are missing, malformed, unknown or expired."""


class AccessDeniedError(ExternalError):
    """The credentials are good but may not do this."""


class InvalidRequestError(ExternalError):
    """The cloud refuses what is asked for; asking again unchanged can't help."""


class UnsupportedFieldError(InvalidRequestError):
    """The object sets fields that this provider does not implement."""


class ReplacementNeededError(InvalidRequestError):
    """A change that only deletion and a new object could bring about."""


class InUseError(ExternalError):
    """Other external resources still depend on this one."""


class UnknownOutcomeError(ExternalError):
    """The request was sent and no answer came: it may have been done."""
