"""From a request to its handler: what is served, may they, which verb.

Both faces, HTTP and in process, come through here and nowhere else, so that both obey the same rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from roadbed.apimachinery.admission import Reviewer
from roadbed.apimachinery.errors import (
    ApiError,
    BadRequestError,
    MethodNotAllowedError,
    ServiceUnavailableError,
)
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Page, User
from roadbed.apis.kubernetes import subresource

from . import options, routes
from .context import Call, Core
from .handlers.create import create
from .handlers.delete import delete, delete_collection
from .handlers.get import get
from .handlers.list import list_page
from .handlers.patch import patch
from .handlers.review import review
from .handlers.update import update
from .handlers.watch import Watch
from .ports import Attributes
from .registry import Served

_WRITTEN = frozenset(("status", "scale", "finalize", "approval"))  # subresources that are parts of data


Poster = Callable[[Core, Call], Awaitable[Answer]]
"""Answers a create on a subresource of a named object (``serviceaccounts/<name>/token``)."""


class Dispatcher:
    """Authorises a request and hands it to its verb's handler."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._reviewers: dict[Resource, Reviewer] = {}
        self._posters: dict[tuple[str, str, str], Poster] = {}  # by group, plural, subresource
        self.refusal: Callable[[], str] = lambda: ""  # why nothing is served now; empty when serving

    def add_reviewer(self, reviewer: Reviewer) -> None:
        """Serve one more review kind."""
        self._reviewers[reviewer.resource] = reviewer

    def add_poster(self, group: str, plural: str, subresource: str, poster: Poster) -> None:
        """Let ``poster`` answer creates on a subresource; the kind must name it among its subresources."""
        self._posters[group, plural, subresource] = poster

    @property
    def reviews(self) -> list[Resource]:
        """The review kinds, for discovery."""
        return list(self._reviewers)

    async def call(self, user: User, request: ApiRequest) -> Answer:
        """Answer any verb but list and watch."""
        reviewer = self._reviewers.get(Resource(request.group, request.version, request.plural, ""))
        if reviewer is not None:
            return await self._ask(user, request, reviewer)
        call = self._admit(user, request)
        try:
            return await self._handle(call, request)
        except ApiError as error:
            error.warnings = tuple(call.warnings)
            raise

    async def _handle(self, call: Call, request: ApiRequest) -> Answer:
        core = self._core
        match request.verb:
            case "create" if request.subresource:
                return await self._posters[request.group, request.plural, request.subresource](core, call)
            case "create":
                return await create(core, call)
            case "get":
                return await get(core, call)
            case "update":
                return await update(core, call)
            case "patch":
                return await patch(core, call)
            case "delete":
                return await delete(core, call)
            case "deletecollection":
                return await delete_collection(core, call)
        raise BadRequestError(f"verb {request.verb} is not one for a single answer")

    async def list(self, user: User, request: ApiRequest) -> Page:
        """Answer one list."""
        return await list_page(self._core, self._admit(user, request))

    def watch(self, user: User, request: ApiRequest) -> Watch:
        """Begin one watch; the caller iterates its batches once, to the end."""
        return Watch(self._core, self._admit(user, request))

    def _admit(self, user: User, request: ApiRequest) -> Call:
        refusal = self.refusal()
        if refusal:
            raise ServiceUnavailableError(refusal, retry_after_s=1)
        served = self._core.registry.find(request.group, request.version, request.plural)
        if served is None:
            raise self._not_served(user, request)
        deprecation = served.definition.deprecation
        call = Call(served, user, request, [deprecation] if deprecation else [])
        self._core.check(call, request.verb)
        resource = served.resource
        if request.namespace and not resource.namespaced:
            raise routes.not_found(request.group)
        if request.subresource and request.subresource not in resource.subresources:
            raise call.not_found() if served.is_custom else routes.not_found(request.group)
        if not self._has_verb(served, request):
            raise _unsupported(served, request) if served.is_custom else _no_verb()
        if request.verb in ("create", "deletecollection") and resource.namespaced and not request.namespace:
            # never a whole cluster in one request
            raise routes.not_found(request.group) if served.is_custom else _no_verb()
        needs_name = bool(request.subresource) or request.verb in ("get", "update", "patch", "delete")
        if needs_name and not request.name:
            raise _no_verb()
        if needs_name and resource.namespaced and not request.namespace:
            raise routes.not_found(request.group)
        options.check(request)
        return call

    def _not_served(self, user: User, request: ApiRequest) -> ApiError:
        """Tell who may ask that there is nothing, or only reviews; others are told that they may not."""
        self._core.authorizer.check(
            user,
            Attributes(
                request.verb,
                request.group,
                request.plural,
                request.subresource,
                request.namespace,
                request.name,
            ),
        )
        is_review = Resource(request.group, request.version, request.plural, "") in self._reviewers
        if is_review:
            return _no_verb()
        return routes.not_found(request.group)

    def _has_verb(self, served: Served, request: ApiRequest) -> bool:
        if not request.subresource:
            return request.verb in served.resource.verbs and not (request.verb == "create" and request.name)
        if (request.group, request.plural, request.subresource) in self._posters:
            return request.verb == "create"
        told = subresource(served.resource, request.subresource)
        if request.subresource not in _WRITTEN and request.verb in told.verbs:
            raise _nothing_runs(request)
        return request.verb in told.verbs

    async def _ask(self, user: User, request: ApiRequest, reviewer: Reviewer) -> Answer:
        if request.verb != "create":
            raise _no_verb()
        self._core.authorizer.check(user, _attributes(request))
        return await review(user, request, reviewer)


def _nothing_runs(request: ApiRequest) -> ApiError:
    """Refuse what would need a machine: logs, commands, connections."""
    return MethodNotAllowedError(
        f"{request.plural}/{request.subresource} is not served: objects are kept as data here, and nothing runs; "
        "ask the cluster that runs them",
        group=request.group,
        kind=request.plural,
        name=request.name,
    )


def _attributes(request: ApiRequest) -> Attributes:
    return Attributes("create", group=request.group, resource=request.plural, namespace=request.namespace)


def _unsupported(served: Served, request: ApiRequest) -> ApiError:
    """Refuse a verb on a part of a custom resource."""
    resource = served.resource
    return MethodNotAllowedError(
        f'{request.verb} is not supported on resources of kind "{resource.qualified}"',
        group=resource.group,
        kind=resource.plural,
    )


def _no_verb() -> ApiError:
    return MethodNotAllowedError("the server does not allow this method on the requested resource")
