"""Groups that another server answers: found, asked in the user's name, told in discovery, and nothing else let through."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
import pytest
from cryptography import x509

from roadbed.apimachinery.conditions import find_condition
from roadbed.apimachinery.request import User
from roadbed.apis import kubernetes
from roadbed.apiserver import Listener
from roadbed.apiserver.aggregation.forwarding import identified
from roadbed.apiserver.certificates import Certificates
from roadbed.testing import ControlPlane, control_plane, eventually

GROUP = "wardle.example.com"
ROOT = f"/apis/{GROUP}/v1"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
KINDS = [
    {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": ["list"]},
    {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
]
NAMESPACES, SERVICES, SERVERS = (
    next(each for each in kubernetes.SERVED if (each.group, each.plural) == name)
    for name in (("", "namespaces"), ("", "services"), ("apiregistration.k8s.io", "apiservices"))
)


@dataclass
class Other:
    """The other server: it answers discovery, and everything else with what it was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    ca_pem: bytes = b""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive()).get("body", b"")
        path = scope["path"]
        certificate = scope.get("extensions", {}).get("tls", {}).get("client_cert")
        seen = {
            "method": scope["method"],
            "path": path,
            "query": scope["query_string"].decode(),
            "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
            "body": body.decode(),
            "certificate": x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
            if certificate
            else "",
        }
        if path == ROOT:
            answer: Any = {"kind": "APIResourceList", "groupVersion": f"{GROUP}/v1", "resources": KINDS}
        elif path == "/openapi/v3":
            answer = {"paths": {ROOT[1:]: {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=A"}}}
        else:
            self.asked.append(seen)
            answer = seen
        headers = [(b"content-type", b"application/json"), (b"x-own", b"yes")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if b"watch=1" in scope["query_string"]:
            await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
            await self.released.wait()
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})


@dataclass
class World:
    """A control plane that serves HTTP, and another server."""

    plane: ControlPlane
    http: httpx.AsyncClient
    other: Other

    async def register(self, external_name: str = "localhost", port: int = 0) -> None:
        """Name the other server in a Service and an APIService."""
        meta = {"name": "api", "namespace": "shop"}
        spec: dict[str, Any] = {"type": "ExternalName", "externalName": external_name}
        await self.plane.client.create(SERVICES, {"metadata": meta, "spec": spec})
        spec = {
            "group": GROUP,
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {**meta, "port": port or self.other.port},
            "caBundle": base64.b64encode(self.other.ca_pem).decode(),
        }
        await self.plane.client.create(SERVERS, {"metadata": {"name": f"v1.{GROUP}"}, "spec": spec})

    async def condition(self, status: str) -> dict[str, Any]:
        """Give the Available condition once it has this status."""

        async def ask() -> dict[str, Any] | None:
            live = await self.plane.client.get(SERVERS, f"v1.{GROUP}")
            found = find_condition(live or {}, "Available")
            return dict(found) if found and found["status"] == status else None

        return await eventually(ask)


@asynccontextmanager
async def listening(asgi: Any, tls: ssl.SSLContext) -> AsyncIterator[int]:
    listener = Listener(asgi, host="127.0.0.1", port=0, tls=tls)
    await listener.start()
    try:
        yield listener.port
    finally:
        await listener.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with control_plane(crds=()) as plane:
        theirs = Certificates.open_folder(tmp_path, clock=lambda: datetime.now(UTC), hosts=["api.shop.svc"])
        ours = plane.access.certificates
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ours.ca_pem.decode())
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_cert_chain(tmp_path / "pki" / "serving.crt", tmp_path / "pki" / "serving.key")
        other = Other(ca_pem=theirs.ca_pem)
        verify = ssl.create_default_context(cadata=ours.ca_pem.decode())
        headers = {"authorization": f"Bearer {plane.access.tokens.admin_token}"}
        async with (
            listening(other, tls) as other.port,
            listening(plane.server.asgi, ours.server_context()) as port,
            httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=verify, headers=headers) as http,
        ):
            await plane.client.create(NAMESPACES, {"metadata": {"name": "shop"}})
            yield World(plane, http, other)
            other.released.set()


