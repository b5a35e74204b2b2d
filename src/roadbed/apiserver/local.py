"""The in-process transport: what engines and the portal hold instead of an HTTP connection.

Satisfies ``roadbed.client.interface.Transport`` structurally; the same authorisation, admission and
encoding as over HTTP, without the bytes on the wire. Any number of tasks may share one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from urllib.parse import urlencode

import orjson

from roadbed.apimachinery.errors import ApiError, ServiceUnavailableError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Page, User, WatchEvent

from .audit import Auditor, Heard, Record, work_on
from .context import Core
from .dispatch import Dispatcher
from .handlers.watch import Watch
from .ports import Attributes, Authenticator


class LocalTransport:
    """Carries requests to the server in this process as one user."""

    def __init__(
        self,
        core: Core,
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        user: User,
        auditor: Auditor | None = None,
    ) -> None:
        self._auditor = auditor
        self._core = core
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._user = user
        self._is_closed = False

    async def call(self, request: ApiRequest) -> Answer:
        """Carry any verb but ``list`` and ``watch``."""
        user = self._acting(request)
        if self._auditor is None:
            return await self._dispatcher.call(user, request)
        with self._recorded(user, request) as record:
            answer = await self._dispatcher.call(user, request)
            if record is not None:
                record.began(answer.status)
                record.answered(answer.body)
            return answer

    async def list(self, request: ApiRequest) -> Page:
        """Carry one ``list``."""
        user = self._acting(request)
        if self._auditor is None:
            return await self._dispatcher.list(user, request)
        with self._recorded(user, request) as record:
            page = await self._dispatcher.list(user, request)
            if record is not None:
                record.began(200)
            return page

    async def watch(self, request: ApiRequest) -> AsyncIterator[WatchEvent]:
        """Carry one ``watch``; an expired one raises ExpiredError."""
        user = self._acting(request)
        with self._recorded(user, request) as record:
            watch = self._dispatcher.watch(user, request)
            if record is not None:
                record.began(200, is_long=True)
            async with aclosing(self._events(watch)) as events:
                async for event in events:
                    yield event

    async def _events(self, watch: Watch) -> AsyncGenerator[WatchEvent, None]:
        async with aclosing(watch.batches()) as batches:
            async for batch in batches:
                if isinstance(batch, bytes):
                    yield WatchEvent("BOOKMARK", batch)
                    continue
                for signal in batch:
                    yield WatchEvent(signal.type, signal.entry.value)

    async def discover(self) -> Sequence[Resource]:
        """Give every served resource, each group's preferred version first."""
        return [*self._core.registry.resources(), *self._dispatcher.reviews]

    async def close(self) -> None:
        """Refuse later calls; nothing else is held."""
        self._is_closed = True

    @contextmanager
    def _recorded(self, user: User, request: ApiRequest) -> Iterator[Record | None]:
        """Record one request, where it is wanted; its failure is raised on."""
        record = None
        if self._auditor is not None:
            record = self._auditor.begin(_heard(self._core.new_uid(), self._user, request))
        if record is None:
            yield None
            return
        record.acting = user
        record.asked(request)
        work_on(record)
        try:
            yield record
        except ApiError as error:
            record.began(error.code)
            record.answered(orjson.dumps(error.to_status()))
            raise
        finally:
            record.end()
            work_on(None)

    def _acting(self, request: ApiRequest) -> User:
        if self._is_closed:
            raise ServiceUnavailableError("the transport is closed; take another from the server")
        if request.impersonate is None:
            return self._user
        return self._authenticator.act_as(self._user, request.impersonate)


def _heard(audit_id: str, user: User, request: ApiRequest) -> Heard:
    """Give a request in process as if it had come over HTTP."""
    root = f"/apis/{request.group}/{request.version}" if request.group else f"/api/{request.version}"
    place = f"/namespaces/{request.namespace}" if request.namespace else ""
    tail = "/".join(part for part in (request.plural, request.name, request.subresource) if part)
    options = {**request.options, **({"watch": "true"} if request.verb == "watch" else {})}
    query = f"?{urlencode(options)}" if options else ""
    is_namespace = request.plural == "namespaces" and not request.group
    return Heard(
        audit_id=audit_id,
        uri=f"{root}{place}/{tail}{query}",
        agent="roadbed/in-process",
        sources=(),
        attributes=Attributes(
            request.verb,
            request.group,
            request.plural,
            request.subresource,
            request.name if is_namespace else request.namespace,
            request.name,
        ),
        api_version=request.version,
        user=user,
    )
