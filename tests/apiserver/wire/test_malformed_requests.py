"""Requests that no client means well, byte by byte: answered once, never a 500, never read as two."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer

pytestmark = pytest.mark.acceptance

MAPS = b"/api/v1/namespaces/default/configmaps"
BODY = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"}}'
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
SMUGGLED = b"DELETE " + MAPS + b"/kept HTTP/1.1\r\nHost: x\r\n\r\n"


def get(
    *headers: bytes, path: bytes = b"/version", version: bytes = b"1.1", host: bytes = b"Host: x"
) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/%b" % (path, version), *filter(None, (host, *headers)), b"", b""])


def post(*headers: bytes, body: bytes = BODY) -> bytes:
    lines = [
        b"POST " + MAPS + b" HTTP/1.1",
        b"Host: x",
        b"Content-Type: application/json",
        *headers,
        b"",
        body,
    ]
    return b"\r\n".join(lines)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


def line(content: bytes) -> bytes:
    return content + b"\r\nHost: x\r\n\r\n"


SIZE = b"%x" % len(BODY)
END = b"0\r\n\r\n"
REFUSED = {
    "a length and chunks": post(LENGTH, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "chunks and a length": post(
        b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "two lengths": post(LENGTH, b"Content-Length: 3"),
    "the same length twice": post(LENGTH, LENGTH),
    "a list of lengths": post(LENGTH + b", %d" % len(BODY)),
    "a length with a sign": post(b"Content-Length: +%d" % len(BODY)),
    "a negative length": post(b"Content-Length: -1"),
    "a length in hex": post(b"Content-Length: 0x10"),
    "a length beyond all bounds": post(b"Content-Length: 99999999999999999999999"),
    "an unknown encoding": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "compressed chunks": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunks that end as something else": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunks twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a vertical tab before the encoding": post(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"),
    "a blank before the colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "chunks of HTTP/1.0": post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n").replace(b"1.1", b"1.0"),
    "a chunk larger than any number": post(b"Transfer-Encoding: chunked", body=b"ffffffffffffffffff\r\n"),
    "a chunk without a size": post(b"Transfer-Encoding: chunked", body=b"zz\r\n"),
    "chunks that end lines with LF": post(b"Transfer-Encoding: chunked", body=CHUNK.replace(b"\r\n", b"\n")),
    "a folded header": get(b"X-A: b\r\n c"),
    "lines that end with LF": get().replace(b"\r\n", b"\n"),
    "a CR inside a header": get(host=b"Host: x\rX: y"),
    "a NUL in a header": get(b"X: a\0b"),
    "a NUL in a name": get(b"X\0: a"),
    "bytes in the address": get(path=b"/api/v1/\xff\xfe"),
    "a blank in the address": get(path=b"/version x"),
    "no Host": get(host=b""),
    "two Hosts": get(b"Host: y"),
    "HTTP/0.9": b"GET /version\r\n\r\n",
    "HTTP/2 in the clear": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": get(version=b"9.9"),
    "an upgrade with a body": post(LENGTH, b"Connection: Upgrade", b"Upgrade: h2c"),
    "a tunnel": b"CONNECT a.b:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get /version HTTP/1.1\r\nHost: x\r\n\r\n",
    "a head that is too large": get(*(b"X%d: y" % number for number in range(10_000))),
    "an address that is too long": get(path=b"/" + b"a" * 100_000),
    "an empty length": post(b"Content-Length:"),
    "a length of two numbers": post(b"Content-Length: 5 5"),
    "a length with an underscore": post(b"Content-Length: 6_5"),
    "a length with a point": post(b"Content-Length: 65.0"),
    "a length in other digits": post("Content-Length: \u0666\u0665".encode()),
    "an empty encoding": post(b"Transfer-Encoding:", body=END),
    "a quoted encoding": post(b'Transfer-Encoding: "chunked"', body=END),
    "an encoding with a comma": post(b"Transfer-Encoding: chunked,", body=END),
    "an encoding with a parameter": post(b"Transfer-Encoding: chunked;a=b", body=END),
    "an encoding and a NUL": post(b"Transfer-Encoding: chunked\0", body=END),
    "an encoding on the next line": post(b"Transfer-Encoding:\r\n chunked", body=END),
    "an encoding behind a LF": post(b"X: y\nTransfer-Encoding: chunked", body=END),
    "a tab before the colon": post(b"Transfer-Encoding\t: chunked", body=END),
    "no encoding at all, by name": post(b"Transfer-Encoding: identity", LENGTH),
    "a chunk with 0x": chunked(b"0x" + CHUNK + END),
    "a chunk with a sign": chunked(b"+" + CHUNK + END),
    "a negative chunk": chunked(b"-" + CHUNK + END),
    "a blank before a chunk": chunked(b" " + CHUNK + END),
    "a blank behind a chunk's size": chunked(CHUNK.replace(b"\r\n", b" \r\n", 1) + END),
    "a line before the first chunk": chunked(b"\r\n" + CHUNK + END),
    "a LF in a chunk's extension": chunked(SIZE + b";a\nb\r\n" + BODY + b"\r\n" + END),
    "a CR in a chunk's extension": chunked(SIZE + b";a\rb\r\n" + BODY + b"\r\n" + END),
    "a NUL in a chunk's extension": chunked(SIZE + b";a=\0\r\n" + BODY + b"\r\n" + END),
    "an extension whose quote has no end": chunked(SIZE + b';a="\r\n' + BODY + b"\r\n" + END),
    "a chunk longer than its size": chunked(SIZE + b"\r\n" + BODY + b"XX\r\n" + END),
    "a chunk without an end": chunked(SIZE + b"\r\n" + BODY + END),
    "a chunk that ends with LF": chunked(SIZE + b"\r\n" + BODY + b"\n" + END),
    "a chunk that ends with two CR": chunked(SIZE + b"\r\n" + BODY + b"\r\r" + END),
    "a last chunk that ends with LF": chunked(CHUNK + b"0\n\n"),
    "a last chunk that ends with half a line": chunked(CHUNK + b"0\r\n\rX"),
    "a trailer that ends with LF": chunked(CHUNK + b"0\r\nA: b\n\r\n"),
    "a folded trailer": chunked(CHUNK + b"0\r\nA: b\r\n c\r\n\r\n"),
    "a length as a trailer": chunked(CHUNK + b"0\r\nContent-Length: 5\r\n\r\n"),
    "an encoding as a trailer": chunked(CHUNK + b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "a tab in the first line": line(b"GET\t/version HTTP/1.1"),
    "a blank behind the first line": line(b"GET /version HTTP/1.1 "),
    "no version": line(b"GET /version"),
    "no address": line(b"GET HTTP/1.1"),
    "HTTP/1.10": get(version=b"1.10"),
    "a version in small letters": line(b"GET /version http/1.1"),
    "a relative address": get(path=b"version"),
    "a control character in the address": get(path=b"/ver\x01sion"),
    "a method without end": line(b"A" * 100_000 + b" / HTTP/1.1"),
    "a blank before the first line": b" " + get(),
    "a blank before the first header": get(host=b" Host: x"),
    "a header without a name": get(b": a"),
    "a header without a colon": get(b"X"),
    "a blank in a name": get(b"X Y: a"),
    "brackets in a name": get(b"X(Y): a"),
    "a control character in a header": get(b"Audit-Id: a\x01b"),
    "DEL in a header": get(b"User-Agent: a\x7f"),
    "a blank in the host": get(host=b"Host: a b"),
    "a path in the host": get(host=b"Host: a/b"),
    "lines that end with CR": get().replace(b"\r\n", b"\r"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
}


async def test_a_malformed_request_is_refused_and_ends_its_connection(
    wires: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What follows on the connection must not be read as a request: two servers might disagree where it begins."""
    with caplog.at_level(logging.INFO):
        found = {case: await (await wires()).codes(content) for case, content in REFUSED.items()}
    assert {case: codes for case, codes in found.items() if codes != [400]} == {}
    assert not caplog.records, "what clients do wrong would fill the log"


