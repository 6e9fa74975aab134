"""The queue of verified proofs: what waits, and taking some of it for a chunk. First in, first out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aligned.core.aggregation import AggregationSystem
from aligned.storage.postgres import Connection

# What more could wait makes no decision different.
_COUNT_LIMIT = 100_000
_LOAD = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM proofs WHERE system = %(system)s AND state = 'pending'
                              LIMIT %(limit)s) few) AS pending,
       coalesce(sum(leaf_count) FILTER (WHERE state = 'proving'), 0)::bigint AS proving,
       coalesce(sum(leaf_count) FILTER (WHERE state = 'proved'), 0)::bigint AS ready,
       count(*) FILTER (WHERE state = 'proving') AS proving_chunks,
       coalesce(bool_or(leaf_count < %(full)s), FALSE) AS has_partial,
       extract(epoch FROM now() - (SELECT received_at FROM proofs WHERE system = %(system)s AND state = 'pending'
                                   ORDER BY number LIMIT 1))::float8 AS pending_age_s,
       extract(epoch FROM now() - (SELECT min(p.received_at) FROM proofs p JOIN chunks c ON p.chunk_id = c.id
                                   WHERE c.system = %(system)s AND c.state IN ('proving', 'proved')
                                     AND p.chunk_position = 0))::float8 AS chunk_age_s
FROM chunks WHERE system = %(system)s AND state IN ('proving', 'proved')
"""
_CLAIM = """
SELECT id, commitment FROM proofs WHERE system = %s AND state = 'pending'
ORDER BY number LIMIT %s FOR UPDATE SKIP LOCKED
"""
_INTO_CHUNK = """
UPDATE proofs SET state = 'proving', chunk_id = %s, chunk_position = taken.position, updated_at = now()
FROM unnest(%s::uuid[], %s::int[]) AS taken (id, position) WHERE proofs.id = taken.id
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Proofs of one system that no aggregation has yet.

    Attributes:
        pending: proofs in no chunk.
        proving: proofs in chunks that are being proved.
        ready: proofs in proved chunks.
        proving_chunks: chunks that are being proved.
        has_partial: whether there is a chunk, proved or not, that is not full.
        age_s: time since the oldest of all of them arrived, None without any.
    """

    pending: int
    proving: int
    ready: int
    proving_chunks: int
    has_partial: bool
    age_s: float | None

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.proving + self.ready


@dataclass(frozen=True, slots=True)
class Claimed:
    """A proof that is about to be in a chunk."""

    id: UUID
    commitment: bytes


async def lock(conn: Connection, system: AggregationSystem) -> None:
    """Only one aggregator at a time plans for a system; held until the transaction ends."""
    await conn.execute(_LOCK, (f"aggregation:{int(system)}",))


async def lock_budget(conn: Connection) -> None:
    """Only one aggregation at a time takes from the budget, whatever its system; taken behind `lock`."""
    await conn.execute(_LOCK, ("aggregation:budget",))


async def waiting(conn: Connection, system: AggregationSystem, chunk_proofs: int) -> Waiting:
    """What waits for an aggregation; a full chunk has `chunk_proofs` proofs."""
    values = {"system": int(system), "limit": _COUNT_LIMIT, "full": chunk_proofs}
    row = await (await conn.execute(_LOAD, values)).fetchone()
    assert row is not None
    ages = [age for age in (row["pending_age_s"], row["chunk_age_s"]) if age is not None]
    return Waiting(
        pending=row["pending"],
        proving=row["proving"],
        ready=row["ready"],
        proving_chunks=row["proving_chunks"],
        has_partial=row["has_partial"],
        age_s=max(ages) if ages else None,
    )


async def claim(conn: Connection, system: AggregationSystem, limit: int) -> list[Claimed]:
    """The oldest pending proofs, locked until the transaction ends."""
    rows = await (await conn.execute(_CLAIM, (int(system), limit))).fetchall()
    return [Claimed(**row) for row in rows]


async def move_into_chunk(conn: Connection, chunk_id: int, proof_ids: Sequence[UUID]) -> None:
    """Puts proofs into a chunk in this order, out of the queue or out of another chunk."""
    await conn.execute(_INTO_CHUNK, (chunk_id, list(proof_ids), list(range(len(proof_ids)))))
