"""Answers one after another: each is its own, whatever came before it and wherever clients gave up."""

from __future__ import annotations

from typing import Any

MAPS = b"/api/v1/namespaces/default/configmaps"


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
