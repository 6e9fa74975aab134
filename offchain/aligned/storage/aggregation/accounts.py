"""What an address may submit: its next nonce and the quotas that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aligned.storage.postgres import Connection

_MAX_QUOTA_ROWS = 100
# `used < proofs` is no part of the WHERE: whoever is told "used up" has paid, others have not.
_STANDING = """
SELECT coalesce((SELECT next_nonce FROM accounts WHERE address = %(address)s), 0) AS next_nonce,
       count(*) > 0 AS paid, coalesce(sum(proofs - used), 0)::bigint AS remaining
FROM quotas
WHERE address = %(address)s AND NOT orphaned AND valid_from_s <= %(begun_s)s AND valid_until_s > %(now_s)s
"""
_NONCE = "SELECT next_nonce FROM accounts WHERE address = %s"
_QUOTA_ROWS = """
SELECT proofs, used, valid_from_s, valid_until_s FROM quotas
WHERE address = %s AND NOT orphaned AND valid_until_s > %s
ORDER BY valid_until_s, id LIMIT %s
"""
# The row is made on the first submission, which only a payer gets to; then it is the lock.
_LOCK = """
INSERT INTO accounts (address) VALUES (%s)
ON CONFLICT (address) DO UPDATE SET next_nonce = accounts.next_nonce
RETURNING next_nonce
"""


@dataclass(frozen=True, slots=True)
class Now:
    """The time at which quotas are judged, Unix seconds.

    Attributes:
        begun_s: a quota whose time began by then is usable; later than now, as the chain's clock may be ahead of ours.
    """

    now_s: int
    begun_s: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What an address may submit now.

    Attributes:
        paid: there is a payment in its time, used up or not.
    """

    next_nonce: int
    paid: bool
    remaining: int


async def standing(conn: Connection, address: bytes, now: Now) -> Standing:
    """Nonce and quota together, without a lock."""
    values = {"address": address, "now_s": now.now_s, "begun_s": now.begun_s}
    row = await (await conn.execute(_STANDING, values)).fetchone()
    assert row is not None
    return Standing(row["next_nonce"], row["paid"], row["remaining"])


async def lock(conn: Connection, address: bytes) -> int:
    """Takes the lock of an account until the end of the transaction and returns its next nonce."""
    row = await (await conn.execute(_LOCK, (address,))).fetchone()
    assert row is not None
    return int(row["next_nonce"])


async def next_nonce(conn: Connection, address: bytes) -> int:
    """The nonce that the next submission must have; 0 for an unknown address."""
    row = await (await conn.execute(_NONCE, (address,))).fetchone()
    return 0 if row is None else int(row["next_nonce"])


async def quota_rows(conn: Connection, address: bytes, now_s: int) -> list[dict[str, Any]]:
    """Payments that have not ended (those of the future too), the one that ends first first; 100 at most."""
    return await (await conn.execute(_QUOTA_ROWS, (address, now_s, _MAX_QUOTA_ROWS))).fetchall()
