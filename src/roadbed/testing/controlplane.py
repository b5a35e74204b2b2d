"""A control plane without ports: store, API server, and the controllers of the plugins a test names.

Entered by a test, on its own loop; left, everything stops. No portal, no listeners, no demo.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from roadbed.apimachinery.objects import gvk_of
from roadbed.apimachinery.request import Object, User
from roadbed.apis import load_crds
from roadbed.apiserver import Access, ApiServer, Listener
from roadbed.client import Client, Login, write_kubeconfig
from roadbed.controller import Clock, Manager, Recorder, SystemClock
from roadbed.plugins import EngineContext, Plugins
from roadbed.storage import Revision, Storage, open_storage

T = TypeVar("T")

ADMIN = User("admin", ("system:masters", "system:authenticated"))


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane; ``client`` is its administrator's."""

    server: ApiServer
    access: Access
    storage: Storage
    client: Client
    manager: Manager
    clock: Clock

    def as_user(self, user: User, *, field_manager: str = "test") -> Client:
        """Give a client that acts as ``user``, under RBAC."""
        return Client(self.server.local(user), field_manager=field_manager)

    async def create(self, *objects: Object) -> list[Object]:
        """Create objects of any served kinds, in order."""
        created = []
        for obj in objects:
            resource = await self.client.resource_for(gvk_of(obj))
            created.append(await self.client.create(resource, obj))
        return created


@asynccontextmanager
async def control_plane(
    *plugins: str,
    storage: Storage | None = None,
    clock: Clock | None = None,
    crds: Iterable[Object] | None = None,
) -> AsyncIterator[ControlPlane]:
    """Run a control plane with these plugins' controllers (module names, as in ``app.BUILTIN_PLUGINS``).

    ``storage`` is used and left open, for tests that go on with what another control plane left. ``crds`` are
    installed instead of all that Roadbed brings; without them a control plane starts in a tenth of the time.
    """
    clock = clock or SystemClock()
    store = storage or await first_started()
    access = Access.open(None, store, clock=clock.now)
    server = ApiServer(
        store,
        authenticator=access.authenticator,
        authorizer=access.authorizer,
        sealer=access.sealer,
        crds=load_crds() if crds is None else crds,
        clock=clock.now,
    )
    try:
        access.join(server)
        await server.start()
        admin = Client(server.local(ADMIN), field_manager="test")
        async with Manager(Client(server.local(User("system:engine:core")))) as manager:
            plane = ControlPlane(server, access, store, admin, manager, clock)
            _start(plane, plugins)
            yield plane
    finally:
        await server.stop()
        access.close()
        if storage is None:
            await store.close()


_made: list[tuple[str, bytes]] = []  # by the first start of a server in this process


async def first_started() -> Storage:
    """Open a store in memory with what every server makes at its first start: two thirds of the time of a start."""
    store = await open_storage("memory:")
    if not _made:
        clock = SystemClock().now
        access = Access.open(None, store, clock=clock)
        server = ApiServer(
            store,
            authenticator=access.authenticator,
            authorizer=access.authorizer,
            sealer=access.sealer,
            clock=clock,
        )
        await server.start()
        await server.stop()
        access.close()
        records = sorted(store.scan("/"), key=lambda record: record.revision)
        _made.extend((record.key, record.value) for record in records)
        await store.close()
        store = await open_storage("memory:")
    # In their order they get the revisions that they say they have.
    await asyncio.gather(*(store.create(key, partial(_as_made, value)) for key, value in _made))
    return store


def _as_made(value: bytes, revision: Revision) -> bytes:
    del revision
    return value


def _start(plane: ControlPlane, plugins: Sequence[str]) -> None:
    def context_for(name: str) -> EngineContext:
        user = User(
            "system:portal" if name == "catalog" else f"system:engine:{name}", ("system:authenticated",)
        )
        client = plane.as_user(user, field_manager=f"roadbed-{name}")
        return EngineContext(
            client=client,
            manager=plane.manager,
            recorder=Recorder(client, f"roadbed-{name}", plane.clock),
            clock=plane.clock,
            connect=plane.as_user,
            settings={"root-ca": plane.access.certificates.ca_pem.decode()},
        )

    loaded = Plugins(plugins, context_for)
    for admitter in loaded.admitters():
        plane.server.add_admitter(admitter)
    for reviewer in loaded.reviewers():
        plane.server.add_reviewer(reviewer)
    for controller in loaded.controllers():
        plane.manager.start(controller)


@asynccontextmanager
async def serving(plane: ControlPlane, folder: Path) -> AsyncIterator[Path]:
    """Serve a control plane over TLS on a free loopback port; gives the administrator's kubeconfig."""
    certificates = plane.access.certificates
    listener = Listener(plane.server.asgi, host="127.0.0.1", port=0, tls=certificates.server_context())
    await listener.start()
    plane.access.accounts.address = f"127.0.0.1:{listener.port}"
    try:
        path = folder / "kubeconfig"
        server = f"https://127.0.0.1:{listener.port}"
        login = Login(server, certificates.ca_pem, certificates.admin_pem, certificates.admin_key_pem)
        write_kubeconfig(path, login)
        yield path
    finally:
        await listener.stop()


async def eventually(ask: Callable[[], Awaitable[T]], *, within_s: float = 5.0) -> T:
    """Give the first true answer of ``ask``, asking again until then.

    Raises:
        AssertionError: none came in time; the last answer is in the message.
    """
    answer: T | None = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                answer = await ask()
                if answer:
                    return answer
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; the last answer was {answer!r}") from None
