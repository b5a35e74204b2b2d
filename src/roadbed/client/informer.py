"""A local, always warm copy of one resource, with indexes; what reconcilers read instead of the server.

Owned by ``Informers`` (one informer per resource and process, shared by controllers) which runs
``Informer.run`` in a task of its own; readers and handlers run on the same loop. It holds encoded bytes
and decodes on demand, because a 2.8 KB object is 18.6 KB as Python dicts. It lists, then watches from
the list's revision; on 410 or a broken stream it lists again and tells handlers only what changed.
It ends when its task is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from roadbed.apimachinery.errors import ApiError, ExpiredError, GoneError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import ObjectKey, key_of, revision_of
from roadbed.apimachinery.request import Object

from .client import Client

logger = logging.getLogger(__name__)

WATCH_TIMEOUT_S = 290  # the server ends the stream before a proxy would; then it is opened again
FIRST_RETRY_S = 0.05
LAST_RETRY_S = 10.0

IndexFunction = Callable[[Object], Iterable[str]]


class Change:
    """What an informer saw: old and new state as encoded bytes; one of them is None at birth and death.

    Decoded at most once for all handlers, which therefore must not change them.
    """

    __slots__ = ("_decoded", "key", "new", "old")

    def __init__(self, key: ObjectKey, old: bytes | None, new: bytes | None) -> None:
        self.key = key
        self.old = old
        self.new = new
        self._decoded: tuple[Object | None, Object | None] | None = None

    def objects(self) -> tuple[Object | None, Object | None]:
        """Give (old, new), decoded; read-only."""
        if self._decoded is None:
            old = None if self.old is None else orjson.loads(self.old)
            new = None if self.new is None else orjson.loads(self.new)
            self._decoded = (old, new)
        return self._decoded


Handler = Callable[[Change], None]


class Informer:
    """The copy of one resource. Objects it gives are decoded for the caller and may be changed freely."""

    def __init__(self, client: Client, resource: Resource) -> None:
        self.resource = resource
        self._client = client
        self._entries: dict[ObjectKey, _Entry] = {}
        self._indexes: dict[str, _Index] = {}
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._revision = ""  # the newest that the stream has shown; empty asks for a list

    def get(self, key: ObjectKey) -> Object | None:
        """Give the object as last seen, or None."""
        entry = self._entries.get(key)
        return None if entry is None else orjson.loads(entry.encoded)

    def list(self, namespace: str = "") -> Sequence[Object]:
        """Give all objects, or those of one namespace, in no particular order."""
        return [
            orjson.loads(entry.encoded)
            for key, entry in self._entries.items()
            if not namespace or key.namespace == namespace
        ]

    def keys(self) -> Iterator[ObjectKey]:
        """Give the keys of all objects without decoding any."""
        return iter(tuple(self._entries))

    def by_index(self, index: str, value: str) -> Sequence[Object]:
        """Give the objects whose index function gave ``value``; KeyError for an index never added."""
        keys = self._indexes[index].keys_of.get(value, ())
        return [orjson.loads(self._entries[key].encoded) for key in keys]

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Index by what ``function`` gives for each object; adding the same name again changes nothing."""
        if name in self._indexes:
            return
        index = self._indexes[name] = _Index(function)
        for key, entry in self._entries.items():
            index.put(key, entry.encoded)

    def add_handler(self, handler: Handler) -> Callable[[], None]:
        """Call ``handler`` on every change, and now once per object already here; returns the way out."""
        for key, entry in tuple(self._entries.items()):
            handler(Change(key, None, entry.encoded))
        self._handlers.append(handler)

        def remove() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return remove

    async def synced(self) -> None:
        """Return once the first list is in."""
        await self._synced.wait()

    def observe(self, obj: Object) -> None:
        """Take in a write's answer before its event arrives, unless something newer is already here.

        A reconciler that writes and reads again at once would otherwise act on its own past.
        """
        revision = _number(revision_of(obj))
        # Revisions are one sequence, so the stream has already told whatever is not newer than its last.
        if revision > _number(self._revision):
            self._put(key_of(obj), orjson.dumps(obj), revision)

    async def run(self) -> None:
        """List and watch until cancelled, however often the stream breaks."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                if not self._revision:
                    await self._relist()
                await self._follow()
                retry_s = FIRST_RETRY_S
            except (ExpiredError, GoneError):
                self._revision = ""
            except ApiError as error:
                # The resource may not exist yet or any more, or the server be away: keep what we have and retry.
                logger.debug(
                    "watch interrupted", extra={"resource": self.resource.qualified, "error": str(error)}
                )
                self._revision = ""
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, LAST_RETRY_S)

    async def _relist(self) -> None:
        page = await self._client.read_all(self.resource)
        seen: set[ObjectKey] = set()
        for encoded in page.items:
            obj = orjson.loads(encoded)
            key = key_of(obj)
            seen.add(key)
            self._put(key, encoded, _number(revision_of(obj)))
        for key in [key for key in self._entries if key not in seen]:
            self._drop(key)
        self._revision = page.revision
        self._synced.set()

    async def _follow(self) -> None:
        options = {
            "resourceVersion": self._revision,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_TIMEOUT_S),
        }
        async with aclosing(self._client.stream(self.resource, options=options)) as events:
            async for event in events:
                obj = orjson.loads(event.object)
                if event.type == "DELETED":
                    self._drop(key_of(obj), event.object)
                elif event.type != "BOOKMARK":
                    self._put(key_of(obj), event.object, _number(revision_of(obj)))
                self._revision = revision_of(obj)

    def _put(self, key: ObjectKey, encoded: bytes, revision: int) -> None:
        known = self._entries.get(key)
        if known is not None and revision <= known.revision:
            return  # our own write, observed before its event
        self._entries[key] = _Entry(encoded, revision)
        for index in self._indexes.values():
            index.put(key, encoded)
        self._tell(Change(key, known.encoded if known else None, encoded))

    def _drop(self, key: ObjectKey, last: bytes | None = None) -> None:
        known = self._entries.pop(key, None)
        if known is None:
            return
        for index in self._indexes.values():
            index.drop(key)
        self._tell(Change(key, last or known.encoded, None))

    def _tell(self, change: Change) -> None:
        for handler in tuple(self._handlers):
            handler(change)


@dataclass(frozen=True, slots=True)
class _Entry:
    encoded: bytes
    revision: int


class _Index:
    """Values to keys, and back, for one index function."""

    def __init__(self, function: IndexFunction) -> None:
        self.keys_of: dict[str, dict[ObjectKey, None]] = {}  # dicts keep the order of arrival
        self._values_of: dict[ObjectKey, tuple[str, ...]] = {}
        self._function = function

    def put(self, key: ObjectKey, encoded: bytes) -> None:
        values = tuple(dict.fromkeys(self._function(orjson.loads(encoded))))
        if self._values_of.get(key, ()) == values:
            return
        self.drop(key)
        self._values_of[key] = values
        for value in values:
            self.keys_of.setdefault(value, {})[key] = None

    def drop(self, key: ObjectKey) -> None:
        for value in self._values_of.pop(key, ()):
            keys = self.keys_of[value]
            del keys[key]
            if not keys:
                del self.keys_of[value]


def _number(revision: str) -> int:
    return int(revision) if revision.isdigit() else 0
