"""Single statements, each a transaction of its own: one round trip to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from aligned.core.errors import DependencyError
from aligned.storage.postgres import DATABASE_UNAVAILABLE, Connection, Database, Pool

T = TypeVar("T")


class Unanswered(DependencyError):
    """The database went silent while it had the statement: it may have been executed."""


class Statements:
    """Connections in autocommit beside those of a `Database`, which are not looked at before they are used."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        """What `query` returns. It only reads: on a connection that died it is tried again on another one.

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

    async def write(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        """What `query` returns, which is called once.

        Raises:
            DependencyError: database_unavailable; an Unanswered, if the statement may have been executed.
        """
        try:
            async with self._pool.connection() as conn:
                return await _answered(conn, query)
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise _unavailable(error) from error


async def _answered(conn: Connection, query: Callable[[Connection], Awaitable[T]]) -> T:
    """What a server refuses over a connection that lives on (a lock, a time limit), it has not done."""
    try:
        return await query(conn)
    except psycopg.OperationalError as error:
        if not conn.closed:
            raise
        raise Unanswered(DATABASE_UNAVAILABLE, f"{type(error).__name__}: {error}") from error


def _unavailable(error: Exception) -> DependencyError:
    return DependencyError(DATABASE_UNAVAILABLE, f"{type(error).__name__}: {error}")


@asynccontextmanager
async def open_statements(
    database: Database, size: int = 8, timeout_s: float = 5.0
) -> AsyncIterator[Statements]:
    """Connections of their own to the same database.

    Args:
        timeout_s: longest wait for a connection.
    """
    pool = database.statement_pool(size, timeout_s)
    await pool.open()
    try:
        yield Statements(pool)
    finally:
        await pool.close()
