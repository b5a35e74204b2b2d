"""Every namespace has its default account and the CA to trust; Secrets of accounts are filled in."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadbed.apimachinery.errors import UnauthorizedError
from roadbed.apimachinery.request import User
from roadbed.apis.core import CONFIGMAPS, NAMESPACES, SECRETS, SERVICEACCOUNTS
from roadbed.apiserver import Credentials
from roadbed.apiserver.serviceaccounts import LegacyTokens
from roadbed.testing import ControlPlane, control_plane, eventually

CORE = User("system:engine:core", ("system:authenticated",))


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    async with control_plane("roadbed.engines.core.plugin", crds=()) as running:
        yield running


@pytest.fixture
async def filling(plane: ControlPlane) -> AsyncIterator[None]:
    tokens = LegacyTokens(
        plane.access.accounts, plane.server.local(CORE).call, plane.access.certificates.ca_pem
    )
    task = asyncio.create_task(tokens.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_new_namespace_gets_its_account_and_the_root_ca(plane: ControlPlane) -> None:
    meta = {"name": "shop"}
    await plane.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    assert await eventually(lambda: plane.client.find(SERVICEACCOUNTS, "default", "shop"))
    found = await eventually(lambda: plane.client.find(CONFIGMAPS, "kube-root-ca.crt", "shop"))
    assert found is not None
    assert found["data"]["ca.crt"].encode() == plane.access.certificates.ca_pem


async def test_both_come_back_when_they_are_removed_or_changed(plane: ControlPlane) -> None:
    first = await eventually(lambda: plane.client.find(CONFIGMAPS, "kube-root-ca.crt", "default"))
    assert first is not None
    await plane.client.patch(
        CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "evil"}}, namespace="default"
    )

    async def is_restored() -> bool:
        found = await plane.client.find(CONFIGMAPS, "kube-root-ca.crt", "default")
        return found is not None and found["data"] == first["data"]

    assert await eventually(is_restored)
    account = await eventually(lambda: plane.client.find(SERVICEACCOUNTS, "default", "default"))
    assert account is not None
    await plane.client.delete(SERVICEACCOUNTS, "default", "default")

    async def is_new() -> bool:
        found = await plane.client.find(SERVICEACCOUNTS, "default", "default")
        return found is not None and found["metadata"]["uid"] != account["metadata"]["uid"]

    assert await eventually(is_new)


def secret(account: str) -> dict[str, Any]:
    notes = {"kubernetes.io/service-account.name": account}
    meta = {"name": "held", "namespace": "default", "annotations": notes}
    kind = "kubernetes.io/service-account-token"
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind}


async def test_a_secret_of_an_account_holds_a_token_until_either_goes(
    plane: ControlPlane, filling: None
) -> None:
    await eventually(lambda: plane.client.find(SERVICEACCOUNTS, "default", "default"))
    await plane.client.create(SECRETS, secret("default"))

    async def filled() -> dict[str, str] | None:
        found = await plane.client.find(SECRETS, "held", "default")
        return (found or {}).get("data")

    data = await eventually(filled)
    assert data is not None
    assert base64.b64decode(data["namespace"]) == b"default"
    assert base64.b64decode(data["ca.crt"]) == plane.access.certificates.ca_pem
    shown = Credentials({"authorization": f"Bearer {base64.b64decode(data['token']).decode()}"})
    assert plane.access.authenticator.authenticate(shown).name == "system:serviceaccount:default:default"
    await plane.client.delete(SERVICEACCOUNTS, "default", "default")

    async def is_gone() -> bool:
        return await plane.client.find(SECRETS, "held", "default") is None

    assert await eventually(is_gone)
    with pytest.raises(UnauthorizedError):
        plane.access.authenticator.authenticate(shown)
