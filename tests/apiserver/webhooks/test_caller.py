"""The caller of webhooks against a real TLS server on loopback: trust, time, size, addresses."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from roadbed.apiserver.certificates import Certificates
from roadbed.apiserver.webhooks import Caller, Target, WebhookCallError, config_causes
from roadbed.apiserver.webhooks.outbound import ForbiddenAddressError, resolve


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    made = Caller()
    yield made
    await made.close()


async def test_a_question_gets_its_answer_over_verified_tls_and_connections_are_kept(
    caller: Caller, webhook: Any
) -> None:
    target = Target.read(webhook.config("/judge"))
    for number in range(5):
        assert await caller.ask(target, {"n": number}, timeout_s=5) == {"n": number}
    assert webhook.connections == 1
    assert [path for path, _ in webhook.asked] == ["/judge?timeout=5s"] * 5


async def test_a_server_that_the_bundle_does_not_sign_is_not_asked(caller: Caller, webhook: Any) -> None:
    other = Certificates.open_folder(None, clock=lambda: datetime.now(UTC))
    bundle = base64.b64encode(other.ca_pem).decode()
    target = Target.read({"url": webhook.url, "caBundle": bundle})
    with pytest.raises(WebhookCallError, match="x509: certificate signed by unknown authority"):
        await caller.ask(target, {}, timeout_s=5)
    assert webhook.asked == []
    other.close()


async def test_a_server_with_another_name_is_not_asked(webhook: Any) -> None:
    caller = Caller({"shop/judge": f"127.0.0.1:{webhook.port}"})
    config = {"service": {"namespace": "shop", "name": "judge"}, "caBundle": webhook.ca_bundle}
    with pytest.raises(WebhookCallError, match=r"certificate is not valid for judge\.shop\.svc"):
        await caller.ask(Target.read(config), {}, timeout_s=5)
    await caller.close()


async def test_a_service_is_reached_only_where_the_server_was_told_its_address(
    caller: Caller, webhook: Any
) -> None:
    service = {"namespace": "default", "name": "kubernetes", "path": "/x", "port": 8443}
    config = {"service": service, "caBundle": webhook.ca_bundle}
    with pytest.raises(WebhookCallError, match="service default/kubernetes cannot be reached"):
        await caller.ask(Target.read(config), {}, timeout_s=5)
    told = Caller({"default/kubernetes:8443": f"127.0.0.1:{webhook.port}"})
    # The tests' certificate is valid for kubernetes.default.svc.
    assert await told.ask(Target.read(config), {"a": 1}, timeout_s=5) == {"a": 1}
    assert b"Host: kubernetes.default.svc:8443" in webhook.heads[0].replace(b"host:", b"Host:")
    await told.close()


async def test_an_answer_that_does_not_come_ends_at_the_timeout(caller: Caller, webhook: Any) -> None:
    async def never(_path: str, _question: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    webhook.answer = never
    with pytest.raises(WebhookCallError, match="context deadline exceeded"):
        await caller.ask(Target.read(webhook.config()), {}, timeout_s=0.1)


async def test_a_port_where_nobody_listens_refuses(caller: Caller) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        expected = rf"Post \"https://127.0.0.1:{port}/\?timeout=5s\": dial tcp 127.0.0.1:{port}: connect: "
        with pytest.raises(WebhookCallError, match=expected + "connection refused"):
            await caller.ask(Target.read({"url": f"https://127.0.0.1:{port}"}), {}, timeout_s=5)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
            "status code 302",
        ),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "could not find the requested resource"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\noops", r'an error on the server \("oops"\)'),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]", "not an object"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes", "json parse error"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n" + b"x" * 17_000_000, "larger than"),
        (b"garbage\r\n\r\n", "Post"),
    ],
)
async def test_what_is_no_answer_is_an_error(caller: Caller, webhook: Any, raw: bytes, expected: str) -> None:
    webhook.answer = lambda _path, _question: raw
    with pytest.raises(WebhookCallError, match=expected):
        await caller.ask(Target.read(webhook.config()), {}, timeout_s=5)


async def test_a_connection_closed_while_it_was_kept_costs_no_failure(caller: Caller, webhook: Any) -> None:
    target = Target.read(webhook.config())
    replies = iter([{"n": 1}, b"", {"n": 2}])
    webhook.answer = lambda _path, _question: next(replies)
    assert await caller.ask(target, {}, timeout_s=5) == {"n": 1}
    with pytest.raises(WebhookCallError):  # an empty reply keeps the connection open: nothing to retry
        await caller.ask(target, {}, timeout_s=0.05)
    assert await caller.ask(target, {}, timeout_s=5) == {"n": 2}


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
async def test_link_local_and_metadata_addresses_are_never_connected_to(host: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await resolve(host, 443)


async def test_loopback_and_private_addresses_are(caller: Caller) -> None:
    for host in ("127.0.0.1", "::1", "10.0.0.7"):
        assert await resolve(host, 443) == [host]
    with pytest.raises(WebhookCallError, match="no such host"):
        await caller.ask(Target.read({"url": "https://nowhere.invalid"}), {}, timeout_s=5)


@pytest.mark.parametrize(
    ("config", "field", "text"),
    [
        ({}, "c", "Required value: exactly one of url or service is required"),
        (
            {"url": "http://a"},
            "c.url",
            "'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        ({"url": "https://a/b?c=d"}, "c.url", "query parameters are not permitted in the URL"),
        ({"url": "https://u:secret@a/"}, "c.url", "user information is not permitted in the URL"),
        ({"service": {"name": "a"}}, "c.service.namespace", "Required value"),
        ({"service": {"name": "a", "namespace": "b", "port": 0}}, "c.service.port", "port is not valid"),
        (
            {"service": {"name": "a", "namespace": "b", "path": "x"}},
            "c.service.path",
            "must start with a '/'",
        ),
        ({"url": "https://a", "caBundle": "Zm9v"}, "c.caBundle", "unable to load root certificates"),
    ],
)
def test_a_client_config_is_judged_when_it_is_written(config: dict[str, Any], field: str, text: str) -> None:
    found = config_causes(config, "c")
    assert any(cause.field == field and text in cause.message for cause in found), found
    assert "secret" not in str(found)


def test_a_good_client_config_has_no_causes(webhook_certificates: Certificates) -> None:
    bundle = base64.b64encode(webhook_certificates.ca_pem).decode()
    assert config_causes({"url": "https://a:9443/b", "caBundle": bundle}, "c") == []
    assert config_causes({"service": {"name": "a", "namespace": "b", "path": "/c/d"}}, "c") == []
