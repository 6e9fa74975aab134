"""Payments and the quotas that they bought, as the chain has them now.

All functions work in the caller's transaction, which moves the cursor of the events as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal
from uuid import UUID

from aligned.storage.postgres import Connection

_PAYMENT = """
INSERT INTO payments (tx_hash, event_index, log_index, kind, address, payer, amount_wei, block_number, block_hash)
VALUES (%(tx_hash)s, %(event_index)s, %(log_index)s, %(kind)s, %(address)s, %(payer)s, %(amount_wei)s, %(block_number)s,
        %(block_hash)s)
ON CONFLICT (tx_hash, event_index, address) DO UPDATE
SET log_index = excluded.log_index, kind = excluded.kind, payer = excluded.payer, amount_wei = excluded.amount_wei,
    block_number = excluded.block_number, block_hash = excluded.block_hash
RETURNING id
"""
# Terms may have changed in the chain's other history; a payment that now buys less than was used is used up.
_QUOTA = """
INSERT INTO quotas (payment_id, address, proofs, valid_from_s, valid_until_s)
VALUES (%(payment_id)s, %(address)s, %(proofs)s, %(valid_from_s)s, %(valid_until_s)s)
ON CONFLICT (payment_id) DO UPDATE
SET proofs = excluded.proofs, used = least(quotas.used, excluded.proofs), valid_from_s = excluded.valid_from_s,
    valid_until_s = excluded.valid_until_s, orphaned = FALSE
RETURNING id
"""
_RESTORE = "UPDATE proofs SET state = 'pending', updated_at = now() WHERE quota_id = %s AND state = 'unpaid'"
_ORPHAN = """
UPDATE quotas SET orphaned = TRUE FROM payments
WHERE payments.id = quotas.payment_id AND payments.block_number >= %s AND NOT quotas.orphaned
RETURNING quotas.id, quotas.address
"""
_HOLD = """
UPDATE proofs SET state = 'unpaid', updated_at = now() WHERE quota_id = ANY(%s) AND state = 'pending'
"""
_LOCK = """
SELECT id FROM quotas WHERE address = (SELECT address FROM proofs WHERE id = %s) ORDER BY valid_until_s, id FOR UPDATE
"""
# Everybody who needs several quotas takes them in this order; else two of them could wait for each other.
_LOCK_ACCOUNTS = "SELECT id FROM quotas WHERE address = ANY(%s) ORDER BY valid_until_s, id FOR UPDATE"
_LOCK_PAID_FROM = """
SELECT id FROM quotas WHERE address = ANY(SELECT address FROM payments WHERE block_number >= %s)
ORDER BY valid_until_s, id FOR UPDATE
"""
_LOCK_OF = """
SELECT id FROM quotas WHERE id IN (SELECT quota_id FROM proofs WHERE id = ANY(%s))
ORDER BY address, valid_until_s, id FOR NO KEY UPDATE
"""
_ROOM = """
SELECT id, proofs - used AS free FROM quotas
WHERE address = %s AND NOT orphaned AND used < proofs AND valid_until_s > extract(epoch FROM now())
ORDER BY valid_until_s, id FOR UPDATE
"""
_UNPAID = """
SELECT proofs.id, proofs.quota_id FROM quotas JOIN proofs ON proofs.quota_id = quotas.id
WHERE quotas.address = %s AND quotas.orphaned AND proofs.state = 'unpaid'
ORDER BY proofs.number LIMIT %s FOR UPDATE OF proofs
"""
_CHARGE = "UPDATE quotas SET used = used + %s WHERE id = %s"
# Not below 0: see _QUOTA, more proofs may name a quota than it counts.
_GIVE_BACK = "UPDATE quotas SET used = greatest(used - %s, 0) WHERE id = %s"
_MOVE = "UPDATE proofs SET quota_id = %s, state = 'pending', updated_at = now() WHERE id = ANY(%s)"
# Asked every few seconds. A whole number, as the column is: with a fraction no index would serve.
# The sum is what the index quotas_active is over.
_ACTIVE = """
SELECT count(DISTINCT address) AS active FROM quotas
WHERE NOT orphaned AND valid_until_s + 0 > floor(extract(epoch FROM now()))::bigint
"""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment or grant that the chain has.

    Attributes:
        event_index: number of the event among those of its transaction, from 0; the same in whatever block it is.
        address: 20 bytes, who may use the proofs.
        payer: 20 bytes, None for a grant.
        valid_until_s: Unix seconds, the first one that is not covered.
    """

    tx_hash: bytes
    event_index: int
    log_index: int
    kind: Literal["payment", "grant"]
    address: bytes
    payer: bytes | None
    amount_wei: int
    proofs: int
    valid_from_s: int
    valid_until_s: int
    block_number: int
    block_hash: bytes


async def record(conn: Connection, payments: Sequence[Payment]) -> None:
    """Writes payments; one that is there already (mined again, or read twice) keeps what was used of it.

    Proofs that wait for such a payment go on, and so do as many others of its account as the quota has room for.
    """
    await conn.execute(_LOCK_ACCOUNTS, ([payment.address for payment in payments],))
    for payment in payments:
        fields = asdict(payment)
        row = await (await conn.execute(_PAYMENT, fields)).fetchone()
        assert row is not None
        quota = await (await conn.execute(_QUOTA, fields | {"payment_id": row["id"]})).fetchone()
        assert quota is not None
        await conn.execute(_RESTORE, (quota["id"],))
    for address in sorted({payment.address for payment in payments}):
        await charge_unpaid(conn, address)


async def orphan_from(conn: Connection, block: int) -> None:
    """Takes back the payments of all blocks from `block` on; pending proofs that they paid become unpaid.

    The quotas come first: a proof that becomes pending meanwhile waits for this transaction and sees them orphaned.
    """
    await conn.execute(_LOCK_PAID_FROM, (block,))
    orphaned = await (await conn.execute(_ORPHAN, (block,))).fetchall()
    await conn.execute(_HOLD, ([row["id"] for row in orphaned],))
    for address in sorted({row["address"] for row in orphaned}):
        await charge_unpaid(conn, address)


async def lock_quotas(conn: Connection, proof_id: UUID) -> None:
    """Locks all quotas of a proof's account, before the proof itself is: everybody takes them in this order."""
    await conn.execute(_LOCK, (proof_id,))


async def lock_quotas_of(conn: Connection, proof_ids: Sequence[UUID]) -> None:
    """Locks what these proofs were charged to, in the order in which everybody takes several of them."""
    await conn.execute(_LOCK_OF, (list(proof_ids),))


async def charge_unpaid(conn: Connection, address: bytes) -> None:
    """Charges proofs whose own payment left the chain to other payments of the account, oldest proofs first."""
    for quota in await (await conn.execute(_ROOM, (address,))).fetchall():
        moved = await (await conn.execute(_UNPAID, (address, quota["free"]))).fetchall()
        if not moved:
            return
        for former, count in Counter(row["quota_id"] for row in moved).items():
            await conn.execute(_GIVE_BACK, (count, former))
        await conn.execute(_CHARGE, (len(moved), quota["id"]))
        await conn.execute(_MOVE, (quota["id"], [row["id"] for row in moved]))


async def active_accounts(conn: Connection) -> int:
    """Accounts with a payment or grant that has not run out of time."""
    row = await (await conn.execute(_ACTIVE)).fetchone()
    return 0 if row is None else int(row["active"])
