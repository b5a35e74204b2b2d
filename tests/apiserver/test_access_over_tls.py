"""Access control as clients meet it: a real TLS port, real credentials, the real policy.

The kubectl tests are skipped where kubectl is missing, except in CI, where that is a failure.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from roadbed.apimachinery.request import User
from roadbed.apiserver import Access, ApiServer, Listener
from roadbed.storage import Storage, open_storage

ANN = User("ann", ("devs", "system:authenticated"))
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None and not os.environ.get("CI"),
    reason="kubectl is missing: install kubectl (Debian: kubernetes-client)",
)


@dataclass
class Port:
    """One server with all its access control, on a port of its own."""

    access: Access
    storage: Storage
    listener: Listener
    folder: Path

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.access.certificates.ca_pem.decode())

    async def ask(
        self, method: str, path: str, token: str = "", body: Any = None, **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return await self.send(self.trusting(), method, path, body, sent)

    async def send(
        self, tls: ssl.SSLContext, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> httpx.Response:
        url = f"https://127.0.0.1:{self.listener.port}"
        async with httpx.AsyncClient(base_url=url, verify=tls, trust_env=False) as client:
            return await client.request(method, path, json=body, headers=headers)

    async def kubectl(self, *words: str, stdin: str = "", token: str = "") -> tuple[int, str]:
        flags = [
            f"--server=https://127.0.0.1:{self.listener.port}",
            f"--certificate-authority={self.folder / 'pki/ca.crt'}",
            f"--token={token or self.access.tokens.admin_token}",
            f"--cache-dir={self.folder / 'cache'}",
        ]
        pipe = asyncio.subprocess.PIPE
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        process = await asyncio.create_subprocess_exec(
            "kubectl", *flags, *words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        out, err = await process.communicate(stdin.encode())
        return process.returncode or 0, (out + err).decode()


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    storage = await open_storage("memory:")
    access = Access.open(tmp_path, storage, clock=lambda: datetime.now(UTC))
    server = ApiServer(
        storage,
        authenticator=access.authenticator,
        authorizer=access.authorizer,
        sealer=access.sealer,
        clock=lambda: datetime.now(UTC),
    )
    for reviewer in access.reviewers:
        server.add_reviewer(reviewer)
    await server.start()
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=access.certificates.server_context())
    await listener.start()
    yield Port(access, storage, listener, tmp_path)
    await listener.stop()
    await server.stop()
    access.close()
    await storage.close()


def role(name: str, verbs: list[str], resources: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": [{"verbs": verbs, "apiGroups": [""], "resources": resources}],
    }


def binding(name: str, to: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": to},
        "subjects": [{"kind": "User", "name": "ann"}],
    }


async def test_who_shows_nothing_sees_health_only(port: Port) -> None:
    assert (await port.ask("GET", "/readyz")).status_code == 200
    refused = await port.ask("GET", CONFIGMAPS)
    assert refused.status_code == 403
    assert refused.json()["message"].startswith(
        'configmaps is forbidden: User "system:anonymous" cannot list'
    )
    assert (await port.ask("GET", "/apis")).status_code == 403


async def test_a_wrong_token_is_401_even_for_what_everybody_may_see(port: Port) -> None:
    refused = await port.ask("GET", "/readyz", token="wrong")
    assert (refused.status_code, refused.json()["reason"]) == (401, "Unauthorized")


async def test_the_admin_certificate_is_enough(port: Port) -> None:
    tls = port.trusting()
    tls.load_cert_chain(port.folder / "pki/admin.crt", port.folder / "pki/admin.key")
    question = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await port.send(tls, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", question, {})
    assert answer.status_code == 201
    assert answer.json()["status"]["userInfo"]["groups"] == ["system:masters", "system:authenticated"]


async def test_a_grant_holds_from_the_next_request_on_and_ends_with_its_binding(port: Port) -> None:
    admin = port.access.tokens.admin_token
    ann, _ = port.access.tokens.issue(ANN, 60)
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    assert (await port.ask("GET", CONFIGMAPS, ann)).status_code == 403
    assert (
        await port.ask("POST", f"{roles}/roles", admin, role("reader", ["get", "list"], ["configmaps"]))
    ).status_code == 201
    bound = await port.ask("POST", f"{roles}/rolebindings", admin, binding("ann", "reader"))
    assert bound.json()["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    assert (await port.ask("GET", CONFIGMAPS, ann)).status_code == 200
    assert (await port.ask("GET", "/api/v1/configmaps", ann)).status_code == 403
    assert (await port.ask("DELETE", f"{roles}/rolebindings/ann", admin)).status_code == 200
    assert (await port.ask("GET", CONFIGMAPS, ann)).status_code == 403


async def test_nobody_grants_themselves_more_over_http(port: Port) -> None:
    admin = port.access.tokens.admin_token
    ann, _ = port.access.tokens.issue(ANN, 60)
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    writer = role("writer", ["*"], [])
    writer["rules"] = [
        {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"]}
    ]
    await port.ask("POST", f"{roles}/roles", admin, writer)
    await port.ask("POST", f"{roles}/rolebindings", admin, binding("ann", "writer"))
    await port.ask("POST", f"{roles}/roles", admin, role("secrets", ["get"], ["secrets"]))
    refused = await port.ask("POST", f"{roles}/rolebindings", ann, binding("mine", "secrets"))
    assert refused.status_code == 403
    assert '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}' in refused.json()["message"]


async def test_impersonation_takes_effect_and_takes_a_right(port: Port) -> None:
    admin = port.access.tokens.admin_token
    refused = await port.ask("GET", CONFIGMAPS, admin, Impersonate_User="ann")
    assert 'User "ann" cannot list' in refused.json()["message"]
    ann, _ = port.access.tokens.issue(ANN, 60)
    refused = await port.ask("GET", CONFIGMAPS, ann, Impersonate_User="admin")
    assert 'User "ann" cannot impersonate resource "users"' in refused.json()["message"]


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("Impersonate_Extra_Scopes", "{UserExtra  view  authentication.k8s.io/v1  scopes}"),
        ("Impersonate_Group", "{Group  view    }"),
        ("Impersonate_Uid", "{UID  view  authentication.k8s.io/v1  }"),
    ],
)
async def test_part_of_an_identity_is_refused_rather_than_ignored(
    port: Port, header: str, asked: str
) -> None:
    """Or a request that means to give up rights would be answered with all of its sender's."""
    answer = await port.ask("GET", CONFIGMAPS, port.access.tokens.admin_token, **{header: "view"})
    assert answer.status_code == 400
    said = f"requested [{asked}] without impersonating a user"
    assert answer.json()["message"] == said


