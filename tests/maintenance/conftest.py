"""Data folders to look after: a real store with keys beside it, filled by a real API server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from roadbed.apimachinery.request import User
from roadbed.apiserver import Access, ApiServer
from roadbed.client import Client
from roadbed.maintenance import FolderMaintenance
from roadbed.storage import open_storage

ADMIN = User("admin", ("system:masters", "system:authenticated"))


@pytest.fixture
def maintenance():
    return FolderMaintenance()


@pytest.fixture
def told():
    return []


class Served:
    """An API server on a folder's store."""

    def __init__(self, folder):
        self.folder = folder

    async def __aenter__(self):
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.storage = await open_storage(f"sqlite://{self.folder}/roadbed.db")
        now = lambda: datetime.now(UTC)  # noqa: E731
        self.access = Access.open(self.folder, self.storage, clock=now)
        self.server = ApiServer(
            self.storage,
            authenticator=self.access.authenticator,
            authorizer=self.access.authorizer,
            sealer=self.access.sealer,
            crds=(),
            clock=now,
        )
        await self.server.start()
        self.client = Client(self.server.local(ADMIN), field_manager="test")
        return self

    async def __aexit__(self, *_):
        await self.server.stop()
        self.access.close()
        await self.storage.close()


@pytest.fixture
def serve():
    return Served


@pytest.fixture
def make():
    def configmap(name, namespace="default", owners=(), **contents):
        meta = {"name": name, "namespace": namespace, "ownerReferences": list(owners)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": contents}

    return configmap
