"""The API server alone: with controllers it gives clients what the whole platform gives them."""

from __future__ import annotations

import base64
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from roadbed.alone import Server
from roadbed.apis.core import CONFIGMAPS, SECRETS, SERVICEACCOUNTS
from roadbed.client import reach
from roadbed.client.client import Client
from roadbed.interfaces.cli import PlatformError
from roadbed.interfaces.cli.server.flags import parse
from roadbed.testing import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(10)]
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/service-account-token",
    "metadata": {
        "name": "kept",
        "namespace": "default",
        "annotations": {"kubernetes.io/service-account.name": "default"},
    },
}


@pytest.fixture(autouse=True)
def _collected_again() -> Any:
    """A server freezes what is loaded when it starts; the next test may not pay for that."""
    yield
    gc.unfreeze()


async def test_controllers_furnish_namespaces_and_fill_in_tokens(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    flags = ["--secure-port=0", "--controllers", f"--write-kubeconfig={kubeconfig}", "--event-ttl=2m"]
    server = Server(parse(flags))
    said = await server.start()
    try:
        async with _client(kubeconfig) as (client, transport):
            held = await _filled_secret(client)
            published = await eventually(lambda: client.find(CONFIGMAPS, "kube-root-ca.crt", "default"))
            authority = published["data"]["ca.crt"]
            assert authority.startswith("-----BEGIN CERTIFICATE-----")
            assert base64.b64decode(held["ca.crt"]).decode() == authority
            assert held["token"]
            told = orjson.loads((await transport.document("/.well-known/openid-configuration")).body)
            assert told["jwks_uri"] == f"https://{_address(said)}/openid/v1/jwks"
            assert b"workqueue_depth" in (await transport.document("/metrics")).body
    finally:
        await server.stop()


@pytest.mark.parametrize("is_named", [True, False])
async def test_of_a_given_certificate_only_a_named_ca_is_published(tmp_path: Path, is_named: bool) -> None:
    """Who signed it is not known otherwise, and a wrong CA would be worse than none."""
    kubeconfig, pki = tmp_path / "kubeconfig", tmp_path / "made" / "pki"
    maker = Server(
        parse(["--secure-port=0", f"--data-dir={tmp_path / 'made'}", f"--write-kubeconfig={kubeconfig}"])
    )
    before = _address(await maker.start())
    await maker.stop()
    flags = ["--secure-port=0", "--controllers", f"--tls-cert-file={pki / 'serving.crt'}"]
    flags += [f"--tls-private-key-file={pki / 'serving.key'}", f"--client-ca-file={pki / 'ca.crt'}"]
    if is_named:
        flags.append(f"--root-ca-file={pki / 'ca.crt'}")
    server = Server(parse(flags))
    after = _address(await server.start())
    kubeconfig.write_text(kubeconfig.read_text().replace(before, after))
    try:
        async with _client(kubeconfig) as (client, _):
            held = await _filled_secret(client)
            if is_named:
                assert base64.b64decode(held["ca.crt"]) == (pki / "ca.crt").read_bytes()
                assert await eventually(lambda: client.find(CONFIGMAPS, "kube-root-ca.crt", "default"))
            else:
                assert "ca.crt" not in held
                assert await client.find(CONFIGMAPS, "kube-root-ca.crt", "default") is None
    finally:
        await server.stop()


async def test_a_root_ca_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("nothing")
    server = Server(parse(["--secure-port=0", "--controllers", f"--root-ca-file={tmp_path / 'none'}"]))
    with pytest.raises(PlatformError, match="cannot publish the CA in"):
        await server.start()


def _address(said: str) -> str:
    return said.partition("https://")[2].partition(" ")[0]


@asynccontextmanager
async def _client(kubeconfig: Path) -> AsyncIterator[Any]:
    transport = reach(kubeconfig)
    try:
        yield Client(transport, field_manager="test"), transport
    finally:
        await transport.close()


async def _filled_secret(client: Client) -> Any:
    await eventually(lambda: client.find(SERVICEACCOUNTS, "default", "default"))
    await client.create(SECRETS, SECRET)

    async def filled() -> Any:
        return (await client.get(SECRETS, "kept", "default")).get("data")

    return await eventually(filled)
