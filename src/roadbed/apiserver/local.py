"""The in-process transport: what engines and the portal hold instead of an HTTP connection.

Satisfies ``roadbed.client.interface.Transport`` structurally; the same authorisation, admission and
encoding as over HTTP, without the bytes on the wire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Page, WatchEvent


class LocalTransport:
    """Carries requests to the server in this process as one user."""

    async def call(self, request: ApiRequest) -> Answer:
        """Carry any verb but ``list`` and ``watch``."""
        raise NotImplementedError

    async def list(self, request: ApiRequest) -> Page:
        """Carry one ``list``."""
        raise NotImplementedError

    def watch(self, request: ApiRequest) -> AsyncIterator[WatchEvent]:
        """Carry one ``watch``; an expired one raises ExpiredError."""
        raise NotImplementedError

    async def discover(self) -> Sequence[Resource]:
        """Give every served resource, each group's preferred version first."""
        raise NotImplementedError

    async def close(self) -> None:
        """Refuse later calls; nothing else is held."""
