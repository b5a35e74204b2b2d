"""A started API server on memory storage, and a small client that speaks to it in process."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import ApiRequest, User
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apiserver import ApiServer
from roadbed.apiserver.certificates import Certificates
from roadbed.testing import first_started


class Anybody:
    """Knows no credentials and asks nothing."""

    def authenticate(self, credentials: Any) -> User:
        return User("tester", ("system:masters",))

    def impersonated(self, user: User, credentials: Any) -> User:
        return user

    def act_as(self, user: User, other: User) -> User:
        return other


class AllowAll:
    """Forbids the user called nobody, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def check(self, user: User, attributes: Any) -> None:
        self.asked.append(attributes)
        if user.name == "nobody":
            raise ForbiddenError(f'User "nobody" cannot {attributes.verb} {attributes.resource}')


class Masked:
    """Turns values around, so that a sealed one is recognisable and unreadable."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        return b"\0" + context.encode() + b"\0" + plain[::-1]

    def open(self, sealed: bytes, *, context: str) -> bytes:
        if not sealed.startswith(b"\0"):
            return sealed
        prefix = b"\0" + context.encode() + b"\0"
        assert sealed.startswith(prefix)
        return sealed[len(prefix) :][::-1]


class Tester:
    """What tests say to a transport, in few words."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    async def ask(
        self, verb: Any, resource: Resource, name: str = "", namespace: str = "", **members: Any
    ) -> Any:
        answer = await self.answer(verb, resource, name, namespace, **members)
        return orjson.loads(answer.body)

    async def answer(
        self, verb: Any, resource: Resource, name: str = "", namespace: str = "", **members: Any
    ) -> Any:
        request = ApiRequest.on(verb, resource, name=name, namespace=namespace, **members)
        return await self.transport.call(request)

    async def create(self, resource: Resource, obj: dict[str, Any], **options: str) -> Any:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        namespace = body.get("metadata", {}).get("namespace", "")
        return await self.ask("create", resource, namespace=namespace, body=body, options=options)

    async def get(self, resource: Resource, name: str, namespace: str = "", **options: str) -> Any:
        return await self.ask("get", resource, name, namespace, options=options)

    async def update(
        self, resource: Resource, obj: dict[str, Any], subresource: str = "", **options: str
    ) -> Any:
        meta = obj["metadata"]
        return await self.ask(
            "update",
            resource,
            meta["name"],
            meta.get("namespace", ""),
            body=obj,
            subresource=subresource,
            options=options,
        )

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        patch_type: str = "application/merge-patch+json",
        subresource: str = "",
        **options: str,
    ) -> Any:
        return await self.ask(
            "patch",
            resource,
            name,
            namespace,
            body=patch,
            patch_type=patch_type,
            subresource=subresource,
            options=options,
        )

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", body: Any = None, **options: str
    ) -> Any:
        return await self.ask("delete", resource, name, namespace, body=body, options=options)

    async def page(self, resource: Resource, namespace: str = "", **options: str) -> Any:
        return await self.transport.list(
            ApiRequest.on("list", resource, namespace=namespace, options=options)
        )

    async def names(self, resource: Resource, namespace: str = "", **options: str) -> list[str]:
        page = await self.page(resource, namespace, **options)
        return [orjson.loads(item)["metadata"]["name"] for item in page.items]

    def watch(self, resource: Resource, namespace: str = "", **options: str) -> AsyncIterator[Any]:
        return self.transport.watch(ApiRequest.on("watch", resource, namespace=namespace, options=options))

    async def events(
        self, resource: Resource, count: int, namespace: str = "", **options: str
    ) -> list[tuple[str, Any]]:
        """Give the first ``count`` events of a watch."""
        found: list[tuple[str, Any]] = []
        async with aclosing(self.watch(resource, namespace, **options)) as events:  # type: ignore[type-var]
            async for event in events:
                found.append((event.type, orjson.loads(event.object)))
                if len(found) == count:
                    break
        return found


class VirtualClock:
    """Stands still until told to move."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def storage() -> AsyncIterator[Any]:
    storage = await first_started()
    yield storage
    await storage.close()


@pytest.fixture
async def server(storage: Any, clock: VirtualClock) -> AsyncIterator[ApiServer]:
    server = ApiServer(storage, authenticator=Anybody(), authorizer=AllowAll(), sealer=Masked(), clock=clock)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def api(server: ApiServer) -> Tester:
    """A client with every right."""
    return Tester(server.local(User("tester", ("system:masters",))))


@pytest.fixture
def as_user(server: ApiServer) -> Callable[[str], Tester]:
    """Give a client of another user."""
    return lambda name: Tester(server.local(User(name)))


@pytest.fixture
def make_crd() -> Callable[..., dict[str, Any]]:
    """Give a definition of widgets; keywords replace parts of its one version."""

    def make(plural: str = "widgets", *, group: str = "example.org", **version: Any) -> dict[str, Any]:
        schema = version.pop("schema", {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
        kind = plural.removesuffix("s").capitalize()
        return {
            "apiVersion": CUSTOMRESOURCEDEFINITIONS.api_version,
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                        **version,
                    }
                ],
            },
        }

    return make


@pytest.fixture
def widgets() -> Resource:
    return Resource("example.org", "v1", "widgets", "Widget")


@pytest.fixture
def widgets_in() -> Callable[[str], Resource]:
    """Give the resource of another served version."""
    return lambda version: replace(Resource("example.org", "v1", "widgets", "Widget"), version=version)


@dataclass
class WebhookServer:
    """A webhook on a loopback TLS port; ``answer`` gives the answer to a path and a decoded question.

    An answer is an object (sent as JSON with status 200) or raw bytes of a whole HTTP response.
    """

    certificates: Certificates
    answer: Callable[[str, Any], Any] = lambda _path, question: question
    asked: list[tuple[str, Any]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> str:
        return base64.b64encode(self.certificates.ca_pem).decode()

    def config(self, path: str = "/") -> dict[str, str]:
        """Give the clientConfig that leads here."""
        return {"url": f"{self.url}{path}", "caBundle": self.ca_bundle}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = next(
                    int(line[15:])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                question = orjson.loads(await reader.readexactly(length))
                path = head.split(b" ")[1].decode()
                self.asked.append((path, question))
                answer = self.answer(path, question)
                if asyncio.iscoroutine(answer):
                    answer = await answer
                if not isinstance(answer, bytes):
                    body = orjson.dumps(answer)
                    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                    answer = head % len(body) + body
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="session")
def webhook_certificates() -> Any:
    made = Certificates.open_folder(None, clock=lambda: datetime.now(UTC))
    yield made
    made.close()


@pytest.fixture
async def webhook(webhook_certificates: Certificates) -> AsyncIterator[WebhookServer]:
    """A webhook server that answers with the question until told otherwise."""
    found = WebhookServer(webhook_certificates)
    context = webhook_certificates.server_context()
    listening = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=context)
    found.port = listening.sockets[0].getsockname()[1]
    yield found
    listening.close()


__all__: Sequence[str] = ()
