"""What a handler works with: the server's parts (``Core``) and one request on its way (``Call``)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.fields import FieldSelector
from roadbed.apimachinery.request import ApiRequest, User
from roadbed.apimachinery.timestamps import format_time

from .admission import Admission
from .beside import Beside
from .metrics import Metrics
from .ports import Attributes, Authorizer, Clock
from .registry import Registry, Served
from .store import Store
from .watchcache import Hub


@dataclass(frozen=True, slots=True)
class Core:
    """The parts of one server; ``choose`` picks one character of an alphabet, ``new_uid`` makes a uid."""

    registry: Registry
    store: Store
    hub: Hub
    admission: Admission
    authorizer: Authorizer
    clock: Clock
    choose: Callable[[str], str]
    new_uid: Callable[[], str]
    metrics: Metrics = field(default_factory=Metrics)
    beside: Beside = field(default_factory=Beside)

    def now(self) -> str:
        """Give the present as objects show it: RFC 3339, whole seconds, UTC."""
        return format_time(self.clock())

    def alone(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Hold other writes off the object of a call while it is read, changed and written.

        Not where webhooks are asked: what they write to the object themselves would wait for the write that waits
        for them. There a write that was overtaken begins again, as all writes of Kubernetes do.
        """
        if self.admission.calls_out(call.served.resource):
            return nullcontext()
        return self.store.alone(call.served, call.path)

    def check(self, call: Call, verb: str) -> None:
        """Hold the caller to the right to do ``verb`` on what the request names.

        Raises:
            ForbiddenError: with Kubernetes' text.
        """
        request = call.request
        # As Kubernetes: a request on one namespace is a request in it.
        is_namespace = request.plural == "namespaces" and not request.group
        attributes = Attributes(
            verb,
            group=request.group,
            resource=request.plural,
            subresource=request.subresource,
            namespace=request.name if is_namespace else request.namespace,
            name=request.name or _selected_name(request),
        )
        self.authorizer.check(call.user, attributes)


def _selected_name(request: ApiRequest) -> str:
    """Give the one name that a field selector leaves, so that ``resourceNames`` rules fit a list or watch."""
    text = request.options.get("fieldSelector", "")
    if "metadata.name" not in text:
        return ""
    return FieldSelector.parse(text).exact("metadata.name") or ""


@dataclass(slots=True)
class Call:
    """One authorised request on one served resource.

    ``warnings`` go back with the answer, ``annotations`` into the audit log.
    """

    served: Served
    user: User
    request: ApiRequest
    warnings: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The key of the object that the request names."""
        return self.served.path(self.request.namespace, self.request.name)

    @property
    def is_dry_run(self) -> bool:
        """Say whether nothing may be stored."""
        return self.request.options.get("dryRun", "") == "All"

    @property
    def manager(self) -> str:
        """Who owns the fields that this request sets."""
        request = self.request
        return (
            request.options.get("fieldManager", "")
            or request.agent
            or self.user.name.rpartition(":")[2]
            or "unknown"
        )

    def flag(self, name: str) -> bool:
        """Read a boolean option as Kubernetes does: present and not ``false`` or ``0``."""
        value = self.request.options.get(name)
        return value is not None and value.lower() not in ("false", "0")

    def not_found(self, name: str = "") -> NotFoundError:
        """Make the 404 for the named object."""
        resource = self.served.resource
        name = name or self.request.name
        return NotFoundError(
            f'{resource.qualified} "{name}" not found', group=resource.group, kind=resource.plural, name=name
        )
