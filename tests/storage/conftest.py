"""Stores to test with: in a file and in memory, closed when the test ends."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roadbed.storage import Encode, Revision, Storage
from roadbed.storage.sqlite import Limits, SqliteStorage, open_url

Open = Callable[..., Awaitable[SqliteStorage]]


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/store/roadbed.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store" / "roadbed.db"


@pytest.fixture
async def open_store() -> AsyncIterator[Open]:
    """Open stores that are closed at the end, also when the test fails."""
    stores: list[Storage] = []

    async def opener(url: str | Path, limits: Limits | None = None) -> SqliteStorage:
        store = await open_url(f"sqlite:///{url}" if isinstance(url, Path) else url, limits)
        stores.append(store)
        return store

    yield opener
    for store in stores:
        await store.close()


@pytest.fixture
async def store(url: str, open_store: Open) -> SqliteStorage:
    return await open_store(url)


@pytest.fixture
def value() -> Callable[[str], Encode]:
    """Give an encoder whose bytes say what was written and at which revision."""

    def encoder(text: str = "") -> Encode:
        return lambda revision: f"{text}@{revision}".encode()

    return encoder


@pytest.fixture
def hold() -> Callable[[SqliteStorage], object]:
    """Keep the disk busy, so that what is written meanwhile stays on its way."""

    @contextmanager
    def holding(store: SqliteStorage) -> Iterator[threading.Event]:
        gate = threading.Event()
        store._writer.submit(lambda _: gate.wait(5.0), lambda _: None)
        try:
            yield gate
        finally:
            gate.set()

    return holding


@pytest.fixture
def set_pages() -> Callable[[SqliteStorage, int], Awaitable[None]]:
    """Set how many pages the file may have: SQLite's own full disk. 0 is as many as there are now."""

    async def setter(store: SqliteStorage, pages: int) -> None:
        await store._writer.run(
            lambda file: file._connection.execute(f"PRAGMA max_page_count = {pages or 1}")
        )

    return setter


@pytest.fixture
def fill(value: Callable[[str], Encode]) -> Callable[..., Awaitable[list[Revision]]]:
    """Write one key ``count`` times; gives the revisions."""

    async def filler(store: Storage, count: int, key: str = "/core/configmaps/shop/filled") -> list[Revision]:
        record = store.get(key)
        revisions = []
        for _ in range(count):
            if record is None:
                record = await store.create(key, value(key))
            else:
                record = await store.update(key, value(key), expected=record.revision)
            revisions.append(record.revision)
        return revisions

    return filler
