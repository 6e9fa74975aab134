"""Work under a lease: renewed while the work runs, and the work ends when the lease is somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, LiteralString, TypeVar

import structlog

from aligned.core.errors import DependencyError
from aligned.storage.aggregation import leases
from aligned.storage.aggregation.leases import Lease
from aligned.storage.postgres import Database

T = TypeVar("T")
# Several renewals may fail before the lease runs out.
_RENEWALS_PER_LEASE = 4
log = structlog.get_logger(__name__)


async def held(
    db: Database, table: LiteralString, lease: Lease, lease_s: float, work: Coroutine[Any, Any, T]
) -> T:
    """The result of `work`.

    Raises:
        ConflictError: lease_lost; the work was cancelled. Also whatever `work` raises.
    """

    async def renew() -> None:
        async with db.transaction() as conn:
            await leases.renew(conn, table, lease, lease_s)

    return await renewing(work, renew, lease_s / _RENEWALS_PER_LEASE)


async def renewing(work: Coroutine[Any, Any, T], renew: Callable[[], Awaitable[None]], every_s: float) -> T:
    """Runs `work` and calls `renew` meanwhile; an error of `renew` that will not pass by itself ends the work."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=every_s))[0]:
            try:
                await renew()
            except DependencyError as error:
                log.warning("lease_not_renewed", code=error.code, message=error.message)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
