"""Roots and the commitments under them: the archive that outlives the blobs."""

from __future__ import annotations

from typing import Any

from aligned.storage.aggregation.aggregations import ROOT_REVOKED
from aligned.storage.postgres import Connection

_COLUMNS = """
SELECT a.id, a.system, a.level, a.not_proved, a.state, a.root, a.leaf_count, a.program_id, a.cycles, a.tx_hash,
       a.block_number, a.block_hash, a.created_at, a.updated_at,
       array(SELECT versioned_hash FROM blobs b WHERE b.aggregation_id = a.id ORDER BY position) AS versioned_hashes,
       array(SELECT kzg_commitment FROM blobs b WHERE b.aggregation_id = a.id ORDER BY position) AS kzg_commitments
FROM aggregations a
"""
_PAGE = (
    _COLUMNS
    + """
WHERE a.state IN ('mined', 'final') AND a.id < %(before)s AND (%(system)s::smallint IS NULL OR a.system = %(system)s)
ORDER BY a.id DESC LIMIT %(limit)s
"""
)
_BY_ROOT = _COLUMNS + "WHERE a.root = %s AND a.state <> 'failed'"
# A revoked root stays on chain, and its proofs stay with it; those of other failed aggregations do not.
_REVOKED = (
    _COLUMNS
    + """
WHERE a.root = %s AND a.state = 'failed'
AND EXISTS (SELECT FROM proofs p WHERE p.aggregation_id = a.id AND p.reject_code = %s)
ORDER BY a.id DESC LIMIT 1
"""
)
_HISTORY = "SELECT state, at, detail FROM aggregation_history WHERE aggregation_id = %s ORDER BY number"
# The same commitments may be there twice (chunks.repeated).
_COMMITMENTS = """
SELECT DISTINCT ON (leaf_index) commitment FROM proofs
WHERE aggregation_id = %s AND leaf_index IS NOT NULL ORDER BY leaf_index
"""
_FILLERS = "SELECT leaf_count, fillers FROM aggregations WHERE id = %s"


async def page(
    conn: Connection, system: int | None, limit: int, before: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Aggregations on chain below id `before`, newest first, and the id below which the next page begins."""
    values = {"system": system, "limit": limit, "before": before}
    rows = await (await conn.execute(_PAGE, values)).fetchall()
    return rows, int(rows[-1]["id"]) if len(rows) == limit else None


async def by_root(conn: Connection, root: bytes) -> dict[str, Any] | None:
    """The aggregation with this root, unless it failed; else the newest one that was revoked."""
    found = await (await conn.execute(_BY_ROOT, (root,))).fetchone()
    return found or await (await conn.execute(_REVOKED, (root, ROOT_REVOKED))).fetchone()


async def history(conn: Connection, aggregation_id: int) -> list[dict[str, Any]]:
    """The states that an aggregation has been in, oldest first."""
    return await (await conn.execute(_HISTORY, (aggregation_id,))).fetchall()


async def commitments(conn: Connection, aggregation_id: int) -> list[bytes]:
    """The commitments of an aggregation in leaf order, as far as they have their place, then those of its fillers."""
    rows = await (await conn.execute(_COMMITMENTS, (aggregation_id,))).fetchall()
    found: list[bytes] = [row["commitment"] for row in rows]
    filler = await (await conn.execute(_FILLERS, (aggregation_id,))).fetchone()
    if filler is None or filler["fillers"] == 0:
        return found
    fillers = int(filler["fillers"])
    again = (int(filler["leaf_count"]) - len(found)) // fillers
    return found + found[-again:] * fillers
