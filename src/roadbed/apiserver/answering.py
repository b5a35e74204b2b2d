"""Sending one whole answer: in the form that was negotiated, compressed where that was asked for and pays.

Used by ``asgi`` and ``documents``, which have every answer as JSON bytes. Plain JSON, which nearly all answers are,
goes out as it is; a large answer that must be re-written or compressed is worked on in a thread, so that the loop
goes on. Compression is Kubernetes': level 1, from 128 KiB on.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from roadbed.apimachinery.errors import ApiError

from . import negotiation, protobufwrite, yamlwrite
from .negotiation import Form

Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

GZIP_BYTES: Final = 128 * 1024  # what is smaller is sent as it is, as in Kubernetes
THREAD_BYTES: Final = 64 * 1024  # re-writing more than this takes longer than the way to a thread and back
NO_CACHE: Final[Header] = (b"cache-control", b"no-cache, private")
TEXT: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")
NO_SNIFFING: Final[Header] = (b"x-content-type-options", b"nosniff")
MOST_WARNED: Final = 4096  # characters of all warnings together, from where on each is cut
LONGEST_WARNING: Final = 256  # characters, where they are cut
_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f]"
)  # would end a header or its value: such a warning is not told
_MISSING: Final = b"404 page not found\n"
_JSON: Final[Header] = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Manner:
    """How the one who asked wants the answer."""

    form: Form = negotiation.PLAIN
    is_pretty: bool = False
    takes_gzip: bool = False

    @property
    def is_plain(self) -> bool:
        """Say whether JSON bytes can go out as they are."""
        return self.form.encoding == "json" and not self.is_pretty


PLAIN: Final = Manner()


async def respond(
    send: Send,
    status: int,
    body: bytes,
    manner: Manner = PLAIN,
    *,
    warnings: Iterable[str] = (),
    extra: Iterable[Header] = (NO_CACHE,),
) -> int:
    """Send JSON bytes as ``manner`` says; gives the size before compression.

    Raises:
        NotAcceptableError: the kind has no protobuf form; nothing was sent.
    """
    content_type = _JSON
    if not manner.is_plain:
        body = await written(body, manner)
        content_type = (b"content-type", manner.form.media_type.encode())
    headers = [content_type, *extra]
    if warnings:
        headers.extend(warned(warnings))
    return await send_bytes(send, status, body, headers, takes_gzip=manner.takes_gzip)


async def send_bytes(
    send: Send, status: int, body: bytes, headers: list[Header], *, takes_gzip: bool = False
) -> int:
    """Send bytes of any type; gives their size before compression."""
    size_bytes = len(body)
    if takes_gzip and size_bytes > GZIP_BYTES:
        body = await asyncio.to_thread(compressed, body)
        headers = [*_with_vary(headers), (b"content-encoding", b"gzip")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return size_bytes


async def refuse(send: Send, error: ApiError, manner: Manner = PLAIN) -> int:
    """Send an error as its Status; gives the size."""
    extra = [NO_CACHE]
    if error.retry_after_s:
        extra.append((b"retry-after", str(error.retry_after_s).encode()))
    if error.code == 401:
        extra.append((b"www-authenticate", b'Bearer realm="roadbed"'))
    body = orjson.dumps(error.to_status())
    return await respond(send, error.code, body, manner, warnings=error.warnings, extra=extra)


async def miss(send: Send) -> int:
    """Send the plain text for an address that nobody serves; gives the size."""
    return await send_bytes(send, 404, _MISSING, [TEXT, NO_CACHE, NO_SNIFFING])


async def written(body: bytes, manner: Manner) -> bytes:
    """Give JSON bytes in another form."""
    if len(body) > THREAD_BYTES:
        return await asyncio.to_thread(_written, body, manner)
    return _written(body, manner)


def compressed(body: bytes) -> bytes:
    """Give a body as gzip, at the level that costs least."""
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(body) + packer.flush()


def _written(body: bytes, manner: Manner) -> bytes:
    if manner.form.encoding == "yaml":
        return yamlwrite.dump(orjson.loads(body))
    if manner.form.encoding == "protobuf":
        return protobufwrite.encode(body)
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)


def _with_vary(headers: list[Header]) -> list[Header]:
    if not any(name == b"vary" for name, _ in headers):
        return [*headers, (b"vary", b"Accept-Encoding")]
    return [
        (name, b"%b, Accept-Encoding" % value)
        if name == b"vary" and b"Accept-Encoding" not in value
        else (name, value)
        for name, value in headers
    ]


def warned(warnings: Iterable[str]) -> list[Header]:
    """Give the headers that tell a client's user something, whatever became of the request.

    Each warning once, and all of them cut where they are long together.

    Source: k8s.io/apiserver/pkg/endpoints/filters/warning.go and k8s.io/apimachinery/pkg/util/net/http.go.
    """
    found = [each for each in dict.fromkeys(warnings) if each and not _CONTROL.search(each)]
    if sum(map(len, found)) <= MOST_WARNED:
        return [_warning(each) for each in found]
    kept: list[Header] = []
    left = MOST_WARNED
    for each in found:
        if left <= 0:
            break
        cut = each[:LONGEST_WARNING]
        kept.append(_warning(cut))
        left -= len(cut)
    return kept


def _warning(text: str) -> Header:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return b"warning", f'299 - "{quoted}"'.encode(errors="replace")
