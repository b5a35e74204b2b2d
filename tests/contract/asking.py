"""Asks a server the steps of a case, one after the other, over one TLS connection.

Both ``recorder`` and the replay use it, so that both servers are asked in exactly the same way. Plain
``http.client``: it sends what it is told, adds nothing but Host, and shows a stream as it comes. How a server is made
to forget its history, each of them says itself.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from roadbed.apiserver import protobufwrite

from .corpus import MEDIA_TYPES, Case, Step, filled

PATIENCE_S = 20.0  # for one answer, one watch event, or what ``until`` waits for
AGENT = "corpus/1.0"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back for one step; ``body`` is JSON where it was JSON, else text."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: Any = None
    events: list[Any] = field(default_factory=list)


class Asker:
    """A client of one server, with an administrator's certificate; close it.

    ``compact`` makes the server forget all revisions but the present; it returns when that is done, or under way.
    """

    def __init__(self, port: int, tls: ssl.SSLContext, compact: Callable[[], None]) -> None:
        self._compact = compact
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=tls)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def play(self, case: Case) -> Iterator[Heard]:
        """Ask every step of a case, in its own namespace."""
        names = {"ns": case.name}
        if case.has_namespace:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name}}
            made = self._once(Step("POST", "/api/v1/namespaces", body, {"content-type": "application/json"}))
            assert made.status == 201, f"cannot make namespace {case.name}: {made.body}"
        for step in case.steps:
            heard = self._ask(
                Step(
                    step.method,
                    filled(step.path, names),
                    filled(step.body, names),
                    filled(dict(step.headers), names),
                    step.watch,
                    step.until,
                )
            )
            for name, place in step.save.items():
                names[name] = str(at(heard.body, place))
            yield heard

    def _ask(self, step: Step) -> Heard:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            heard = self._once(step)
            if not step.until or _is_there(heard, step.until) or time.monotonic() > deadline:
                return heard
            time.sleep(0.02)

    def _once(self, step: Step) -> Heard:
        if step.method == "COMPACT":
            self._compact()
            return Heard(200, ())
        body = _encoded(step)
        headers = {"user-agent": AGENT, **step.headers}
        try:
            self._connection.request(step.method, step.path, body, headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()
            raise
        if step.watch and answer.status == 200:
            events = [json.loads(line) for line in _lines(answer, step.watch)]
            self._connection.close()  # a watch holds its connection
            return Heard(answer.status, answer.getheaders(), events=events)
        return Heard(answer.status, answer.getheaders(), _parsed(answer.read()))


def _encoded(step: Step) -> bytes | None:
    """Give the body as it is sent; objects become JSON, or what their media type says."""
    if step.body is None:
        return None
    if isinstance(step.body, str):
        return step.body.encode()
    encoded = json.dumps(step.body, separators=(",", ":")).encode()
    is_protobuf = step.headers.get("content-type") == MEDIA_TYPES["protobuf"]
    return protobufwrite.encode(encoded) if is_protobuf else encoded


def at(value: Any, place: str) -> Any:
    """Give what stands at a dotted place; numbers index lists; None where there is nothing."""
    for name in place.split(".") if place else ():
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            return None
    return value


def _is_there(heard: Heard, until: Any) -> bool:
    return all(
        heard.status == wanted if place == "status_code" else at(heard.body, place) == wanted
        for place, wanted in until.items()
    )


def _lines(answer: http.client.HTTPResponse, count: int) -> Iterator[bytes]:
    for _ in range(count):
        try:
            line = answer.readline()
        except TimeoutError:
            return  # fewer events than expected is what the comparison then shows
        if not line:
            return
        yield line


def _parsed(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
