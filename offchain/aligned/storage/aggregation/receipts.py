"""Proofs as their submitters see them, read in one statement each."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aligned.storage.postgres import Connection

# A page with a filter looks at no more rows than this; it may be short, and its cursor goes on behind them.
_MAX_LOOKED_AT = 2_000
_COLUMNS = """
SELECT p.number, p.id, p.address, p.system, p.program_id, p.nonce, p.state, p.commitment, p.leaf, p.proof_hash,
       p.received_at, p.reject_code, p.reject_reason, p.leaf_index, p.path,
       array(SELECT state FROM proof_history h WHERE h.proof_id = p.id ORDER BY number) AS history_states,
       array(SELECT at FROM proof_history h WHERE h.proof_id = p.id ORDER BY number) AS history_times,
       array(SELECT detail FROM proof_history h WHERE h.proof_id = p.id ORDER BY number) AS history_details,
       a.id AS aggregation_id, a.level, a.not_proved, a.state AS aggregation_state, a.root, a.leaf_count,
       a.program_id AS aggregation_program_id, a.tx_hash, a.block_number, a.block_hash,
       array(SELECT versioned_hash FROM blobs b WHERE b.aggregation_id = a.id ORDER BY position) AS versioned_hashes
"""
_BY_ID = _COLUMNS + "FROM proofs p LEFT JOIN aggregations a ON a.id = p.aggregation_id WHERE p.id = %s"
_PAGE = (
    _COLUMNS
    + """
FROM (SELECT * FROM proofs WHERE address = %(address)s AND number < %(before)s
      ORDER BY number DESC LIMIT %(looked_at)s) p
LEFT JOIN aggregations a ON a.id = p.aggregation_id
WHERE %(state)s::text IS NULL OR p.state = %(state)s
ORDER BY p.number DESC LIMIT %(limit)s
"""
)
_LAST_LOOKED_AT = """
SELECT min(number) AS number, count(*) AS rows FROM (
    SELECT number FROM proofs WHERE address = %(address)s AND number < %(before)s
    ORDER BY number DESC LIMIT %(looked_at)s) p
"""
_HISTORY = """
SELECT number, state, at, detail FROM proof_history WHERE proof_id = %s AND number > %s ORDER BY number
"""


async def by_id(conn: Connection, proof_id: UUID) -> dict[str, Any] | None:
    """One proof with its history and its aggregation."""
    return await (await conn.execute(_BY_ID, (proof_id,))).fetchone()


async def page(
    conn: Connection, address: bytes, state: str | None, limit: int, before: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Proofs of an address below row number `before`, newest first.

    Returns:
        At most `limit` rows, and the row number below which the next page begins (None at the end).
    """
    looked_at = limit if state is None else _MAX_LOOKED_AT
    values = {"address": address, "before": before, "looked_at": looked_at, "state": state, "limit": limit}
    rows = await (await conn.execute(_PAGE, values)).fetchall()
    if len(rows) == limit:
        return rows, int(rows[-1]["number"])
    last = await (await conn.execute(_LAST_LOOKED_AT, values)).fetchone()
    assert last is not None
    return rows, int(last["number"]) if last["rows"] == looked_at else None


async def history_after(conn: Connection, proof_id: UUID, number: int) -> list[dict[str, Any]]:
    """Lines of the history behind line `number`, oldest first."""
    return await (await conn.execute(_HISTORY, (proof_id, number))).fetchall()
