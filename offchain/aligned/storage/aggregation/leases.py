"""Leases on rows: who works on a row, and until when the others leave it alone.

Every lease has a number (the fencing token). What a worker writes, it writes for its number only; one whose lease was
taken over writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from aligned.core.errors import ConflictError
from aligned.storage.postgres import Connection

LEASE_LOST = "lease_lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on a row.

    Attributes:
        row_id: of the row.
        token: number of this lease.
        taken_over: whether another worker's lease ran out before.
    """

    row_id: int
    token: int
    taken_over: bool


async def take(
    conn: Connection,
    table: LiteralString,
    columns: LiteralString,
    where: LiteralString,
    values: Sequence[object],
) -> tuple[Lease, dict[str, Any]] | None:
    """Leases one row that is due and free, the oldest first; the lease's length is the first of `values`."""
    found = await conn.execute(
        f"UPDATE {table} t SET leased_until = now() + make_interval(secs => %s), lease_token = lease_token + 1"
        f" FROM (SELECT id, leased_until > 'epoch' AS taken_over FROM {table} WHERE {where}"
        "       AND next_try_at <= now() AND leased_until < now() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) free"
        f" WHERE t.id = free.id RETURNING t.id AS row_id, t.lease_token AS token, free.taken_over, {columns}",
        values,
    )
    row = await found.fetchone()
    if row is None:
        return None
    return Lease(row.pop("row_id"), row.pop("token"), row.pop("taken_over")), row


async def renew(conn: Connection, table: LiteralString, lease: Lease, lease_s: float) -> None:
    """Keeps a lease.

    Raises:
        ConflictError: lease_lost.
    """
    found = await conn.execute(
        f"UPDATE {table} SET leased_until = now() + make_interval(secs => %s) WHERE id = %s AND lease_token = %s",
        (lease_s, lease.row_id, lease.token),
    )
    _check(found.rowcount, table, lease)


async def write(
    conn: Connection,
    table: LiteralString,
    lease: Lease,
    changes: LiteralString,
    values: Mapping[str, object] | None = None,
) -> None:
    """Changes the leased row.

    Raises:
        ConflictError: lease_lost; the caller's transaction must end with it.
    """
    found = await conn.execute(
        f"UPDATE {table} SET {changes}, updated_at = now() WHERE id = %(row_id)s AND lease_token = %(token)s",
        dict(values or {}) | {"row_id": lease.row_id, "token": lease.token},
    )
    _check(found.rowcount, table, lease)


def _check(rows: int, table: str, lease: Lease) -> None:
    if rows != 1:
        raise ConflictError(LEASE_LOST, f"{table} {lease.row_id}: lease {lease.token} was taken over")


RELEASE: LiteralString = "leased_until = 'epoch'"


async def postpone(
    conn: Connection, table: LiteralString, lease: Lease, error: str | None, delay_s: float, *, failed: bool
) -> None:
    """Gives the row back for later; a failure counts as an attempt."""
    changes: LiteralString = (
        RELEASE
        + ", next_try_at = now() + make_interval(secs => %(delay_s)s), attempts = attempts + %(failed)s,"
        " last_error = coalesce(%(error)s, last_error)"
    )
    await write(conn, table, lease, changes, {"delay_s": delay_s, "failed": int(failed), "error": error})
