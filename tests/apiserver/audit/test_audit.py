"""The audit log: what is kept of which request, in which form, and what happens where it can't be written."""

from __future__ import annotations

import base64
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.request import User
from roadbed.apis.core import CONFIGMAPS, SECRETS
from roadbed.apiserver.audit import AuditLog, Auditor, Policy, PolicyError, Rotation
from roadbed.apiserver.ports import Attributes
from roadbed.client import Client
from roadbed.testing import ControlPlane, control_plane

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = User("ann", ("devs", "system:authenticated"))


def policy(*rules: dict[str, Any], **members: Any) -> Policy:
    return Policy.of({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **members})


@asynccontextmanager
async def audited(folder: Path, rules: Policy) -> AsyncIterator[tuple[ControlPlane, Callable[[], list[Any]]]]:
    """Run a control plane that records; gives what was recorded since, the log closed."""
    async with control_plane(crds=()) as plane:
        log = AuditLog(folder / "audit.log")
        plane.server.audit(Auditor(rules, log, lambda: NOW, plane.access.authorizer.explain))

        def events() -> list[Any]:
            log.close()
            return [orjson.loads(line) for line in (folder / "audit.log").read_bytes().splitlines()]

        yield plane, events


ROOT = User("root", ("system:masters",))


def client(plane: ControlPlane, user: User = ROOT) -> Client:
    return plane.as_user(user)


