"""What is told at /metrics: the names that dashboards know, only labels of what is served, and cheaply."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest

from roadbed.apimachinery.errors import ForbiddenError
from roadbed.apimachinery.instruments import Counter
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer
from roadbed.apiserver.metrics import Metrics

MAPS = "/api/v1/namespaces/default/configmaps"
LABELS = ("GET", "", "", "v1", "configmaps", "", "resource", "apiserver")
SAMPLE = re.compile(r'([a-z_:]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(server.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


class Samples:
    """One reading."""

    def __init__(self, text: str) -> None:
        self.found: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if not line.startswith("#"):
                match = SAMPLE.fullmatch(line)
                assert match is not None, line
                labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
                self.found.append((match[1], labels, float(match[3])))

    def sum(self, family: str, /, **labels: str) -> float:
        return sum(
            value for found, has, value in self.found if found == family and labels.items() <= has.items()
        )


async def read(http: httpx.AsyncClient) -> Samples:
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Samples(answer.text)


async def test_requests_are_counted_by_what_they_did(http: httpx.AsyncClient) -> None:
    body = {"metadata": {"name": "a"}}
    await http.post(MAPS, json=body)
    await http.post(f"{MAPS}?dryRun=All", json=body)
    await http.get(MAPS)
    await http.get("/api/v1/configmaps")
    await http.get(f"{MAPS}/absent")
    apply = {"content-type": "application/apply-patch+yaml"}
    await http.patch(
        f"{MAPS}/b?fieldManager=me",
        content=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}',
        headers=apply,
    )
    samples = await read(http)
    total = "apiserver_request_total"
    maps = {"resource": "configmaps", "group": "", "version": "v1", "component": "apiserver"}
    assert samples.sum(total, **maps, verb="POST", code="201", scope="resource", dry_run="") == 1
    assert samples.sum(total, **maps, verb="POST", code="409", dry_run="All") == 1
    assert samples.sum(total, **maps, verb="LIST", code="200", scope="namespace") == 1
    assert samples.sum(total, **maps, verb="LIST", code="200", scope="cluster") == 1
    assert samples.sum(total, **maps, verb="GET", code="404", scope="resource") == 1
    assert samples.sum(total, **maps, verb="APPLY", code="201") == 1
    assert samples.sum("apiserver_request_duration_seconds_count", **maps, verb="LIST") == 2
    assert samples.sum("apiserver_response_sizes_count", **maps, verb="LIST") == 2
    assert samples.sum("apiserver_storage_objects", resource="configmaps") == 2
    assert samples.sum("etcd_request_duration_seconds_count", operation="create", resource="configmaps") == 2
    assert samples.sum("apiserver_current_inflight_requests", request_kind="readOnly") == 1  # this one
    assert samples.sum("apiserver_current_inflight_requests", request_kind="mutating") == 0
    assert samples.sum("process_resident_memory_bytes") > 1_000_000
    assert samples.sum("process_cpu_seconds_total") > 0


async def test_no_client_makes_names(http: httpx.AsyncClient) -> None:
    """Or an attacker would fill memory with label values."""
    for number in range(20):
        await http.get(f"/api/v1/namespaces/x/mine-{number}/y")
        await http.get(f"/mine-{number}")
        await http.get(f"{MAPS}/a/mine-{number}")
        await http.request(f"MINE{number}", "/version")
    text = (await http.get("/metrics")).text
    assert "mine" not in text.lower()


async def test_open_watches_and_their_events_are_counted(wires: Any, api: Any, server: ApiServer) -> None:
    wire = await wires()
    await wire.say(f"GET {MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await api.create(CONFIGMAPS, {"metadata": {"name": "seen", "namespace": "default"}})
    await wire.reader.readuntil(b'"name":"seen"')
    other = await wires()
    await other.say(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    samples = Samples((await other.hear())[2].decode())
    running = {"verb": "WATCH", "resource": "configmaps", "scope": "namespace"}
    assert samples.sum("apiserver_longrunning_requests", **running) == 1
    assert samples.sum("apiserver_watch_events_total", resource="configmaps") >= 1
    assert samples.sum("apiserver_current_inflight_requests") == 1
    wire.close()
    await other.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await other.hear()


async def test_who_may_not_read_metrics_is_refused(
    http: httpx.AsyncClient, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(user: Any, attributes: Any) -> None:
        assert (attributes.verb, attributes.path) == ("get", "/metrics")
        raise ForbiddenError("no")

    monkeypatch.setattr(server._core.authorizer, "check", check)
    assert (await http.get("/metrics")).status_code == 403


async def test_other_rooms_print_theirs_too(http: httpx.AsyncClient, server: ApiServer) -> None:
    counter = Counter("workqueue_adds_total", "Adds.", ["name"])
    counter.add(("databases",))
    server.add_instrument(counter)
    assert (await read(http)).sum("workqueue_adds_total", name="databases") == 1


def test_counting_a_request_costs_less_than_ten_microseconds() -> None:
    metrics = Metrics()
    rounds = 2_000
    fastest_s = 1.0
    for _ in range(5):  # the best of some: other processes run here too
        began = time.perf_counter()
        for _ in range(rounds):
            moment = metrics.begin(is_mutating=False)
            metrics.end(LABELS, moment, code=200, size_bytes=500, is_mutating=False)
        fastest_s = min(fastest_s, (time.perf_counter() - began) / rounds)
    assert fastest_s < 10e-6
