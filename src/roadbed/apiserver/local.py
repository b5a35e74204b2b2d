"""The in-process transport: what engines and the portal hold instead of an HTTP connection.

Satisfies ``roadbed.client.interface.Transport`` structurally; the same authorisation, admission and
encoding as over HTTP, without the bytes on the wire. Any number of tasks may share one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from roadbed.apimachinery.errors import ServiceUnavailableError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Page, User, WatchEvent

from .context import Core
from .dispatch import Dispatcher
from .ports import Authenticator


class LocalTransport:
    """Carries requests to the server in this process as one user."""

    def __init__(self, core: Core, dispatcher: Dispatcher, authenticator: Authenticator, user: User) -> None:
        self._core = core
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._user = user
        self._is_closed = False

    async def call(self, request: ApiRequest) -> Answer:
        """Carry any verb but ``list`` and ``watch``."""
        return await self._dispatcher.call(self._acting(request), request)

    async def list(self, request: ApiRequest) -> Page:
        """Carry one ``list``."""
        return await self._dispatcher.list(self._acting(request), request)

    async def watch(self, request: ApiRequest) -> AsyncIterator[WatchEvent]:
        """Carry one ``watch``; an expired one raises ExpiredError."""
        watch = self._dispatcher.watch(self._acting(request), request)
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

    def _acting(self, request: ApiRequest) -> User:
        if self._is_closed:
            raise ServiceUnavailableError("the transport is closed; take another from the server")
        if request.impersonate is None:
            return self._user
        return self._authenticator.act_as(self._user, request.impersonate)
