"""A story of requests that mostly get through: whole objects of every served kind, changed in every way.

``server`` sends anything at all, and nearly all of it ends at the first check; here each request is right but for a
few places, and what was stored is met again. Beside "never a 500" each answer is held to what must be true of it:
what a write answered is what a read gives, what was read can be written back without a new revision, an apply said
twice is an apply said once, a dry run leaves nothing, the pages of a list are the list.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson

from roadbed.apiserver import ApiServer
from roadbed.apiserver.webhooks import Caller
from roadbed.storage import open_storage

from . import values
from .choices import Choices
from .server import ANSWER_S, Finding, make_server

STEPS_EACH = 400  # of one server; what a policy or a webhook closed is open again in the next
MOST_CPU_S = 2.0  # one request; the largest bodies here are a few KB
JSON, APPLY = "application/json", "application/apply-patch+yaml"
MERGE, OPERATIONS = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, PROTOBUF = "application/strategic-merge-patch+json", "application/vnd.kubernetes.protobuf"
FORMS = (
    JSON,
    JSON,
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    "application/yaml",
    PROTOBUF,
    "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json;q=0.5",
    "application/json;q=0.3;as=Table;g=meta.k8s.io;v=v1beta1, */*;q=0.1",
)
NAMES = ("a", "b", "c", "a.b", "system:x", "widgets.fuzz.example.org", "gadgets.fuzz.example.org", "v1.apps")
# A webhook that cannot be called is a 500 in Kubernetes too.
CALLED = (
    "Internal error occurred: ",
    "failed calling webhook",
    "conversion webhook for",
    "failed to call webhook",
)
GADGETS = "gadgets"  # what random definitions define


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource, and what its objects look like."""

    root: str
    plural: str
    kind: str
    is_namespaced: bool
    verbs: frozenset[str]
    subresources: tuple[str, ...]
    schema: Mapping[str, Any]
    definitions: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        """The group and version, as objects have it."""
        return self.root.removeprefix("/apis/").removeprefix("/api/")

    def path(self, name: str = "", subresource: str = "", namespace: str = "default") -> str:
        """Give an address."""
        inside = f"/namespaces/{namespace}" if self.is_namespaced and namespace else ""
        steps = [each for each in (self.plural, name, subresource) if each]
        return f"{self.root}{inside}/{'/'.join(steps)}"


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    media_type: str

    @property
    def obj(self) -> Any:
        """The body as JSON, or nothing where it is no JSON."""
        return orjson.loads(self.body) if self.media_type == JSON and self.body else None

    @property
    def is_good(self) -> bool:
        """Say whether it is a 2xx."""
        return 200 <= self.status < 300


