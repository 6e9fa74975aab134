"""Many calls at once against one database, none of which may end in a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aligned.storage.postgres import Connection, Database, migrate

T = TypeVar("T")
CALLS = 16


@asynccontextmanager
async def wide_database(url: str, role: str) -> AsyncIterator[Database]:
    """A connection for each call, all of them open."""
    async with Database(url, min_size=CALLS, max_size=CALLS) as db:
        await migrate(db, role)
        yield db


async def together(db: Database, *calls: Awaitable[T]) -> list[T]:
    """What the calls return; fails when PostgreSQL ended one of them for the sake of another."""
    repeats = db.repeats
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    assert db.repeats == repeats, "a transaction lost a deadlock and was tried again"
    return [result for result in results if not isinstance(result, BaseException)]


async def transaction(db: Database, work: Callable[[Connection], Awaitable[T]]) -> T:
    """As the roles do it."""
    async with db.transaction() as conn:
        return await work(conn)
