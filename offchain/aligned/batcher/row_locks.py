"""Locks on several submissions at once, always in the order of their ids.

Two transactions that change some of the same rows then never wait for each other, whatever order each names them in.
"""

from __future__ import annotations

from collections.abc import Sequence

from aligned.storage.postgres import Connection

_LOCK = "SELECT 1 AS one FROM submission WHERE {} ORDER BY id FOR NO KEY UPDATE"
_BY_ID = _LOCK.format("id = ANY(%s)")
_BY_BATCH = _LOCK.format("batch_number = %s")
_FORMER = _LOCK.format("id = ANY((SELECT member_ids FROM batch WHERE number = %s)::bigint[])")


async def hold(conn: Connection, ids: Sequence[int]) -> None:
    """Waits for these rows, and keeps them until the transaction ends."""
    await conn.execute(_BY_ID, (list(ids),))


async def try_hold(conn: Connection, ids: Sequence[int]) -> bool:
    """As `hold`, but False instead of waiting: for who holds rows already, whatever their place in the order."""
    cursor = await conn.execute(f"{_BY_ID} SKIP LOCKED", (list(ids),))
    return cursor.rowcount == len(set(ids))


async def hold_batch(conn: Connection, number: int) -> None:
    """As `hold`, for the members of a batch."""
    await conn.execute(_BY_BATCH, (number,))


async def hold_former(conn: Connection, number: int) -> None:
    """As `hold`, for those that were in a batch when it was taken apart."""
    await conn.execute(_FORMER, (number,))
