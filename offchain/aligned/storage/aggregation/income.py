"""What users paid for proofs: each pays its share of its payment; grants and proofs of batches pay nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aligned.core.aggregation import AggregationSystem
from aligned.storage.postgres import Connection

_PENDING = """
SELECT quota_id, count(*) AS proofs FROM (SELECT quota_id FROM proofs WHERE system = %s AND state = 'pending'
                                          ORDER BY number LIMIT %s) next
WHERE quota_id IS NOT NULL GROUP BY quota_id
"""
_OPEN_CHUNKS = "SELECT id FROM chunks WHERE system = %s AND state IN ('proving', 'proved')"
_IN_CHUNKS = """
SELECT quota_id, count(*) AS proofs FROM proofs WHERE chunk_id = ANY(%s) AND quota_id IS NOT NULL GROUP BY quota_id
"""
# One row by its key at a time: a join would read all quotas from end to end.
_SHARES = """
SELECT coalesce(sum(taken.proofs * (SELECT div(payments.amount_wei, quotas.proofs) FROM quotas
                                    JOIN payments ON payments.id = quotas.payment_id
                                    WHERE quotas.id = taken.quota_id)), 0) AS paid_wei
FROM unnest(%s::bigint[], %s::bigint[]) AS taken (quota_id, proofs)
"""


async def of_waiting(conn: Connection, system: AggregationSystem, limit: int) -> int:
    """Wei paid for the proofs of one system that no aggregation has yet; of those in no chunk, the first `limit`."""
    found = await (await conn.execute(_OPEN_CHUNKS, (int(system),))).fetchall()
    pending = await (await conn.execute(_PENDING, (int(system), limit))).fetchall()
    return await of_chunks(conn, [row["id"] for row in found]) + await _shares(conn, pending)


async def of_chunks(conn: Connection, chunk_ids: Sequence[int]) -> int:
    """Wei paid for the proofs of these chunks."""
    rows = await (await conn.execute(_IN_CHUNKS, (list(chunk_ids),))).fetchall()
    return await _shares(conn, rows)


async def _shares(conn: Connection, taken: Sequence[dict[str, Any]]) -> int:
    values = ([row["quota_id"] for row in taken], [row["proofs"] for row in taken])
    row = await (await conn.execute(_SHARES, values)).fetchone()
    return 0 if row is None else int(row["paid_wei"])
