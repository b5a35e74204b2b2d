"""The connection to the index: one writer thread and a few readers, so that no statement blocks the loop.

Opened once by ``app``; used by every projection from the event loop. Writes queue on one thread and are
transactions; reads run beside them. ``close`` waits for what runs. Schemas may be dropped at will: the
index is rebuilt from objects and folders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.pool import StaticPool

T = TypeVar("T")

READERS = 2  # pages ask a few short questions at a time; more threads only fight for the interpreter
BUSY_S = 5.0

tables = sqlalchemy.MetaData()

# Raised when a table changes: an index of another shape is dropped and built again.
SHAPE = 1


class Database:
    """Runs functions of a connection on threads: ``read`` beside others, ``write`` one after the other."""

    def __init__(self, path: Path | None) -> None:
        """Name the file; None keeps everything in memory, on one thread."""
        self._path = path
        if path is None:
            self._engine = sqlalchemy.create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
        else:
            self._engine = sqlalchemy.create_engine(
                f"sqlite:///{path}", pool_size=READERS + 1, connect_args={"timeout": BUSY_S}
            )
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="index-writer")
        # In memory there is one connection, so everything takes turns on one thread.
        self._readers = (
            self._writer if path is None else ThreadPoolExecutor(READERS, thread_name_prefix="index-reader")
        )

    async def open(self) -> None:
        """Create the tables, dropping those of another shape."""
        await self._run(self._writer, self._prepare)

    async def read(self, ask: Callable[[Connection], T]) -> T:
        """Give what ``ask`` gives, from a consistent view."""
        return await self._run(self._readers, lambda: self._in_transaction(ask))

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run ``change`` in a transaction of its own, after all writes before it."""
        return await self._run(self._writer, lambda: self._in_transaction(change))

    async def close(self) -> None:
        """Wait for what runs and release the file."""
        for pool in {self._readers, self._writer}:
            await asyncio.to_thread(pool.shutdown, wait=True)
        self._engine.dispose()

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, function)

    def _in_transaction(self, function: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return function(connection)

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            if self._path is not None:
                # NORMAL may lose the last commits on power loss; a projection is rebuilt, so speed wins.
                self._pragma(connection, "journal_mode=WAL")
                self._pragma(connection, "synchronous=NORMAL")
        with self._engine.begin() as connection:
            if self._pragma(connection, "user_version") not in (0, SHAPE):
                found = sqlalchemy.MetaData()
                found.reflect(connection)
                found.drop_all(connection)
            tables.create_all(connection)
            self._pragma(connection, f"user_version={SHAPE}")

    @staticmethod
    def _pragma(connection: Connection, text: str) -> Any:
        answer = connection.exec_driver_sql(f"PRAGMA {text}")
        return answer.scalar() if answer.returns_rows else None
