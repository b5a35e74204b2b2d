"""Reading request bodies: bounded in size, decoded by their media type.

Used by ``asgi`` for every request that has a body.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import orjson

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import (
    BadRequestError,
    Cause,
    InvalidError,
    RequestEntityTooLargeError,
    UnsupportedMediaTypeError,
)
from roadbed.apimachinery.request import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from roadbed.apimachinery.yamlload import load_json, load_value

from . import protobuf

MAX_BODY_BYTES: Final = 3 * 1024 * 1024  # as Kubernetes; an object may be half of it
BODY_S: Final = 60.0  # for a body in several parts; a slower client would hold its request open for ever
_JSON: Final = ("application/json", "")
_SPACE = b" \t\r\n"
_YAML: Final = ("application/yaml", "application/x-yaml", "text/yaml")
_PATCHES: Final = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)

Receive = Callable[[], Awaitable[Any]]


async def read(receive: Receive, length: str) -> bytes:
    """Give the whole body; ``length`` is the Content-Length header.

    Raises:
        RequestEntityTooLargeError: more than 3 MiB.
        BadRequestError: not all of it came. What did may well read as another, whole one: a delete without its
            preconditions, YAML without its end.
    """
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _cut_off()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        try:
            async with asyncio.timeout(BODY_S):
                body = await _rest(receive, body)
        except builtins.TimeoutError as error:
            raise BadRequestError(f"the body did not arrive within {BODY_S:.0f} s") from error
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


async def _rest(receive: Receive, body: bytes) -> bytes:
    parts, size_bytes, more = [body], len(body), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _cut_off()
        part = message.get("body", b"")
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > MAX_BODY_BYTES:
            raise _too_large()
        more = bool(message.get("more_body"))
    return b"".join(parts)


def decode(body: bytes, content_type: str) -> Any:
    """Give the object in the body of a create, update or delete; None for no body.

    Raises:
        UnsupportedMediaTypeError: not JSON, YAML or protobuf.
        BadRequestError: the body is not what its type says.
    """
    if not body:
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _JSON:
        return load_json(body)
    if media_type == protobuf.MEDIA_TYPE:
        return protobuf.decode(body)
    if media_type in _YAML:
        return _in_order(load_value(body))
    raise UnsupportedMediaTypeError(
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        f"application/yaml, {protobuf.MEDIA_TYPE}"
    )


_DURATION: Final = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)


def check_timeout(text: str) -> None:
    """Hold the ``timeout`` of an address to a duration, as ``32s``; no request takes long enough to need it.

    Raises:
        BadRequestError: it is none.
    """
    if text and not _DURATION.fullmatch(text):
        is_bare = re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)", text, re.ASCII)
        fault = "missing unit in" if is_bare else "invalid"
        why = f"time: {fault} duration {go_quote(text)}"
        raise BadRequestError(f"invalid timeout specified in the request URL - {why}")


def _in_order(value: Any) -> Any:
    """Sort the members of what was YAML, as Kubernetes does on the way to JSON; warnings come in this order."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=str)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def decode_patch(body: bytes, content_type: str) -> tuple[Any, str]:
    """Give a patch and its media type.

    Raises:
        UnsupportedMediaTypeError: no kind of patch that exists.
        BadRequestError: the body is not what its type says.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _PATCHES:
        error = UnsupportedMediaTypeError("415: Unsupported Media Type")
        error.has_details = True
        raise error
    return (load_value(body) if media_type == APPLY_PATCH else load_json(body)), media_type


def repeated(
    raw: bytes, value: Any, strictness: str, unknown: Callable[[], Sequence[str]] = tuple
) -> tuple[str, ...]:
    """Give a warning for each key that an object in a JSON body has twice; the last one counted.

    ``value`` is what the body was decoded to; ``strictness`` is the ``fieldValidation`` option. YAML refuses
    such keys while it is read. ``unknown`` is asked for the fields that a refusal names beside them.

    Raises:
        BadRequestError: there are some, and ``strictness`` is Strict.
    """
    text = raw.strip()
    if strictness == "Ignore" or text[:1] not in (b"{", b"["):
        return ()
    # Nearly every body is what its value encodes to, but for white space. Taking all of it away, in strings too,
    # leaves the members of each object as many as they were, so a key that stood twice can't pass.
    compact = orjson.dumps(value)
    if compact == text or compact.translate(None, _SPACE) == text.translate(None, _SPACE):
        return ()
    try:
        doubled = tuple(
            f'duplicate field "{path}"' for path in _doubled(json.loads(text, object_pairs_hook=_Pairs), "")
        )
    except ValueError:
        return ()  # YAML's flow style
    if doubled and strictness == "Strict":
        found = (*(f'unknown field "{path}"' for path in unknown()), *doubled)
        raise BadRequestError(f"{_named(value)}strict decoding error: {', '.join(found)}")
    return doubled


_OPERATION = frozenset(("op", "path", "from", "value"))


def repeated_in_patch(
    raw: bytes, value: Any, patch_type: str, strictness: str, unknown: Callable[[], Sequence[str]] = tuple
) -> tuple[str, ...]:
    """Give the same for a patch, and for a JSON patch a warning for each member that no operation has.

    Raises:
        InvalidError: there are some, and ``strictness`` is Strict; an apply is refused as any other object.
    """
    if patch_type == APPLY_PATCH:
        return repeated(raw, value, strictness, unknown)
    found = repeated(raw, value, "Ignore" if strictness == "Ignore" else "Warn")
    if patch_type == JSON_PATCH:
        found = (*(f"json patch {each}" for each in found), *_unknown(value, strictness))
    if found and strictness == "Strict":
        message = f"Invalid value: the patch: strict decoding error: {', '.join(found)}"
        cause = Cause("FieldValueInvalid", message, "patch")
        raise InvalidError(f' "" is invalid: patch: {message}', causes=[cause])
    return found


def _unknown(operations: Any, strictness: str) -> Iterator[str]:
    if strictness == "Ignore" or not isinstance(operations, list):
        return
    for index, operation in enumerate(operations):
        if isinstance(operation, dict):
            for name in operation.keys() - _OPERATION:
                yield f'json patch unknown field "[{index}].{name}"'


def _named(value: Any) -> str:
    """Say of what kind a body is, as far as it says so itself."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind:
        return ""
    version = str(value.get("apiVersion", "")).rpartition("/")[2]
    return f'{kind} in version "{version}" cannot be handled as a {kind}: '


class _Pairs(list[Any]):
    """The members of one JSON object, as they stand there."""


def _doubled(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, member in value:
            place = f"{path}.{name}" if path else name
            if name in seen:
                yield place
            seen.add(name)
            yield from _doubled(member, place)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _doubled(member, f"{path}[{index}]")


def _cut_off() -> BadRequestError:
    return BadRequestError("unexpected EOF: the connection ended before the body did; nothing was changed")


def _too_large() -> RequestEntityTooLargeError:
    return RequestEntityTooLargeError(
        f"Request entity too large: limit is {MAX_BODY_BYTES} bytes; send less, or split the object"
    )