async def test_another_server_is_asked_in_the_users_name_and_never_sees_their_credentials(
    world: World,
) -> None:
    await world.register()
    assert (await world.condition("True"))["reason"] == "Passed"
    body = '{"kind":"Flunder"}'
    answer = await world.http.post(
        f"{ROOT}/namespaces/shop/flunders?dryRun=All",
        content=body,
        headers={
            "X-Remote-User": "somebody",
            "X-Remote-Group": "system:masters",
            "Content-Type": "a/b",
            "X-Any": "1",
        },
    )
    assert (answer.status_code, answer.headers["x-own"]) == (200, "yes")
    (seen,) = world.other.asked
    assert (seen["method"], seen["path"], seen["query"]) == (
        "POST",
        f"{ROOT}/namespaces/shop/flunders",
        "dryRun=All",
    )
    assert seen["body"] == body
    assert seen["certificate"] == "CN=front-proxy-client"
    told = [(name.lower(), value) for name, value in seen["headers"]]
    assert [value for name, value in told if name == "x-remote-user"] == ["admin"]
    assert "system:masters" in [value for name, value in told if name == "x-remote-group"]
    assert ("x-any", "1") in told
    assert not [value for name, value in told if name == "authorization" or value == "somebody"]
    # Who may not, is refused here.
    refused = await world.http.get(
        f"{ROOT}/flunders", headers={"Impersonate-User": "ann", "Impersonate-Group": "system:authenticated"}
    )
    assert refused.status_code == 403
    assert len(world.other.asked) == 1
    # Other servers learn whom to believe where all servers on Kubernetes' library look for it.
    published = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    data = (await world.http.get(published)).json()["data"]
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert data["requestheader-client-ca-file"] == world.plane.access.certificates.ca_pem.decode()
    # A watch comes as it is written.
    async with world.http.stream("GET", f"{ROOT}/flunders?watch=1") as watch:
        assert await anext(watch.aiter_lines()) == "first"
        world.other.released.set()


@pytest.mark.slow
async def test_discovery_tells_what_another_server_serves_and_when_it_is_gone(world: World) -> None:
    await world.register()
    await world.condition("True")

    async def versions() -> list[dict[str, Any]]:
        found = (await world.http.get("/apis", headers={"accept": DISCOVERY})).json()
        return next(each["versions"] for each in found["items"] if each["metadata"]["name"] == GROUP)

    (version,) = await versions()
    assert version["freshness"] == "Current"
    (kind,) = version["resources"]
    assert (kind["resource"], kind["scope"], kind["verbs"]) == ("flunders", "Namespaced", ["list"])
    assert [each["subresource"] for each in kind["subresources"]] == ["status"]
    group = (await world.http.get(f"/apis/{GROUP}")).json()
    assert group["preferredVersion"]["groupVersion"] == f"{GROUP}/v1"
    assert (await world.http.get(ROOT)).json()["resources"] == KINDS
    index = (await world.http.get("/openapi/v3")).json()["paths"]
    address = index[ROOT[1:]]["serverRelativeURL"]
    assert (await world.http.get(address)).json()["path"] == f"/openapi/v3{ROOT}"
    await world.plane.client.delete(SERVICES, "api", "shop")
    condition = await world.condition("False")
    assert (condition["reason"], condition["message"]) == (
        "ServiceNotFound",
        'service/api in "shop" is not present',
    )
    (version,) = await versions()
    assert version["freshness"] == "Stale"
    answer = await world.http.get(f"{ROOT}/flunders")
    assert (answer.status_code, answer.text) == (503, "service unavailable\n")
    await world.plane.client.delete(SERVERS, f"v1.{GROUP}")
    assert (await world.http.get(f"{ROOT}/flunders")).status_code == 404
    assert (await world.http.get(f"/apis/{GROUP}")).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "port", "why"),
    [("169.254.169.254", 443, "not allowed"), ("127.0.0.1", 1, "failing or missing response")],
)
async def test_a_server_that_cannot_be_asked_is_told_unavailable(
    world: World, place: str, port: int, why: str
) -> None:
    await world.register(place, port)
    condition = await world.condition("False")
    assert condition["reason"] == "FailedDiscoveryCheck"
    assert why in condition["message"]


@pytest.mark.slow
async def test_a_server_with_another_authority_is_not_believed(world: World) -> None:
    world.other.ca_pem = world.plane.access.certificates.ca_pem
    await world.register()
    assert "CERTIFICATE_VERIFY_FAILED" in (await world.condition("False"))["message"]


def test_no_name_becomes_a_header_of_its_own() -> None:
    user = User("a\r\nX-Remote-Group: system:masters", ("b",), "u", {"Ex/A B": ["1", "2"]})
    assert identified(user) == [
        ("X-Remote-User", "a%0D%0AX-Remote-Group: system:masters"),
        ("X-Remote-Group", "b"),
        ("X-Remote-Uid", "u"),
        ("X-Remote-Extra-ex%2Fa%20b", "1"),
        ("X-Remote-Extra-ex%2Fa%20b", "2"),
    ]
