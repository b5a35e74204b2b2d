"""The task that looks after other servers: may they be asked, what do they serve.

``ApiServer.aggregate`` makes one ``Aggregation``; the server runs it as the system user from its start to its end. It
asks each server for its group version when something about it changes, and every half minute, and writes the Available
condition of its APIService. While no APIService names a Service, it waits and nothing else. What a server told of
its kinds last is shown by discovery, as stale while it can't be asked.

Source: k8s.io/kube-aggregator/pkg/controllers/status/remote and pkg/apiserver/handler_discovery.go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import ApiRequest, Object, User
from roadbed.apimachinery.timestamps import format_time
from roadbed.apiserver.answering import Send
from roadbed.apiserver.bodies import Receive
from roadbed.apiserver.ports import Clock
from roadbed.apiserver.registry import Registry
from roadbed.apiserver.routes import Route
from roadbed.apiserver.watchcache import Hub
from roadbed.storage import Event

from . import forwarding
from .forwarding import Forwarder, Identity, Passed, UnreachableError
from .places import Nowhere, Places
from .remotes import GROUP, Remote, Remotes

logger = logging.getLogger(__name__)

LOOK_S: Final = 30.0  # a server that died is told within this
CHECK_S: Final = 5.0
SETTLE_S: Final = 0.05  # a Service and its EndpointSlices come together
MOST_BYTES: Final = 4 * 1024 * 1024  # of what a server tells of itself
_HOMES: Final = (f"/{GROUP}/apiservices/", "/core/services/", "/discovery.k8s.io/endpointslices/")
_DOCUMENTS: Final = "/openapi/v3/apis/"
_AGGREGATOR: Final = User("system:kube-aggregator", ("system:masters",))


class Aggregation:
    """The other servers of one server."""

    def __init__(
        self, registry: Registry, hub: Hub, told: Mapping[str, str], identity: Identity, clock: Clock
    ) -> None:
        self._registry = registry
        self._hub = hub
        self._clock = clock
        self._places = Places(registry, told)
        self.remotes = Remotes(registry, hub)
        self.forwarder = Forwarder(self._places, identity)

    def addressed(self, path: str, route: Route | None) -> Remote | None:
        """Give who answers an address: one of a group version that another server has, or its OpenAPI."""
        if route is not None:
            return self.remotes.find(route.group, route.version)
        if not path.startswith(_DOCUMENTS):
            return None
        group, _, version = path.removeprefix(_DOCUMENTS).partition("/")
        return self.remotes.find(group, version)

    def documents(self) -> dict[str, str]:
        """Give where the OpenAPI of each group version is, for the index."""
        return {name: address for each in self.remotes.all() for name, address in each.documents.items()}

    async def pass_on(
        self,
        remote: Remote,
        user: User,
        scope: Mapping[str, Any],
        is_watch: bool,
        receive: Receive,
        send: Send,
    ) -> int:
        """Send what another server answers to an ASGI request; gives the status code."""
        uri, query = scope.get("raw_path", scope["path"].encode()), scope["query_string"]
        client = scope.get("client") or ("",)
        address = uri + b"?" + query if query else uri
        passed = Passed(scope["method"], address, scope["headers"], str(client[0]), is_watch)
        return await self.forwarder.forward(remote, user, passed, receive, send)

    async def run(self, system: Any) -> None:
        """Look until cancelled; ``system`` is a transport with every right."""
        wake = asyncio.Event()

        def observe(event: Event) -> None:
            if self.remotes or event.key.startswith(_HOMES[0]):
                wake.set()

        self.remotes.start()
        for home in _HOMES:
            self._hub.observe(home, observe)
        try:
            while True:
                wake.clear()
                await asyncio.gather(*(self._look(remote, system) for remote in self.remotes.all()))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S if self.remotes else None):
                        await wake.wait()
                await asyncio.sleep(SETTLE_S)
        finally:
            await self.forwarder.close()

    async def _look(self, remote: Remote, system: Any) -> None:
        """Ask one server, and write what became of it."""
        status, reason, message = "True", "Passed", "all checks passed"
        try:
            self._places.of(remote)
            kinds = await self._kinds(remote)
            self.remotes.told(remote, kinds, await self._documents(remote))
        except Nowhere as nowhere:
            status, reason, message = "False", nowhere.reason, str(nowhere)
        except UnreachableError as error:
            status, reason = "False", "FailedDiscoveryCheck"
            message = (
                f"failing or missing response from https://{remote.host}:{remote.port}{remote.path}: {error}"
            )
        condition = {"type": "Available", "status": status, "reason": reason, "message": message}
        try:
            await self._write(remote, condition, system)
        except ApiError as error:  # gone, or somebody was faster: the change wakes us
            logger.debug("cannot tell of a server", extra={"apiservice": remote.name, "why": error.message})

    async def _write(self, remote: Remote, condition: Object, system: Any) -> None:
        served = self._registry.get(GROUP, "v1", "apiservices")
        entry = served.cache.get(remote.name)
        if entry is None:
            return
        obj = orjson.loads(entry.value)
        others = (obj.get("status") or {}).get("conditions") or []
        before: Object = next((each for each in others if each.get("type") == "Available"), {})
        if all(before.get(name) == value for name, value in condition.items()):
            return
        is_same = before.get("status") == condition["status"]
        since = before.get("lastTransitionTime") if is_same else None
        condition["lastTransitionTime"] = since or format_time(self._clock())
        kept = [each for each in others if each.get("type") != "Available"]
        obj["status"] = {**(obj.get("status") or {}), "conditions": [*kept, condition]}
        request = ApiRequest.on(
            "update", served.resource, name=remote.name, subresource="status", body=obj,
            options={"fieldManager": "kube-aggregator"},
        )  # fmt: skip
        await system.call(request)

    async def _kinds(self, remote: Remote) -> list[Mapping[str, Any]]:
        """Ask for a group version's kinds.

        Raises:
            UnreachableError: there is no good answer.
        """
        found = await self._json(remote, remote.path)
        kinds = found.get("resources") if isinstance(found, dict) else None
        if not isinstance(kinds, list) or not all(
            isinstance(each, dict) and each.get("name") for each in kinds
        ):
            raise UnreachableError("the answer is no APIResourceList")
        return kinds

    async def _documents(self, remote: Remote) -> dict[str, str]:
        """Ask where the server's OpenAPI of its group version is; nothing where it has none."""
        try:
            found = await self._json(remote, "/openapi/v3")
        except UnreachableError:
            return {}
        paths = found.get("paths") if isinstance(found, dict) else None
        name = remote.path.removeprefix("/")
        entry = paths.get(name) if isinstance(paths, dict) else None
        address = entry.get("serverRelativeURL") if isinstance(entry, dict) else None
        is_good = isinstance(address, str) and address.startswith(f"/openapi/v3/{name}")
        return {name: str(address)} if is_good else {}

    async def _json(self, remote: Remote, path: str) -> Any:
        import httpx2 as httpx

        headers = [("Accept", "application/json"), *forwarding.identified(_AGGREGATOR)]
        try:
            async with asyncio.timeout(CHECK_S):
                answer = await self.forwarder.ask(remote, "GET", path.encode(), headers)
                try:
                    if not answer.is_success:
                        raise UnreachableError(f"bad status: {answer.status_code}")
                    content = bytearray()
                    async for piece in answer.aiter_bytes():
                        content += piece
                        if len(content) > MOST_BYTES:
                            raise UnreachableError(f"the answer is larger than {MOST_BYTES} bytes")
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            raise UnreachableError("context deadline exceeded") from error
        except httpx.HTTPError as error:
            raise UnreachableError(f"the answer ended early: {error or type(error).__name__}") from error
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise UnreachableError(f"the answer is no JSON: {error}") from error
