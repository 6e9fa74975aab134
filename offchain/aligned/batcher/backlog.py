"""What waits for chain and money, for metrics."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Backlog:
    """Ages are 0 where nothing waits.

    Attributes:
        overdue_proofs: accepted, not on chain, behind the deadline of their receipt.
        unsettled_wei: what is held for payers, and at most what is left of their answer fees.
    """

    overdue_proofs: int
    unposted_age_s: float
    unanswered_age_s: float
    unsettled_batches: int
    unsettled_wei: int


async def read(conn: Connection) -> Backlog:
    """The present backlog; each part comes from a partial index."""
    cursor = await conn.execute(
        """
        SELECT overdue.n AS overdue_proofs, coalesce(unposted.age, 0)::float8 AS unposted_age_s,
            coalesce(unanswered.age, 0)::float8 AS unanswered_age_s, unsettled.n AS unsettled_batches,
            coalesce(unsettled.wei, 0) AS unsettled_wei
        FROM (SELECT count(*) AS n FROM submission
                WHERE state = 'queued' AND deadline_s < extract(epoch FROM now())) AS overdue,
            (SELECT extract(epoch FROM now() - min(created_at)) AS age FROM batch
                WHERE state IN ('building', 'uploaded')) AS unposted,
            (SELECT extract(epoch FROM now() - min(posted_at)) AS age FROM batch WHERE state = 'posted') AS unanswered,
            (SELECT count(*) AS n, sum(held_wei + payers_fee_wei) AS wei FROM batch
                WHERE final AND state IN ('verified', 'expired') AND NOT settled) AS unsettled
        """
    )
    row = await cursor.fetchone()
    assert row is not None
    return Backlog(**(row | {"unsettled_wei": int(row["unsettled_wei"])}))
