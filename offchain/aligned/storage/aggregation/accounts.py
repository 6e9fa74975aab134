"""What an address may submit: its next nonce and the quotas that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aligned.storage.postgres import Connection

_MAX_QUOTA_ROWS = 100
_NONCE = "SELECT next_nonce FROM accounts WHERE address = %s"
_QUOTA_ROWS = """
SELECT proofs, used, valid_from_s, valid_until_s FROM quotas
WHERE address = %s AND NOT orphaned AND valid_until_s > %s
ORDER BY valid_until_s, id LIMIT %s
"""


# The cursor of the payments poller, by the name that it has.
_PAYMENTS_READ = """
SELECT next_block, extract(epoch FROM now() - updated_at)::float8 AS idle_s FROM chain_cursor WHERE name = 'payments'
"""


@dataclass(frozen=True, slots=True)
class PaymentsRead:
    """How far payments were read.

    Attributes:
        next_block: payments of all blocks before it are known.
        idle_s: seconds since it moved.
    """

    next_block: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class Now:
    """The time at which quotas are judged, Unix seconds.

    Attributes:
        begun_s: a quota whose time began by then is usable; later than now, as the chain's clock may be ahead of ours.
    """

    now_s: int
    begun_s: int


async def next_nonce(conn: Connection, address: bytes) -> int:
    """The nonce that the next submission must have; 0 for an unknown address."""
    row = await (await conn.execute(_NONCE, (address,))).fetchone()
    return 0 if row is None else int(row["next_nonce"])


async def quota_rows(conn: Connection, address: bytes, now_s: int) -> list[dict[str, Any]]:
    """Payments that have not ended (those of the future too), the one that ends first first; 100 at most."""
    return await (await conn.execute(_QUOTA_ROWS, (address, now_s, _MAX_QUOTA_ROWS))).fetchall()


async def payments_read(conn: Connection) -> PaymentsRead | None:
    """How far the payments poller is; None when there was none yet."""
    row = await (await conn.execute(_PAYMENTS_READ)).fetchone()
    return None if row is None else PaymentsRead(**row)