ANSWERED = {
    "a chunk with an extension": (post(b"Transfer-Encoding: chunked", body=CHUNK.replace(b"\r\n", b";a=b\r\n", 1) + b"0\r\n\r\n"), 201),
    "a body in chunks": (post(b"Transfer-Encoding: chunked", body=CHUNK + b"0\r\n\r\n"), 201),
    "a whole address": (get(path=b"http://elsewhere/version"), 200),
    "options of everything": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a trace": (b"TRACE /version HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "a method of WebDAV": (b"PROPFIND /version HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "bytes in headers": (get(b"User-Agent: \xf0\x9f\x92\xa9", b"X: \xff\xfe"), 200),
    "bytes in the user agent of a write": (post(LENGTH, b"User-Agent: \xf0\x9f\x92\xa9"), 201),
    "a length with zeros first": (post(b"Content-Length: 00%d" % len(BODY)), 201),
    "an encoding in capitals": (post(b"Transfer-Encoding: CHUNKED", body=CHUNK + END), 201),
    "a quoted extension": (chunked(SIZE + b';a="b;c"\r\n' + BODY + b"\r\n" + END), 201),
    "a header that only looks like an encoding": (post(b"Transfer_Encoding: chunked", LENGTH), 201),
    "a compressed body that is none": (post(LENGTH, b"Content-Encoding: gzip"), 201),
    "two types of one body": (post(LENGTH, b"Content-Type: text/plain"), 415),
    "two names for the log": (get(b"Audit-Id: a", b"Audit-Id: b"), 200),
    "bytes in the name for the log": (get(b"Audit-Id: \xff\t"), 200),
    "no name of the host": (get(host=b"Host:"), 200),
    "an address as the host": (get(host=b"Host: [::1]:6443"), 200),
    "odd escapes in the address": (get(path=b"/api/v1/namespaces/%ff%00%zz"), 404),
    "empty lines first": (b"\r\n\r\n" + get(), 200),
    "two thousand headers": (get(*(b"X%d: y" % number for number in range(2_000))), 200),
    "a GET with a body": (get(b"Content-Length: 5") + b"hello", 200),
    "no body where one is needed": (post(b"Content-Length: 0", body=b""), 400),
}  # fmt: skip


async def test_an_odd_but_clear_request_is_answered_and_so_is_the_next(wires: Any, api: Any) -> None:
    found = {}
    for case, (content, _) in ANSWERED.items():
        found[case] = await (await wires()).codes(content)
        await api.ask("deletecollection", CONFIGMAPS, namespace="default")
    assert found == {case: [code, 200] for case, (_, code) in ANSWERED.items()}


async def test_an_upgrade_is_answered_as_if_nobody_had_asked_and_the_connection_ends(wire: Any) -> None:
    assert await wire.codes(get(b"Connection: Upgrade", b"Upgrade: websocket")) == [200]


async def test_nothing_is_done_after_the_last_request_of_a_connection(wires: Any, api: Any) -> None:
    await api.create(CONFIGMAPS, {"metadata": {"name": "kept", "namespace": "default"}})
    for last in (
        get(b"Connection: close"),
        get(b"Connection: x, CLOSE"),
        get(version=b"1.0"),
        get(b"Connection: keep-alive", version=b"1.0"),
    ):
        assert await (await wires()).codes(last + SMUGGLED) == [200]
    assert (await api.get(CONFIGMAPS, "kept", "default"))["kind"] == "ConfigMap"


async def test_pipelined_requests_are_answered_in_order(wire: Any) -> None:
    paths = [b"/version", b"/nope", b"/healthz", b"/api/v1/nopes"] * 20
    assert await wire.codes(b"".join(get(path=path) for path in paths)) == [200, 404, 200, 404] * 20 + [200]


async def test_a_flood_of_pipelined_requests_is_cut_off(wire: Any) -> None:
    await wire.say(get(path=b"/healthz") * 5_000)
    assert len(await wire.hear_all()) < 600 * 300


async def test_a_trailer_says_nothing_about_its_request_or_the_next(wire: Any, server: ApiServer) -> None:
    trailers = b"0\r\nUser-Agent: smuggler\r\nAccept: text/html\r\n\r\n"
    await wire.say(post(b"Transfer-Encoding: chunked", body=CHUNK + trailers) + get())
    made, _, body = await wire.hear()
    assert made == 201
    assert b"smuggler" not in body
    assert (await wire.hear())[0] == 200


async def test_trailers_without_end_are_cut_off(wire: Any) -> None:
    await wire.say(post(b"Transfer-Encoding: chunked", body=CHUNK + b"0\r\n"))
    for _ in range(200):
        await wire.say(b"X: y\r\n" * 1_000)
    assert b"400 Bad Request" in (await wire.hear_all())[:100] or wire.reader.at_eof()


async def test_a_body_that_nobody_reads_ends_the_connection(wire: Any) -> None:
    await wire.say(get(b"Content-Length: 999999999"))
    assert (await wire.hear())[0] == 200
    for _ in range(40):
        await wire.say(b"z" * 500_000)
    assert await wire.hear_all() == b""


async def test_a_client_that_asks_whether_to_go_on_is_told_to(wire: Any) -> None:
    await wire.say(post(LENGTH, b"Expect: 100-continue", body=b""))
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.say(BODY)
    assert (await wire.hear())[0] == 201


async def test_a_client_that_asks_first_is_refused_before_it_sends_too_much(wire: Any) -> None:
    await wire.say(post(b"Content-Length: 9999999", b"Expect: 100-continue", body=b""))
    assert (await wire.hear())[0] == 413


async def test_a_body_in_dribbles_arrives(wire: Any) -> None:
    await wire.say(post(LENGTH, body=b""))
    for byte in BODY:
        await wire.say(bytes([byte]))
    assert (await wire.hear())[0] == 201


async def test_the_answer_to_head_has_no_body(wire: Any) -> None:
    assert await wire.codes(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == [200, 200]