async def test_secret_values_are_not_readable_in_the_store(port: Port) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "stringData": {"password": "s3cret"},
    }
    path = "/api/v1/namespaces/default/secrets"
    assert (await port.ask("POST", path, port.access.tokens.admin_token, secret)).status_code == 201
    stored = [record.value for record in port.storage.scan("/core/secrets/")]
    assert len(stored) == 1
    assert b"s3cret" not in stored[0]
    assert b"czNjcmV0" not in stored[0]
    answer = await port.ask("GET", f"{path}/db", port.access.tokens.admin_token)
    assert answer.json()["data"] == {"password": "czNjcmV0"}


@needs_kubectl
@pytest.mark.timeout(20)
async def test_kubectl_tells_who_one_is_and_what_one_may(port: Port) -> None:
    ann, _ = port.access.tokens.issue(ANN, 60)
    assert "devs" in (await port.kubectl("auth", "whoami", token=ann))[1]
    code, said = await port.kubectl("auth", "can-i", "list", "secrets", token=ann)
    assert (code, said.strip()) == (1, "no")
    assert (await port.kubectl("auth", "can-i", "*", "*"))[1].strip() == "yes"
    assert (
        "selfsubjectreviews.authentication.k8s.io"
        in (await port.kubectl("auth", "can-i", "--list", token=ann))[1]
    )


@needs_kubectl
@pytest.mark.timeout(20)
async def test_kubectl_creates_from_protobuf_bodies(port: Port) -> None:
    for words in (
        ("create", "configmap", "settings", "--from-literal=size=small"),
        ("create", "secret", "generic", "db", "--from-literal=password=s3cret"),
        ("create", "clusterrole", "reader", "--verb=get", "--resource=configmaps"),
        ("create", "rolebinding", "readers", "--clusterrole=reader", "--serviceaccount=default:builder"),
    ):
        code, said = await port.kubectl(*words)
        assert code == 0, said
    builder = "--as=system:serviceaccount:default:builder"
    code, said = await port.kubectl("get", "configmap", "settings", "-o", "jsonpath={.data.size}", builder)
    assert (code, said) == (0, "small")


@needs_kubectl
@pytest.mark.timeout(20)
async def test_kubectl_explains_and_checks_kinds_from_both_openapi_versions(port: Port) -> None:
    for output in ("plaintext", "plaintext-openapiv2"):
        code, said = await port.kubectl("explain", f"--output={output}", "clusterroles.rules")
        assert code == 0, said
        assert "nonResourceURLs" in said
    question = '{"apiVersion": "review.roadbed.dev/v1alpha1", "kind": "PortalSession", "spec": {"expirationSeconds": 600}}'
    code, said = await port.kubectl("create", "-f", "-", "-o", "jsonpath={.status.token}", stdin=question)
    assert code == 0, said
    assert port.access.tokens.user_of(said).groups == ("roadbed:admins", "system:authenticated")
    misspelt = question.replace("expirationSeconds", "expireSeconds")
    code, said = await port.kubectl("create", "-f", "-", stdin=misspelt)
    assert code == 1
    assert "expireSeconds" in said
