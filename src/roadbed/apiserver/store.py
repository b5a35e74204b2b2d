"""Objects in storage: keys, encoding with the revision inside, sealing, and storage's errors as Status.

Used by ``writing`` and the handlers; the one place of this room, with ``watchcache``, that touches
storage. Holds no state of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import NoReturn

import orjson

from roadbed.apimachinery.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    RequestEntityTooLargeError,
    ServiceUnavailableError,
)
from roadbed.apimachinery.request import Object
from roadbed.storage import (
    Encode,
    KeyExistsError,
    KeyNotFoundError,
    Revision,
    RevisionConflictError,
    Storage,
    StorageError,
    StorageUnavailableError,
)

from .metrics import Metrics
from .ports import Sealer
from .registry import Served

MAX_OBJECT_BYTES = 1_500_000  # below storage's own bound, with room for sealing
_UNTOUCHABLE = "the object has been modified; please apply your changes to the latest version and try again"

_Put = Callable[[str, Encode], Awaitable[object]]


class OvertakenError(ConflictError):
    """Another write of the object came between reading and writing it."""


class Store:
    """Reads and writes objects of any served resource."""

    def __init__(self, storage: Storage, sealer: Sealer, metrics: Metrics) -> None:
        self._storage = storage
        self._metrics = metrics
        self._sealer = sealer
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, served: Served, path: str) -> AsyncIterator[None]:
        """Hold other read-modify-write cycles off one object, so that they wait instead of colliding."""
        key = served.home + path
        lock, users = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            users = self._locks[key][1] - 1
            if users:
                self._locks[key] = (lock, users)
            else:
                del self._locks[key]

    def read(self, served: Served, path: str) -> Object | None:
        """Give a fresh decode of the object at ``namespace/name`` or ``name``; the caller may change it."""
        entry = served.cache.get(path)
        if entry is None:
            return None
        found: Object = orjson.loads(entry.value)
        return found

    async def live(self, served: Served, path: str) -> Object | None:
        """Give a fresh decode of an object as its served version shows it; the caller may change it.

        Raises:
            ApiError: it is stored in another version and could not be converted.
        """
        if served.converter is None:
            return self.read(served, path)
        entry = served.cache.get(path)
        if entry is None:
            return None
        (shown,) = await served.shown([entry])
        found: Object = orjson.loads(shown.value)
        return found

    def is_outdated(self, served: Served, path: str) -> bool:
        """Say whether an object is stored in another version than its definition now stores."""
        if not served.has_versions:
            return False
        record = self._storage.get(served.home + path)
        return record is not None and not record.value.startswith(served.storage_prefix)

    def refuse_taken(self, served: Served, path: str) -> None:
        """Tell a dry run what a create would have met.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        if served.cache.get(path) is not None:
            _translate(KeyExistsError(path), served, path)

    async def create(self, served: Served, path: str, obj: Object) -> bytes:
        """Store a new object; gives its bytes in the served version.

        Raises:
            AlreadyExistsError, ServiceUnavailableError, RequestEntityTooLargeError
        """
        return await self._write("create", served, path, obj, self._storage.create)

    async def update(self, served: Served, path: str, obj: Object, *, expected: str) -> bytes:
        """Replace an object whose resourceVersion is ``expected``.

        Raises:
            ConflictError, NotFoundError, ServiceUnavailableError, RequestEntityTooLargeError
        """
        put = partial(self._storage.update, expected=Revision(int(expected)))
        return await self._write("update", served, path, obj, put)

    async def delete(self, served: Served, path: str, obj: Object, *, expected: str) -> bytes:
        """Remove an object whose resourceVersion is ``expected``; ``obj`` is its last state.

        Raises:
            ConflictError, NotFoundError, ServiceUnavailableError
        """
        put = partial(self._storage.delete, expected=Revision(int(expected)))
        return await self._write("delete", served, path, obj, put)

    async def _write(self, operation: str, served: Served, path: str, obj: Object, put: _Put) -> bytes:
        began = perf_counter()
        encoded: list[bytes] = []
        encoder = self._encoder(served, path, obj, encoded, await served.stored_form(obj))
        try:
            await put(served.home + path, encoder)
        except StorageError as error:
            _translate(error, served, path)
        finally:
            resource = served.resource
            self._metrics.stored(operation, resource.group, resource.plural, began)
            served.fresh.pop(path, None)
        return await _answer(served, path, encoded)

    def _encoder(
        self, served: Served, path: str, obj: Object, encoded: list[bytes], converted: Object | None
    ) -> Encode:
        """Give what encodes an object once its revision is known; ``converted`` is what a webhook made of it."""
        key = served.home + path
        ordered = served.ordered(obj) if converted is None else converted
        _check_size(served, ordered)
        meta = ordered["metadata"]

        def encode(revision: Revision) -> bytes:
            meta["resourceVersion"] = str(revision)
            value = orjson.dumps(ordered)
            encoded.append(value)
            if converted is not None:
                return self._sealer.seal(value, context=key) if served.is_sealed else value
            served.fresh[path] = (value, ordered)
            stored = served.to_storage(ordered, value)
            encoded.append(stored)
            return self._sealer.seal(stored, context=key) if served.is_sealed else stored

        return encode


async def _answer(served: Served, path: str, encoded: list[bytes]) -> bytes:
    """Give what was written as a read of it would; ``encoded`` is what ``Store._encoder`` noted."""
    if served.converter is None:
        return served.as_stored(path, encoded[0], encoded[-1])
    return (await served.converted(encoded[:1]))[0]


def _check_size(served: Served, obj: Object) -> None:
    # Encoding must not raise once a revision is given out, so try it before; 1 µs for a small object.
    try:
        size_bytes = len(orjson.dumps(obj))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequestError(
            f'{served.resource.qualified} "{obj["metadata"].get("name", "")}" is not JSON: {error}'
        ) from error
    if size_bytes > MAX_OBJECT_BYTES:
        name = obj["metadata"].get("name", "")
        raise RequestEntityTooLargeError(
            f'{served.resource.qualified} "{name}" is {size_bytes} bytes encoded, more than the '
            f"{MAX_OBJECT_BYTES} that can be stored; split it or keep large content elsewhere"
        )


def _translate(error: StorageError, served: Served, path: str) -> NoReturn:
    resource = served.resource
    name = path.rsplit("/", 1)[-1]
    where = served.details(name)
    if isinstance(error, KeyExistsError):
        entry = served.cache.get(path)
        is_going = entry is not None and "deletionTimestamp" in orjson.loads(entry.value)["metadata"]
        state = "object is being deleted: " if is_going else ""
        raise AlreadyExistsError(f'{state}{resource.qualified} "{name}" already exists', **where) from error
    if isinstance(error, KeyNotFoundError):
        raise NotFoundError(f'{resource.qualified} "{name}" not found', **where) from error
    if isinstance(error, RevisionConflictError):
        raise OvertakenError(
            f'Operation cannot be fulfilled on {resource.qualified} "{name}": {_UNTOUCHABLE}', **where
        ) from error
    if isinstance(error, StorageUnavailableError):
        raise ServiceUnavailableError(
            f'cannot write {resource.qualified} "{name}": {error}', **where, retry_after_s=1
        ) from error
    raise ApiError(f'cannot write {resource.qualified} "{name}": {error}', **where) from error
