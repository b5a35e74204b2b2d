"""A control plane shared by all tests here, a cloud in memory for the reconciler, and moto for AWS."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import pytest_asyncio

from roadbed.controller import Recorder, Request
from roadbed.engines.providers import external
from roadbed.engines.providers.managed import ManagedReconciler
from roadbed.engines.providers.pacing import Pacing
from roadbed.testing import control_plane

XML = "<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors></Response>"


class SteppedClock:
    """Wall time that moves when a test says so."""

    def __init__(self) -> None:
        self.time = datetime(2030, 1, 1, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Cloud:
    """An outside world of one kind of resource, in memory. It makes names up, and fails when told to."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, str] = {}
        self.calls: list[str] = []
        self.fail: dict[str, Exception] = {}
        self.after: dict[str, Callable[[], None]] = {}
        self.can_recover = True
        self.readiness: external.Readiness = "Available"
        self.hidden = False
        self.late: dict[str, Any] = {}
        self.connection: dict[str, str] = {}
        self.configs = ()

    async def connect(self, managed: Any) -> Cloud:
        self._happen("connect")
        return self

    async def observe(self, managed: Any) -> external.Observation:
        self._happen("observe")
        name = managed["metadata"].get("annotations", {}).get("crossplane.io/external-name", "")
        found = None if self.hidden else self.resources.get(name)
        if found is None:
            return external.Observation(exists=False)
        wanted = managed["spec"]["forProvider"]
        return external.Observation(
            exists=True,
            differences=[
                f"{key}: differs" for key, value in found.items() if wanted.get(key, value) != value
            ],
            readiness=self.readiness,
            message="" if self.readiness == "Available" else "not yet",
            at_provider={"id": name},
            late_init=self.late,
            connection=self.connection,
            external_name=name,
        )

    async def create(self, managed: Any) -> external.Creation:
        self._happen("create")
        name = f"made-{len(self.owners)}"
        self.resources[name] = dict(managed["spec"]["forProvider"])
        self.owners[name] = managed["metadata"]["uid"]
        self._happen("created")
        return external.Creation(name, {"key": "first"})

    async def update(self, managed: Any) -> dict[str, str]:
        self._happen("update")
        name = managed["metadata"]["annotations"]["crossplane.io/external-name"]
        self.resources[name] = dict(managed["spec"]["forProvider"])
        return {}

    async def delete(self, managed: Any) -> None:
        self._happen("delete")
        self.resources.pop(managed["metadata"]["annotations"]["crossplane.io/external-name"], None)

    async def recover(self, managed: Any) -> str | None:
        self._happen("recover")
        if not self.can_recover:
            return None
        uid = managed["metadata"]["uid"]
        return next((n for n, owner in self.owners.items() if owner == uid and n in self.resources), "")

    def _happen(self, call: str) -> None:
        self.calls.append(call)
        if call in self.after:
            self.after[call]()
        if call in self.fail:
            raise self.fail[call]


class Lab:
    """A reconciler for one kind over a plane and a cloud, called step by step."""

    def __init__(self, plane: Any, kind: external.ManagedKind, cloud: Any = None) -> None:
        self.plane = plane
        self.kind = kind
        self.cloud = Cloud() if cloud is None else cloud
        self.clock = SteppedClock()
        self.reconciler = self.restarted()

    def restarted(self) -> ManagedReconciler:
        self.reconciler = ManagedReconciler(
            self.kind,
            self.cloud,
            client=self.plane.client,
            recorder=Recorder(self.plane.client, "test", self.plane.clock),
            clock=self.clock,
            pacing=Pacing(rand=lambda: 0.5),
        )
        return self.reconciler

    async def create(self, name: str, *, spec: dict[str, Any] | None = None, **metadata: Any) -> Any:
        resource = self.kind.resource
        spec = {"forProvider": {"region": "eu-central-1"}, **(spec or {})}
        spec["forProvider"] = {"region": "eu-central-1", **spec["forProvider"]}
        namespace = {"namespace": "default"} if resource.namespaced else {}
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, **namespace, **metadata},
            "spec": spec,
        }
        return await self.plane.client.create(resource, body)

    async def get(self, name: str) -> Any:
        return await self.plane.client.get(self.kind.resource, name, self.namespace)

    async def find(self, name: str) -> Any:
        return await self.plane.client.find(self.kind.resource, name, self.namespace)

    async def patch(self, name: str, patch: dict[str, Any]) -> Any:
        return await self.plane.client.patch(self.kind.resource, name, patch, namespace=self.namespace)

    async def delete(self, name: str) -> None:
        await self.plane.client.delete(self.kind.resource, name, self.namespace)

    async def look(self, name: str, times: int = 1) -> Any:
        result = None
        for _ in range(times):
            result = await self.reconciler.reconcile(Request(self.namespace, name))
        return result

    async def condition(self, name: str, kind: str) -> tuple[str, str, str]:
        found = (await self.get(name)).get("status", {}).get("conditions", ())
        one = next((c for c in found if c["type"] == kind), {})
        return one.get("status", ""), one.get("reason", ""), one.get("message", "")

    async def events(self, name: str) -> list[str]:
        from roadbed.apis.core import EVENTS

        events = await self.plane.client.list(EVENTS, "default", fields=f"involvedObject.name={name}")
        return [event["reason"] for event in events]

    @property
    def namespace(self) -> str:
        return "default" if self.kind.resource.namespaced else ""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plane():
    async with control_plane() as running:
        yield running


@pytest.fixture
def lab(plane):
    from roadbed.apis.aws import VPC

    return Lab(plane, external.ManagedKind(VPC.resource(legacy=False)))


@pytest.fixture
def make_lab(plane):
    return lambda kind, cloud=None: Lab(plane, kind, cloud)


@pytest.fixture(scope="session")
def moto():
    """The address of a moto server that ends with this process."""
    command = [sys.executable, "-m", "roadbed.engines.providers.sandbox", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


class Moody:
    """An AWS endpoint whose next answer is set by the test; it counts the requests."""

    def __init__(self):
        self.status, self.code, self.headers, self.requests, self.body = 200, "", {}, 0, ""
        moody = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                moody.requests += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if moody.status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                body = (moody.body or XML.format(code=moody.code, text="in words")).encode()
                self.send_response_only(moody.status)
                for name, value in moody.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="session")
def endpoint():
    """An AWS endpoint in whatever mood a test wants."""
    server = Moody()
    yield server
    server.close()
