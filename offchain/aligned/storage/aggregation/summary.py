"""What the aggregations so far say together: failures in a row, spending, revoked roots, how many are open."""

from __future__ import annotations

from typing import Any

from aligned.core.aggregation import AggregationSystem
from aligned.storage.postgres import Connection

# A revoked root says nothing about the prover: what comes next has another one.
_FAILURES = """
SELECT count(*) AS failures, coalesce(extract(epoch FROM now() - max(updated_at)), 0)::float8 AS age_s
FROM aggregations WHERE system = %s AND state = 'failed' AND NOT revoked
AND id > coalesce((SELECT max(id) FROM aggregations WHERE system = %s AND state IN ('mined', 'final')), 0)
"""
# Asked at every poll: from the newest one backwards, and by the states short of final, few rows are read.
_LAST = """
SELECT extract(epoch FROM created_at)::float8 AS at_s FROM aggregations WHERE system = %s AND state <> 'failed'
ORDER BY id DESC LIMIT 1
"""
_SPENT = """
SELECT coalesce(sum(cost_wei), 0) AS spent_wei FROM aggregations
WHERE created_at > now() - make_interval(secs => %s) AND cost_wei > paid_wei AND id IS DISTINCT FROM %s
"""
_OLDEST = """
SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 AS age_s FROM proofs WHERE aggregation_id = %s
"""
_REVOKED = "SELECT 1 FROM aggregations WHERE revoked AND root = %s LIMIT 1"
_PROVING = "SELECT 1 FROM aggregations WHERE state = 'proving' AND system = %s LIMIT 1"
_COUNTS = """
SELECT system, state, count(*) AS rows FROM aggregations
WHERE state IN ('proving', 'proved', 'submitted', 'mined', 'failed') GROUP BY system, state
"""


async def failures(conn: Connection, system: AggregationSystem) -> tuple[int, float]:
    """(how many failed since the last success, seconds since the last of them)."""
    row = await (await conn.execute(_FAILURES, (int(system), int(system)))).fetchone()
    assert row is not None
    return row["failures"], row["age_s"]


async def last_created_s(conn: Connection, system: AggregationSystem) -> float | None:
    """When the newest one was begun, Unix seconds."""
    row = await (await conn.execute(_LAST, (int(system),))).fetchone()
    return None if row is None else row["at_s"]


async def spent_wei(conn: Connection, window_s: float, but_for: int | None = None) -> int:
    """What those cost that began in the last `window_s` seconds and were not paid for by their proofs.

    Args:
        but_for: an aggregation that is left out.
    """
    row = await (await conn.execute(_SPENT, (window_s, but_for))).fetchone()
    return 0 if row is None else int(row["spent_wei"])


async def oldest_age_s(conn: Connection, aggregation_id: int) -> float:
    """How long the oldest proof of an aggregation has waited, in seconds."""
    row = await (await conn.execute(_OLDEST, (aggregation_id,))).fetchone()
    assert row is not None
    return float(row["age_s"])


async def is_revoked(conn: Connection, root: bytes) -> bool:
    """Whether a root was once seen to be revoked."""
    return await (await conn.execute(_REVOKED, (root,))).fetchone() is not None


async def is_proving(conn: Connection, system: AggregationSystem) -> bool:
    """Whether one waits for its final proof."""
    found = await conn.execute(_PROVING, (int(system),))
    return await found.fetchone() is not None


async def counts(conn: Connection) -> list[dict[str, Any]]:
    """How many are in each state short of final."""
    return await (await conn.execute(_COUNTS)).fetchall()
