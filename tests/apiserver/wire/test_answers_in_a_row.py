"""Answers one after another: each is its own, whatever came before it and wherever clients gave up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer
from roadbed.testing import eventually

MAPS = b"/api/v1/namespaces/default/configmaps"
BODY = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"}}'
POST = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


def made(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "made", "namespace": "default", "labels": labels}}


async def test_the_head_of_a_watch_does_not_grow_with_the_watches_before_it(wires: Any) -> None:
    """It once carried the audit ids of all watches since the start; at 100 KiB clients called it garbage."""
    heads = []
    for number in range(5):
        wire = await wires()
        await wire.say(b"GET %b?watch=1 HTTP/1.1\r\nHost: x\r\nAudit-Id: id-%d\r\n\r\n" % (MAPS, number))
        heads.append(await wire.reader.readuntil(b"\r\n\r\n"))
    for number, head in enumerate(heads):
        names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")]
        assert len(names) == len(set(names) | {b""}) + 1, head  # two empty ends
        assert b"id-%d\r\n" % number in head


FAULTS = {
    "no request at all": b"\x16\x03\x01\x02\r\n\r\n",
    "a faulty head": b"GET /version HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a faulty body": b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % MAPS,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_malformed_request_is_not_refused_before_the_one_ahead_of_it_is_answered(
    wire: Any, fault: bytes
) -> None:
    """Or a proxy would give the refusal to whom the first answer belongs."""
    await wire.say(POST % (MAPS, b"application/json", len(BODY)) + BODY + GET % b"/version" + fault)
    assert [(await wire.hear())[0] for _ in range(3)] == [201, 200, 400]
    assert await wire.hear_all() == b""


async def test_a_body_that_turns_out_malformed_gets_one_answer_and_nothing_is_done(
    wire: Any, api: Any
) -> None:
    head = b"DELETE %b/made HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % MAPS
    await api.create(CONFIGMAPS, made())
    await wire.say(head)
    await asyncio.sleep(0)
    await wire.say(b"zz\r\n")
    assert (await wire.hear())[0] == 400
    assert await wire.hear_all() == b""
    assert await api.get(CONFIGMAPS, "made", "default")


CUT = {
    "a delete without its preconditions": b"DELETE %b/made HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
    % MAPS,
    "a collection's delete in the middle of its options": b"DELETE %b HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/yaml\r\nContent-Length: 50\r\n\r\nkind: DeleteOptions\n" % MAPS,
    "an apply without its end": b"PATCH %b/made?fieldManager=m&force=true HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/apply-patch+yaml\r\nContent-Length: 999\r\n\r\n"
    b"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n" % MAPS,
}


async def test_a_request_whose_client_went_away_before_its_end_is_not_carried_out(
    wires: Any, api: Any, server: ApiServer
) -> None:
    """What did come may read as a whole request: a delete without its preconditions, half a manifest."""
    before = await api.create(CONFIGMAPS, made())
    for cut in CUT.values():
        wire = await wires()
        await wire.say(cut)
        await eventually(lambda: running(server, 1))
        wire.close()
        await eventually(lambda: running(server, 0))
    assert await api.get(CONFIGMAPS, "made", "default") == before


async def test_a_watch_ends_with_its_connection_whatever_was_asked_behind_it(
    wire: Any, server: ApiServer
) -> None:
    """Only the newest request of a connection used to hear of its end; the watch went on for an hour."""
    cache = server._registry.get("", "v1", "configmaps").cache
    await wire.say(GET % (MAPS + b"?watch=1") + GET % b"/version" + GET % b"/version")
    await wire.reader.readuntil(b"\r\n\r\n")
    assert len(cache._watchers) == 1
    wire.close()

    async def ended() -> bool:
        return not cache._watchers

    await eventually(ended, within_s=1)


async def running(server: ApiServer, requests: int) -> bool:
    """Say whether that many requests are in work; asking is none of them."""
    text = server._core.metrics.text().decode()
    counts = [line for line in text.splitlines() if line.startswith("apiserver_current_inflight_requests{")]
    return sum(float(line.rpartition(" ")[2]) for line in counts) == requests
