"""PostgreSQL access: one asynchronous pool per process, plain SQL, rows as dictionaries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from aligned.core.errors import DependencyError, InvariantError
from aligned.storage.migrate import apply_migrations

DATABASE_UNAVAILABLE = "database_unavailable"
# A session that hangs, waits for a lock, or sleeps in a transaction must not hold others up for ever.
_SESSION = {
    "statement_timeout": 30_000,
    "lock_timeout": 15_000,
    "idle_in_transaction_session_timeout": 60_000,
}
# A server that vanished without a word (TCP only) is given up after about as long as a lock.
_NETWORK = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

_PASSING = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
# PostgreSQL ended the transaction for the sake of another one, and did nothing of it.
_VICTIM = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_ATTEMPTS = 6
_FIRST_PAUSE_S = 0.02

T = TypeVar("T")

log = structlog.get_logger(__name__)

Connection = psycopg.AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections of a pool now, and who had to wait for one since the start."""

    busy: int
    idle: int
    waiting: int
    waits: int
    wait_s: float


class Database:
    """A pool of connections to one database.

    Args:
        url: `postgresql://` URL or libpq connection string.
        timeout_s: longest wait for a connection.
    """

    def __init__(self, url: str, *, min_size: int = 1, max_size: int = 8, timeout_s: float = 15.0) -> None:
        self._pool: Pool | None = None
        self._url = url
        self._sizes = (min_size, max_size)
        self._timeout_s = timeout_s
        self._repeats = 0

    @property
    def repeats(self) -> int:
        """How often `run` tried a transaction again, since the start."""
        return self._repeats

    def use(self) -> PoolUse:
        """How the pool is used."""
        stats = {} if self._pool is None else self._pool.get_stats()
        idle = stats.get("pool_available", 0)
        return PoolUse(
            busy=stats.get("pool_size", 0) - idle,
            idle=idle,
            waiting=stats.get("requests_waiting", 0),
            waits=stats.get("requests_queued", 0),
            wait_s=stats.get("requests_wait_ms", 0) / 1_000,
        )

    async def open(self) -> Self:
        """Connects.

        Raises:
            DependencyError: database_unavailable.
        """
        min_size, max_size = self._sizes
        pool: Pool = AsyncConnectionPool(
            self._url,
            connection_class=Connection,
            min_size=min_size,
            max_size=max_size,
            timeout=self._timeout_s,
            kwargs=_limits(self._url) | {"row_factory": dict_row},
            # A connection that died with the server is replaced here, not handed to the caller.
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        try:
            await pool.open(wait=True, timeout=self._timeout_s)
        except PoolTimeout as error:
            await pool.close()
            raise DependencyError(DATABASE_UNAVAILABLE, f"no connection after {self._timeout_s} s") from error
        self._pool = pool
        return self

    async def close(self) -> None:
        """Gives all connections back; no error when it was never opened."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def statement_pool(self, size: int, timeout_s: float) -> Pool:
        """A second pool to the same database, not opened: for single statements, each a transaction of its own.

        Its connections are not looked at before they are handed out (see `statements.Statements`).
        """
        return AsyncConnectionPool(
            self._url,
            connection_class=Connection,
            min_size=1,
            max_size=size,
            timeout=timeout_s,
            kwargs=_limits(self._url) | {"row_factory": dict_row, "autocommit": True},
            open=False,
        )

    def pool(self) -> Pool:
        """The open pool."""
        if self._pool is None:
            raise InvariantError("database_not_open", "call open() first")
        return self._pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction: commits at the end, rolls back on any error.

        Raises:
            DependencyError: database_unavailable for a lost server, a full pool, a deadlock, a serialization
                failure, or a time limit of the session. Other database errors (constraint violations) pass as
                psycopg raises them.
        """
        try:
            async with self.pool().connection() as conn, conn.transaction():
                yield conn
        except (*_PASSING, PoolTimeout) as error:
            raise _unavailable(error) from error

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` returns, in a transaction of its own.

        A transaction that loses a deadlock, or cannot be serialised, is tried again at once, a few times.

        Args:
            work: may be called several times, so it does nothing but speak to this connection.

        Raises:
            DependencyError: see `transaction`.
        """
        for attempt in range(1, _ATTEMPTS):
            try:
                async with self.pool().connection() as conn, conn.transaction():
                    return await work(conn)
            except _VICTIM as error:
                self._repeats += 1
                log.warning("transaction_repeated", error=type(error).__name__, attempt=attempt)
            except (*_PASSING, PoolTimeout) as error:
                raise _unavailable(error) from error
            # Not in step with whoever won: it may try the same again.
            await asyncio.sleep(random.uniform(0, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311
        async with self.transaction() as conn:
            return await work(conn)


def _unavailable(error: Exception) -> DependencyError:
    return DependencyError(DATABASE_UNAVAILABLE, f"{type(error).__name__}: {error}")


def _limits(url: str) -> dict[str, Any]:
    """Connection parameters; what the URL says itself has precedence."""
    given = conninfo_to_dict(url)
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    network = {name: value for name, value in _NETWORK.items() if name not in given}
    # The server takes the last of two values.
    return network | {"options": f"{ours} {given.get('options') or ''}".strip()}


async def migrate(db: Database, role: str) -> list[str]:
    """Brings the schema of the common tables and of `role` up to date.

    Returns:
        Names of the files applied now.

    Raises:
        InvariantError: an applied file changed or vanished, or numbers are not 1, 2, 3…
    """
    async with db.transaction() as conn:
        return [*await apply_migrations(conn, "common"), *await apply_migrations(conn, role)]
