"""The composition root: the one place that sees all rooms and wires them into a running platform.

``Platform.start`` opens the store, the API server, the portal, the listeners and the engines, in this order,
on the caller's event loop; ``stop`` undoes it in reverse. Whatever fails to start takes down what had
started, and is reported as one ``PlatformError``. Nothing but ``__main__`` and ``testing`` imports this.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import secrets
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Generic, TypeVar

from starlette.types import Receive, Scope, Send

from roadbed import __version__
from roadbed.apimachinery.request import User
from roadbed.apis import load_crds
from roadbed.apiserver import ADMINS, Access, ApiServer, KeyFileError, Listener, audit, read_or_make, webhooks
from roadbed.apiserver.serviceaccounts import LegacyTokens
from roadbed.client import Client, Login, write_kubeconfig
from roadbed.controller import Manager, Recorder, SystemClock
from roadbed.demo import BANNER, Demo
from roadbed.interfaces.cli import Addresses, PlatformError
from roadbed.interfaces.web import WebApp, WebSettings, create_app
from roadbed.plugins import EngineContext, Plugins
from roadbed.portal.catalog import Catalog, CatalogPlugin
from roadbed.portal.index import Database
from roadbed.settings import Settings
from roadbed.storage import Storage, StorageError, open_storage

BUILTIN_PLUGINS = (
    "roadbed.engines.core.plugin",
    "roadbed.engines.composition.plugin",
    "roadbed.engines.providers.plugin",
)

# All engines share informers. They read as the collector does, which sees every kind; writes go as each engine.
INFORMERS = User("system:engine:core", ("system:authenticated",))
PORTAL = User("system:portal", ("system:authenticated",))
ADMIN = User("admin", (ADMINS, "system:authenticated"))

START_TIMEOUT_S = 60.0

T = TypeVar("T")


class Platform:
    """One platform in this process. Start it once; stop it once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._clock = SystemClock()
        self._manager: Manager | None = None
        self._server: ApiServer | None = None
        self._unready: dict[str, str] = {}

    async def start(self) -> Addresses:
        """Start everything; returns once both ports answer that they are ready.

        Raises:
            PlatformError: what failed and what to do; nothing is left running.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                addresses = await self._start()
        except (StorageError, KeyFileError, audit.PolicyError) as error:
            await self.stop()
            raise PlatformError(str(error)) from error
        except TimeoutError as error:
            await self.stop()
            waiting = "; ".join(f"{name}: {why}" for name, why in self._unready.items()) or "the engines"
            raise PlatformError(f"not ready after {START_TIMEOUT_S:.0f} s: {waiting}") from error
        except BaseException:
            await self.stop()
            raise
        gc.freeze()  # modules and definitions stay: no collection need look at them again
        gc.enable()
        return addresses

    async def stop(self) -> None:
        """Stop everything, last started first."""
        await self._stack.aclose()

    def client(self, user: User = ADMIN, *, field_manager: str = "roadbed") -> Client:
        """Give an in-process client acting as ``user``, under the same admission and RBAC as over HTTP."""
        if self._server is None:
            raise RuntimeError("the platform is not started")
        return Client(self._server.local(user), field_manager=field_manager)

    async def idle(self) -> None:
        """Return once no controller has anything waiting or in work."""
        if self._manager is not None:
            await self._manager.idle()

    async def _start(self) -> Addresses:
        started = time.perf_counter()
        settings = self._settings
        if not settings.is_loopback:
            # The portal speaks plain HTTP until it has a certificate of its own.
            raise PlatformError(
                f"cannot listen on {settings.host}: both ports would need TLS, and the portal has none yet",
                "leave --host out, and reach the machine through a tunnel or a TLS proxy",
            )
        folder = _private_folder(settings.data_dir)
        async with _Ahead(self._open_demo(folder)) as opening_demo:  # its process starts while ours does
            storage = await self._open_storage(folder)
            access = Access.open(
                None if settings.in_memory else folder, storage, clock=self._clock.now, hosts=[settings.host]
            )
            self._stack.callback(access.close)
            server = await self._serve_api(storage, access)
            catalog = await self._open_catalog(folder)
            api = Listener(
                server.asgi,
                host=settings.host,
                port=settings.api_port,
                tls=access.certificates.server_context(),
            )
            await self._listen(api, "--api-port")
            access.accounts.address = f"{settings.host}:{api.port}"
            portal, portal_url = await self._serve_portal(catalog, folder)
            kubeconfig = self._write_kubeconfig(folder, access, api.port)
            await self._run_engines(server, access, catalog)
            demo = await opening_demo
        if demo is not None:
            await demo.apply(self.client(field_manager="roadbed-demo"))
        self._unready.clear()
        return Addresses(
            api_url=f"https://{settings.host}:{api.port}",
            portal_url=portal_url,
            signin_url=portal.issue_signin_link(ADMIN),
            kubeconfig=kubeconfig,
            notices=demo.notices if demo else (),
            ready_s=time.perf_counter() - started,
        )

    async def _open_storage(self, folder: Path) -> Storage:
        url = "memory:" if self._settings.in_memory else f"sqlite://{folder / 'roadbed.db'}"
        storage = await open_storage(url)
        self._stack.push_async_callback(storage.close)
        return storage

    async def _serve_api(self, storage: Storage, access: Access) -> ApiServer:
        server = ApiServer(
            storage,
            authenticator=access.authenticator,
            authorizer=access.authorizer,
            sealer=access.sealer,
            crds=load_crds(),
            clock=self._clock.now,
            webhooks=webhooks.Caller(self._settings.webhook_service),
        )
        server.event_life_s = self._settings.event_ttl
        access.join(server)
        self._audit(server, access)
        server.register_groups()
        self._unready["engines"] = "controllers are starting"
        server.add_readiness("engines", lambda: self._unready.get("engines", ""))
        await server.start()
        self._stack.push_async_callback(server.stop)
        self._server = server
        return server

    def _audit(self, server: ApiServer, access: Access) -> None:
        settings = self._settings
        auditor = audit.open_auditor(
            settings.audit_policy_file,
            settings.audit_log_path,
            audit.Rotation(
                settings.audit_log_maxsize, settings.audit_log_maxbackup, settings.audit_log_maxage
            ),
            clock=self._clock.now,
            explain=access.authorizer.explain,
        )
        if auditor is not None:
            self._stack.callback(auditor.log.close)
            server.audit(auditor)

    async def _open_demo(self, folder: Path) -> Demo | None:
        if not self._settings.demo:
            return None
        demo = await Demo.open(folder)
        self._stack.push_async_callback(demo.close)
        return demo

    async def _open_catalog(self, folder: Path) -> Catalog:
        database = Database(None if self._settings.in_memory else folder / "index.db")
        await database.open()
        self._stack.push_async_callback(database.close)
        return Catalog(database)

    async def _serve_portal(self, catalog: Catalog, folder: Path) -> tuple[WebApp, str]:
        settings = self._settings
        # Its own address is part of the portal's security, so the port is taken before the portal is made.
        late = _Late()
        listener = Listener(late, host=settings.host, port=settings.portal_port, tls=None)
        await self._listen(listener, "--portal-port")
        origins = tuple(
            f"http://{host}:{listener.port}" for host in dict.fromkeys((settings.host, "localhost"))
        )
        portal = create_app(
            WebSettings(
                origins=origins,
                session_key=self._session_key(folder),
                sandbox=BANNER if settings.demo else "",
                version=__version__,
                unready=lambda: [f"{name}: {why}" for name, why in self._unready.items()],
                now=self._clock.now,
            ),
            client=self.client(PORTAL, field_manager="roadbed-portal"),
            catalog=catalog,
        )
        late.app = portal
        self._stack.push_async_callback(portal.stop)
        return portal, origins[0]

    def _session_key(self, folder: Path) -> bytes:
        # Kept, so that people stay signed in over a restart.
        if self._settings.in_memory:
            return secrets.token_bytes(32)
        return read_or_make(folder / "portal.key", lambda: secrets.token_bytes(32))

    async def _listen(self, listener: Listener, option: str) -> None:
        try:
            await listener.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PlatformError(
                    f"cannot listen on {listener.host}:{listener.port}: another process has the port",
                    f"stop it, or choose another port with {option} (0 takes a free one)",
                ) from error
            raise PlatformError(
                f"cannot listen on {listener.host}:{listener.port}: {error.strerror}"
            ) from error
        self._stack.push_async_callback(listener.stop)

    async def _run_engines(self, server: ApiServer, access: Access, catalog: Catalog) -> None:
        manager = await self._stack.enter_async_context(Manager(self.client(INFORMERS)))
        for instrument in manager.instruments:
            server.add_instrument(instrument)
        self._manager = manager

        def context_for(name: str) -> EngineContext:
            user = PORTAL if name == "catalog" else User(f"system:engine:{name}", ("system:authenticated",))
            client = self.client(user, field_manager=f"roadbed-{name}")
            return EngineContext(
                client=client,
                manager=manager,
                recorder=Recorder(client, f"roadbed-{name}", self._clock),
                clock=self._clock,
                connect=self.client,
                settings={"root-ca": access.certificates.ca_pem.decode()},
            )

        filling = LegacyTokens(access.accounts, server.local(INFORMERS).call, access.certificates.ca_pem)
        await self._stack.enter_async_context(filling.running())
        plugins = Plugins(BUILTIN_PLUGINS, context_for)
        plugins.add("catalog", CatalogPlugin(catalog))
        for admitter in plugins.admitters():
            server.add_admitter(admitter)
        for reviewer in plugins.reviewers():
            server.add_reviewer(reviewer)
        for controller in plugins.controllers():
            manager.start(controller)

    def _write_kubeconfig(self, folder: Path, access: Access, port: int) -> Path:
        certificates = access.certificates
        path = folder / "kubeconfig"
        write_kubeconfig(
            path,
            Login(
                server=f"https://{self._settings.host}:{port}",
                ca_pem=certificates.ca_pem,
                certificate_pem=certificates.admin_pem,
                key_pem=certificates.admin_key_pem,
            ),
        )
        return path


class _Late:
    """An ASGI application that is told what it is after its port is known."""

    app: WebApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is None:  # between two lines of `_serve_portal`, where nothing awaits
            raise RuntimeError("the portal was asked before it was made")
        await self.app(scope, receive, send)


class _Ahead(Generic[T]):
    """Runs one coroutine beside the block; its error is raised where it is awaited, at the latest on leaving."""

    def __init__(self, work: Coroutine[None, None, T]) -> None:
        self._work = work

    async def __aenter__(self) -> asyncio.Task[T]:
        self._task = asyncio.create_task(self._work)
        return self._task

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()  # no effect once it is done
        await asyncio.gather(self._task, return_exceptions=True)


def _private_folder(path: Path) -> Path:
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformError(
            f"cannot use {folder} as data folder: {error.strerror}", "choose another with --data-dir"
        ) from error
    return folder


__all__: Sequence[str] = ["ADMIN", "Platform"]
