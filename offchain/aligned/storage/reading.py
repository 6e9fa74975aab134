"""Reads that need no transaction: one statement, one round trip to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from aligned.core.errors import DependencyError
from aligned.storage.postgres import DATABASE_UNAVAILABLE, Connection, Database, Pool

T = TypeVar("T")


class Reader:
    """Connections in autocommit beside those of `database`, which are not looked at before they are used.

    A statement on a connection that died with its server is tried once more on another one, which is safe because
    everything here only reads.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        """What `query` returns; it may be called twice.

        Raises:
            DependencyError: database_unavailable.
        """
        for attempt in range(self._pool.max_size + 1):
            try:
                async with self._pool.connection() as conn:
                    return await query(conn)
            except PoolTimeout as error:
                raise _unavailable(error) from error
            except psycopg.OperationalError as error:
                # After a restart of the server all connections of the pool are dead, one after the other.
                if attempt == self._pool.max_size or not conn.closed:
                    raise _unavailable(error) from error
        raise AssertionError("unreachable")


def _unavailable(error: Exception) -> DependencyError:
    return DependencyError(DATABASE_UNAVAILABLE, f"{type(error).__name__}: {error}")


@asynccontextmanager
async def open_reader(database: Database, size: int = 4, timeout_s: float = 5.0) -> AsyncIterator[Reader]:
    """A reader with connections of its own to the same database.

    Args:
        timeout_s: longest wait for a connection.
    """
    pool = database.read_pool(size, timeout_s)
    await pool.open()
    try:
        yield Reader(pool)
    finally:
        await pool.close()
