"""What takes an aggregation back: its transaction was given up, or its root is revoked."""

from __future__ import annotations

from typing import LiteralString

from aligned.storage.aggregation import aggregations, leases
from aligned.storage.aggregation.aggregations import AggregationJob
from aligned.storage.postgres import Connection

_TAKE_BACK = """
UPDATE proofs SET state = 'proving', path = NULL, updated_at = now() WHERE aggregation_id = %s AND state = 'submitted'
"""
_REVOKE = """
UPDATE aggregations SET state = 'failed', revoked = TRUE, last_error = %s, lease_token = lease_token + 1,
                        leased_until = 'epoch', updated_at = now()
WHERE root = %s AND state IN ('submitted', 'mined', 'final') RETURNING id
"""
_REVOKE_PROOFS = """
WITH gone AS (
    UPDATE proofs SET state = 'rejected', reject_code = %s, reject_reason = %s, updated_at = now()
    WHERE aggregation_id = %s AND state IN ('submitted', 'mined', 'final') RETURNING quota_id
), counted AS (SELECT quota_id, count(*) AS proofs FROM gone WHERE quota_id IS NOT NULL GROUP BY quota_id
), held AS (SELECT quotas.id, counted.proofs FROM quotas JOIN counted ON quotas.id = quota_id
            ORDER BY valid_until_s, id FOR NO KEY UPDATE OF quotas)
UPDATE quotas SET used = greatest(used - held.proofs, 0) FROM held WHERE quotas.id = held.id
"""


async def cancelled(
    conn: Connection, job: AggregationJob, reason: str, cancel_tx: bytes | None, fee_wei: int, delay_s: float
) -> None:
    """Its transaction was given up: submitted → proved, for later. A cancel counts once, however often it is told."""
    changes: LiteralString = (
        "state = 'proved', last_error = %(reason)s, next_try_at = now() + make_interval(secs => %(delay_s)s),"
        " cancelled_wei = cancelled_wei + CASE WHEN cancel_tx IS DISTINCT FROM %(tx)s THEN %(fee)s ELSE 0 END,"
        " cost_wei = cost_wei + CASE WHEN cancel_tx IS DISTINCT FROM %(tx)s THEN %(fee)s ELSE 0 END,"
        " cancel_tx = %(tx)s, "
    )
    fields = {"reason": reason, "delay_s": delay_s, "tx": cancel_tx, "fee": fee_wei}
    await leases.write(conn, aggregations.TABLE, job.lease, changes + leases.RELEASE, fields)
    await conn.execute(_TAKE_BACK, (job.id,))


async def revoked(conn: Connection, root: bytes, reason: str) -> bool:
    """The contract's guardian revoked the root: it is failed, its proofs are rejected and their quota is given back."""
    row = await (await conn.execute(_REVOKE, (reason, root))).fetchone()
    if row is not None:
        await conn.execute(_REVOKE_PROOFS, (aggregations.ROOT_REVOKED, reason, row["id"]))
    return row is not None
