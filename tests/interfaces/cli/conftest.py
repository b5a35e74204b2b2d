"""The command in this process, against a real API server behind a real TLS port."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from roadbed.apiserver import Access, ApiServer, Listener
from roadbed.apis import load_crds
from roadbed.client import Client, Login, write_kubeconfig
from roadbed.apimachinery.objects import gvk_of
from roadbed.apimachinery.request import User
from roadbed.controller import SystemClock
from roadbed.interfaces.cli import main
from roadbed.storage import open_storage

ADMIN = User("admin", ("system:masters", "system:authenticated"))


def no_platform(options):
    raise AssertionError("only `up` starts a platform")


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """Runs commands against one server, as its administrator."""

    kubeconfig: Path
    client: Client
    capture: object

    async def run(self, *words, code=0):
        self.capture.readouterr()
        given = await asyncio.to_thread(main, [str(word) for word in words], platforms=no_platform)
        captured = self.capture.readouterr()
        done = Done(given, captured.out, captured.err)
        assert done.code == code, done
        return done

    async def create(self, *objects):
        for obj in objects:
            await self.client.create(await self.client.resource_for(gvk_of(obj)), obj)


@asynccontextmanager
async def serve(folder, *, crds=()):
    """Serve the built-in kinds and ``crds`` on a free TLS port; gives a client in process."""
    clock = SystemClock()
    storage = await open_storage("memory:")
    access = Access.open(None, storage, clock=clock.now)
    server = ApiServer(
        storage,
        authenticator=access.authenticator,
        authorizer=access.authorizer,
        sealer=access.sealer,
        crds=crds,
        clock=clock.now,
    )
    for admitter in access.admitters:
        server.add_admitter(admitter)
    for reviewer in access.reviewers:
        server.add_reviewer(reviewer)
    await server.start()
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=access.certificates.server_context())
    await listener.start()
    certificates = access.certificates
    write_kubeconfig(
        folder / "kubeconfig",
        Login(
            server=f"https://127.0.0.1:{listener.port}",
            ca_pem=certificates.ca_pem,
            certificate_pem=certificates.admin_pem,
            key_pem=certificates.admin_key_pem,
        ),
    )
    try:
        yield Client(server.local(ADMIN), field_manager="test")
    finally:
        await server.stop()
        await listener.stop()
        access.close()
        await storage.close()


@pytest.fixture
async def terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("NO_COLOR", "1")
    async with serve(tmp_path) as client:
        yield Terminal(tmp_path / "kubeconfig", client, capsys)
