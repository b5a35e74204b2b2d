"""The Transport Protocol: how a client reaches a server, over HTTP or in process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Answer, ApiRequest, Page, WatchEvent


class Transport(Protocol):
    """Carries requests to an API server as one user and brings answers back.

    In process it is ``ApiServer.local(user)``: no HTTP, but the same admission and RBAC. Every method
    raises ``ApiError`` (``ServiceUnavailableError`` when the server can't be reached).
    """

    async def call(self, request: ApiRequest) -> Answer:
        """Carry any verb but ``list`` and ``watch``; gives the encoded object or ``Status``."""
        ...

    async def list(self, request: ApiRequest) -> Page:
        """Carry one ``list``; a ``limit`` in the options makes it one page of several."""
        ...

    def watch(self, request: ApiRequest) -> AsyncIterator[WatchEvent]:
        """Carry one ``watch``, ending when the server ends it (``timeoutSeconds``) without an error.

        Raises:
            ExpiredError: the revision is compacted or the watcher fell behind; list again.
        """
        ...

    async def discover(self) -> Sequence[Resource]:
        """Give every served resource, all versions, each group's preferred version first."""
        ...

    async def close(self) -> None:
        """Release connections; a call after it raises ServiceUnavailableError."""
        ...