class _Heard(logging.Handler):
    """Keeps the tracebacks that the server logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(logging.Formatter().format(record))


@dataclass(slots=True)
class Story:
    """One server and what is told to it."""

    server: ApiServer
    kinds: list[Kind]
    counts: Counter[str] = field(default_factory=Counter)
    last: list[str] = field(default_factory=list)
    heard: _Heard = field(default_factory=_Heard)

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        media_type: str = JSON,
        accept: str = JSON,
    ) -> Answer:
        """Send one request and hold its answer to what is true of every answer.

        Raises:
            Finding: it is not.
        """
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        asked = urlencode(query or {})
        self.last = [*self.last[-30:], f"{method} {path}?{asked} [{media_type}] [{accept}] {content!r}"]
        began = time.process_time()
        answer = await self._exchange(
            method,
            path,
            asked.encode(),
            [(b"content-type", media_type.encode()), (b"accept", accept.encode())],
            content,
        )
        took_s = time.process_time() - began
        self.counts[f"{method} {answer.status}"] += 1
        told = answer.body[:2000].decode("utf-8", "replace")
        is_called = any(words in told for words in CALLED)
        if self.heard.told or (
            (answer.status == 0 or answer.status >= 500) and not is_called and answer.status not in (503, 504)
        ):
            raise self.finding(f"answered {answer.status}: {told} {self.heard.told}")
        if took_s > MOST_CPU_S:
            raise self.finding(f"took {took_s:.1f} s of the processor")
        if answer.status >= 400 and answer.media_type == JSON:
            self._judge_status(answer)
        return answer

    def _judge_status(self, answer: Answer) -> None:
        said = answer.obj
        is_one = isinstance(said, dict) and said.get("kind") == "Status" and said.get("code") == answer.status
        if not is_one or not said.get("message") or said.get("status") != "Failure":
            raise self.finding(f"answered {answer.status} without a right Status: {answer.body[:500]!r}")

    async def _exchange(
        self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> Answer:
        status, parts, media_type, has_sent = 0, [], "", False

        async def receive() -> dict[str, Any]:
            nonlocal has_sent
            if not has_sent:
                has_sent = True
                if content or method not in ("GET", "HEAD", "OPTIONS"):
                    return {"type": "http.request", "body": content}
            for _ in range(20):
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, media_type
            status = message.get("status", status)
            media_type = dict(message.get("headers", ())).get(b"content-type", media_type.encode()).decode()
            parts.append(message.get("body", b""))

        scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.server.asgi(scope, receive, send)
        except Exception as error:
            raise self.finding(repr(error)) from error
        return Answer(status, b"".join(parts), media_type)

    def finding(self, what: str) -> Finding:
        """Make a finding that tells what was asked before."""
        return Finding("\n".join(["the last requests:", *self.last, what]))


def asked_of(choices: Choices, *known: tuple[str, tuple[str, ...]]) -> dict[str, str]:
    """Give a query of some of the parameters."""
    return {name: choices.pick(among) for name, among in known if choices.once_in(5)}


def write_options(choices: Choices) -> dict[str, str]:
    """Give the query of a write."""
    found = asked_of(
        choices,
        ("dryRun", ("All", "All", "None", "")),
        ("fieldValidation", ("Strict", "Warn", "Ignore", "x")),
    )
    return found | {"fieldManager": choices.pick(("m", "n", "kubectl", "kubectl-client-side-apply"))}


def read_options(choices: Choices) -> dict[str, str]:
    """Give the query of a read."""
    return asked_of(choices, *_READING)


_READING = (
    ("limit", ("1", "2", "0", "-1", "500", "9999999999999", "x")),
    ("resourceVersion", ("0", "1", "", "20", "999999999999", "x")),
    ("resourceVersionMatch", ("Exact", "NotOlderThan", "x")),
    ("labelSelector", ("a=b", "a in (b,c),!d", "a,b notin (c)", "a>1", "=", "a=b=c", "a in (", "x" * 300)),
    ("fieldSelector", ("metadata.name=a", "metadata.namespace!=default", "spec.a=1", "=", "type=Opaque")),
    ("timeoutSeconds", ("0", "1", "-1", "x", "99999999999999999999")),
    ("allowWatchBookmarks", ("true", "x")),
    ("sendInitialEvents", ("true", "false", "x")),
    ("continue", ("eyJydiI6MX0", "x", "")),
    ("watch", ("1", "true", "false", "x")),
    ("includeObject", ("None", "Object", "Metadata", "x")),
    ("pretty", ("true", "x")),
)


def _metadata(choices: Choices) -> dict[str, Any]:
    made: dict[str, Any] = {"name": choices.pick(("a", "a", "b", "c", *NAMES))}
    if choices.once_in(4):
        made["labels"] = {choices.pick(("a", "b", "example.org/c")): choices.pick(("b", "c", "", "x y"))}
    if choices.once_in(6):
        made["finalizers"] = [choices.pick(("example.org/a", "foregroundDeletion", "orphan", "x"))]
    if choices.once_in(6):
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": choices.pick(("u", ""))}
        made["ownerReferences"] = [owner | ({"controller": True} if choices.below(2) else {})]
    if choices.once_in(8):
        made["generateName"] = choices.pick(("a-", "A", ""))
        del made["name"]
    if choices.once_in(12):
        return values.reshaped(choices, made)
    return made


def whole(choices: Choices, kind: Kind) -> dict[str, Any]:
    """Give an object of a kind, right but for a few places."""
    resolve = partial(_resolved, kind.definitions)
    made = values.like(choices, kind.schema, resolve)
    made = made if isinstance(made, dict) else {}
    made |= {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": _metadata(choices)}
    if kind.kind == "CustomResourceDefinition" and not choices.once_in(5):
        return definition(choices)
    return made


def _resolved(definitions: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = definitions[reference.rsplit("/", 1)[1]]
    return found


def definition(choices: Choices) -> dict[str, Any]:
    """Give a definition of gadgets, with a schema of its own."""
    versions = []
    for number in range(1 + choices.below(2)):
        version = {"name": f"v{number + 1}", "served": True, "storage": number == 0}
        version["schema"] = {"openAPIV3Schema": values.schema(choices)}
        if choices.below(2):
            version["subresources"] = {"status": {}}
        if choices.once_in(3):
            paths = {"specReplicasPath": ".spec.a", "statusReplicasPath": ".status.a"}
            version["subresources"] = {"scale": paths}
        if choices.once_in(3):
            path = choices.pick(
                (".spec.a", ".a", ".metadata.name", ".items[*].key", ".a[?(@.b==1)]", "..", "")
            )
            type_ = choices.pick(("string", "integer", "date", "number", "boolean", "x"))
            version["additionalPrinterColumns"] = [{"name": "A", "type": type_, "jsonPath": path}]
        if choices.once_in(5):
            version["selectableFields"] = [{"jsonPath": choices.pick((".spec.a", ".a", ".b"))}]
        versions.append(version)
    names = {"plural": GADGETS, "kind": "Gadget", "singular": "gadget"}
    spec = {"group": "fuzz.example.org", "scope": "Namespaced", "names": names, "versions": versions}
    made = {"metadata": {"name": "gadgets.fuzz.example.org"}, "spec": spec}
    made |= {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return values.reshaped(choices, made) if choices.once_in(5) else made


def operations(choices: Choices, live: Any) -> list[Any]:
    """Give a JSON patch whose pointers lead to places that there are, mostly."""
    made = []
    inside = values.places(live)
    for _ in range(1 + choices.below(4)):
        path = _pointer(choices, inside)
        operation = {"op": choices.pick(("add", "replace", "remove", "test", "copy", "move")), "path": path}
        operation["value"] = values.value(choices, 2)
        operation["from"] = _pointer(choices, inside)
        made.append(operation)
    odd = values.changed(choices, made) if choices.once_in(6) else made
    return odd if isinstance(odd, list) else made


def _pointer(choices: Choices, inside: list[tuple[str | int, ...]]) -> str:
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in choices.pick(inside)]
    if choices.once_in(4):
        steps.append(choices.pick(("-", "0", "a", "-1", "00", "~2", "", "99999999999", "x/y", "é")))
    return "".join(f"/{step}" for step in steps)


def strategic(choices: Choices, live: Any) -> dict[str, Any]:
    """Give a strategic merge patch: parts of the object, with directives among them."""
    patch = values.changed(choices, live) if isinstance(live, dict) else {}
    for _ in range(choices.below(3)):
        holders = [path for path in values.places(patch) if isinstance(_inside(patch, path), dict)]
        if not holders:
            break
        holder = _inside(patch, choices.pick(holders))
        names = sorted(holder) or ["a"]
        name = choices.pick(names)
        match choices.below(4):
            case 0:
                holder["$patch"] = choices.pick(("delete", "replace", "merge", "x", 1))
            case 1:
                holder["$retainKeys"] = choices.pick(([name], [], "x", [1]))
            case 2:
                holder[f"$deleteFromPrimitiveList/{name}"] = choices.pick((["a"], [1], "x", {}))
            case _:
                holder[f"$setElementOrder/{name}"] = choices.pick(([{"name": "a"}], ["a"], [], [1], {}))
    return patch if isinstance(patch, dict) else {}


def _inside(found: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        found = found[step]
    return found


def unknown_fields(choices: Choices, content: bytes) -> bytes:
    """Give protobuf with fields that no message has, or with bytes of it changed."""
    if choices.below(2):
        number = choices.pick((15, 100, 536_870_911))
        tag = number << 3 | choices.pick((0, 2, 5, 1))
        encoded = b""
        while tag > 127:
            encoded += bytes([tag & 127 | 128])
            tag >>= 7
        return content + encoded + bytes([tag]) + choices.rest(8)
    at = choices.below(max(len(content), 1))
    return content[:at] + choices.rest(1 + choices.below(3)) + content[at + choices.below(3) :]


def requests_of(seed: int) -> Iterator[Choices]:
    """Yield what the steps are made of."""
    chance = random.Random(seed)
    while True:
        yield Choices(chance.randbytes(1_500))


async def begin(kinds: Sequence[Kind] = (), *, webhooks: Caller | None = None) -> tuple[Story, Any]:
    """Start a server; gives the story and the storage to close."""
    storage = await open_storage("memory:")
    story = Story(await make_server(storage, webhooks), list(kinds))
    logging.getLogger("roadbed").addHandler(story.heard)
    if not story.kinds:
        story.kinds += await _served(story)
    return story, storage


async def end(story: Story, storage: Any) -> None:
    """Stop it."""
    logging.getLogger("roadbed").removeHandler(story.heard)
    await story.server.stop()
    await storage.close()


async def _served(story: Story) -> list[Kind]:
    """Ask discovery and the published schemas what there is."""
    found = []
    index = (await story.ask("GET", "/openapi/v3")).obj["paths"]
    for place in sorted(index):
        if (
            place.split("/")[0] not in ("api", "apis")
            or len(place.split("/")) != (2 if place.startswith("api/") else 3)
            or place.endswith("/")
        ):
            continue
        listed = await story.ask("GET", f"/{place}")
        document = (await story.ask("GET", f"/openapi/v3/{place}")).obj
        definitions = document["components"]["schemas"]
        below = [each for each in listed.obj["resources"] if "/" in each["name"]]
        for resource in listed.obj["resources"]:
            name = resource["name"]
            if "/" in name:
                continue
            parts = tuple(each["name"].split("/")[1] for each in below if each["name"].startswith(f"{name}/"))
            gvk = {"kind": resource["kind"], "version": place.rsplit("/", 1)[1]}
            gvk["group"] = place.split("/")[1] if place.startswith("apis") else ""
            schema = next(
                each
                for each in definitions.values()
                if gvk in each.get("x-kubernetes-group-version-kind", ())
            )
            verbs = frozenset(resource["verbs"])
            found.append(
                Kind(
                    f"/{place}",
                    name,
                    resource["kind"],
                    resource["namespaced"],
                    verbs,
                    parts,
                    schema,
                    definitions,
                )
            )
    return found