def configmap(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


async def http(plane: ControlPlane, path: str, **headers: str) -> int:
    """Ask over ASGI, as a listener would; gives the code."""
    sent: list[dict[str, Any]] = []
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await plane.server.asgi(scope, receive, send)
    code: int = sent[0]["status"]
    return code


async def test_a_create_is_two_events_with_who_what_and_what_came_of_it(tmp_path: Path) -> None:
    async with audited(tmp_path, policy({"level": "Metadata"})) as (plane, events):
        await client(plane).create(CONFIGMAPS, configmap("a"))
        first, last = events()
    assert (first["stage"], last["stage"]) == ("RequestReceived", "ResponseComplete")
    assert first["auditID"] == last["auditID"]
    assert last["objectRef"] == {
        "resource": "configmaps",
        "namespace": "default",
        "name": "a",
        "apiVersion": "v1",
    }
    assert last["user"] == {"username": "root", "groups": ["system:masters"]}
    assert last["responseStatus"] == {"metadata": {}, "code": 201}
    assert last["annotations"] == {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": "",
    }
    assert last["requestURI"].startswith("/api/v1/namespaces/default/configmaps")
    assert "requestObject" not in last


async def test_bodies_are_kept_as_far_as_the_level_says(tmp_path: Path) -> None:
    rules = policy(
        {
            "level": "Request",
            "resources": [{"group": "", "resources": ["configmaps"], "resourceNames": ["a"]}],
        },
        {"level": "RequestResponse"},
        omitStages=["RequestReceived"],
        omitManagedFields=True,
    )
    async with audited(tmp_path, rules) as (plane, events):
        root = client(plane)
        await root.create(CONFIGMAPS, configmap("b"))
        await root.patch(CONFIGMAPS, "b", {"data": {"x": "y"}}, namespace="default")
        created, patched = events()
    assert created["requestObject"]["metadata"]["name"] == "b"
    assert created["responseObject"]["metadata"]["uid"]
    assert patched["requestObject"] == {"data": {"x": "y"}}
    assert patched["responseObject"]["data"] == {"x": "y"}
    assert "managedFields" not in patched["responseObject"]["metadata"]


async def test_no_policy_brings_a_secret_into_the_log(tmp_path: Path) -> None:
    """Kubernetes would write them; its documentation tells everybody not to let it."""
    hidden = base64.b64encode(b"hunter2").decode()
    secret = {**configmap("s"), "kind": "Secret", "data": {"password": hidden}}
    async with audited(tmp_path, policy({"level": "RequestResponse"})) as (plane, events):
        root = client(plane)
        await root.create(SECRETS, secret)
        await root.patch(SECRETS, "s", {"stringData": {"more": "hunter3"}}, namespace="default")
        await root.list(SECRETS)
        found = events()
    assert {event["level"] for event in found} == {"Metadata"}
    written = (tmp_path / "audit.log").read_text()
    assert not any(word in written for word in (hidden, "hunter2", "hunter3"))
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


async def test_a_refusal_says_so_with_its_reason(tmp_path: Path) -> None:
    rules = policy({"level": "Metadata"}, omitStages=["RequestReceived"])
    async with audited(tmp_path, rules) as (plane, events):
        with suppress(ApiError):
            await client(plane, ANN).get(CONFIGMAPS, "a", "default")
        with suppress(NotFoundError):
            await client(plane).get(CONFIGMAPS, "a", "default")
        refused, missing = events()
    assert (refused["responseStatus"]["code"], refused["responseStatus"]["reason"]) == (403, "Forbidden")
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert missing["responseStatus"]["message"] == 'configmaps "a" not found'
    assert missing["annotations"]["authorization.k8s.io/decision"] == "allow"


async def test_over_http_the_address_the_agent_and_the_impersonated_are_kept(tmp_path: Path) -> None:
    rules = policy({"level": "RequestResponse"}, omitStages=["RequestReceived"])
    async with audited(tmp_path, rules) as (plane, events):
        bearer = f"Bearer {plane.access.tokens.admin_token}"
        path = "/api/v1/namespaces/default/configmaps?limit=5"
        headers = {"authorization": bearer, "user_agent": "kubectl/v1", "audit_id": "mine"}
        assert await http(plane, path, **headers, impersonate_user="ann") == 403
        assert await http(plane, "/version", authorization=bearer) == 200
        refused, version = events()
    assert (refused["requestURI"], refused["auditID"], refused["userAgent"]) == (path, "mine", "kubectl/v1")
    assert refused["user"]["username"] == "admin"
    assert refused["impersonatedUser"] == {"username": "ann", "groups": ["system:authenticated"]}
    assert refused["sourceIPs"] == ["127.0.0.1"]
    assert refused["responseObject"]["reason"] == "Forbidden"
    assert (version["verb"], "objectRef" in version) == ("get", False)


async def test_who_cannot_be_told_is_recorded_as_nobody(tmp_path: Path) -> None:
    async with audited(tmp_path, policy({"level": "Metadata"})) as (plane, events):
        assert await http(plane, "/api/v1/namespaces", authorization="Bearer wrong") == 401
        (event,) = events()
    assert (event["stage"], event["user"], event["responseStatus"]["code"]) == ("ResponseStarted", {}, 401)
    assert "wrong" not in orjson.dumps(event).decode()


@pytest.mark.parametrize(
    ("rule", "asked", "fits"),
    [
        ({}, Attributes("get", "", "pods"), True),
        ({"users": ["ann"]}, Attributes("get", "", "pods"), True),
        ({"users": ["bob"]}, Attributes("get", "", "pods"), False),
        ({"userGroups": ["devs"]}, Attributes("get", "", "pods"), True),
        ({"verbs": ["list"]}, Attributes("get", "", "pods"), False),
        ({"namespaces": ["shop"]}, Attributes("get", "", "pods", "", "shop"), True),
        ({"namespaces": ["shop"]}, Attributes("get", "", "nodes"), False),
        ({"namespaces": [""]}, Attributes("get", "", "nodes"), True),
        ({"resources": [{"group": ""}]}, Attributes("get", "apps", "deployments"), False),
        ({"resources": [{"group": "apps"}]}, Attributes("get", "apps", "deployments"), True),
        ({"resources": [{"resources": ["pods"]}]}, Attributes("get", "", "pods", "log"), False),
        ({"resources": [{"resources": ["pods/log"]}]}, Attributes("get", "", "pods", "log"), True),
        ({"resources": [{"resources": ["pods/*"]}]}, Attributes("get", "", "pods", "log"), True),
        ({"resources": [{"resources": ["*/log"]}]}, Attributes("get", "", "pods", "log"), True),
        ({"resources": [{"resources": ["*"]}]}, Attributes("get", path="/healthz"), False),
        ({"nonResourceURLs": ["/healthz*"]}, Attributes("get", path="/healthz/x"), True),
        ({"nonResourceURLs": ["/healthz"]}, Attributes("get", path="/healthz/x"), False),
        ({"nonResourceURLs": ["*"]}, Attributes("get", "", "pods"), False),
    ],
)
def test_rules_fit_as_in_kubernetes(rule: dict[str, Any], asked: Attributes, fits: bool) -> None:
    found = policy({"level": "None", "verbs": ["never"]}, {"level": "Metadata", **rule}).decide(ANN, asked)
    assert (found.level > 0) is fits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "kind must be Policy"),
        ({"kind": "Policy", "apiVersion": "v1", "rules": []}, "write audit.k8s.io/v1"),
        ({"rules": []}, "at least one rule"),
        ({"rules": [{"level": "All"}]}, "rules\\[0\\].level 'All' is unknown: use None, Metadata"),
        ({"rules": [{"level": "None", "verbs": "get"}]}, "rules\\[0\\].verbs must be a list"),
        ({"rules": [{"level": ["None"]}]}, "rules\\[0\\].level .* is unknown"),
        ({"rules": [{"level": "None", "userGroups": [["a"]]}]}, "userGroups must be a list of texts"),
        ({"rules": [{"level": "None", "nonResourceURLs": [1]}]}, "nonResourceURLs must be a list of texts"),
        ({"rules": [{"level": "None", "omitStages": 1}]}, "omitStages must be a list of texts"),
        (
            {"rules": [{"level": "None", "resources": [{"resources": [{}]}]}]},
            "resources\\[0\\].resources must be a list of texts",
        ),
        ({"rules": [{"level": "None", "omitStages": ["End"]}]}, "'End' is unknown"),
        ({"rules": [{"level": "None", "namespaces": ["a"], "nonResourceURLs": ["/"]}]}, "not for both"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_place(value: Any, text: str) -> None:
    if isinstance(value, dict):
        value = {"kind": "Policy", "apiVersion": "audit.k8s.io/v1", **value}
    with pytest.raises(PolicyError, match=text):
        Policy.of(value)


def test_a_full_file_is_set_aside_and_old_ones_go(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log", Rotation(max_size_mb=1, max_backups=2))
    line = b"x" * 300_000 + b"\n"
    for _ in range(20):
        log.write(line)
    log.close()
    assert (tmp_path / "audit.log").stat().st_size <= 1024 * 1024
    assert len(list(tmp_path.glob("audit-*.log"))) <= 2
    assert log.dropped == 0


class FullDisk:
    """A file on a disk that is full."""

    def write(self, _: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Nothing is held."""


def test_what_cannot_be_written_is_dropped_and_counted_and_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AuditLog(tmp_path / "audit.log", queued=4)
    log._file.close()
    log._file = FullDisk()  # type: ignore[assignment]
    for _ in range(500):
        log.write(b"x\n")
    log.close()
    assert log.dropped == 500
    assert "audit events are lost" in caplog.text
