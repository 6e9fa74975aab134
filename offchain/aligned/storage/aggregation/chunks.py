"""Chunks: proofs that are proved together. proving → proved → joined, or split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import leases, queue
from aligned.storage.aggregation.leases import Lease
from aligned.storage.postgres import Connection

TABLE: LiteralString = "chunks"
_COLUMNS: LiteralString = (
    "t.system, t.level, t.root, t.leaf_count, t.attempts, t.created_at::text AS created_at,"
    " t.updated_at::text AS updated_at"
)
_OPEN: LiteralString = "state = 'proving' AND system = ANY(%s)"
_INSERT = "INSERT INTO chunks (system, level, root, leaf_count) VALUES (%s, %s, %s, %s) RETURNING id"
_PROOFS = """
SELECT id, source, proof_object, proof_hash, program_key, public_inputs, commitment, size_bytes FROM proofs
WHERE chunk_id = %s ORDER BY chunk_position
"""
# A chunk's updated_at is when it was proved.
_WORKED_SINCE = """
SELECT 1 FROM chunks WHERE system = %s AND level = %s AND state IN ('proved', 'joined')
AND id <> %s AND updated_at > %s::timestamptz LIMIT 1
"""
_REJECTED = """
SELECT count(*) AS rejected FROM chunks WHERE system = %(system)s AND state = 'split' AND leaf_count = 1
AND updated_at > coalesce((SELECT max(updated_at) FROM chunks
                           WHERE system = %(system)s AND state IN ('proved', 'joined')), '-infinity')
"""
_READY = """
SELECT id, leaf_count FROM chunks WHERE system = %s AND level = %s AND state = 'proved' ORDER BY id FOR UPDATE
"""
_COMMITMENTS = """
SELECT chunk_id, commitment FROM proofs WHERE chunk_id = ANY(%s) ORDER BY chunk_id, chunk_position
"""
_RELEVEL = """
UPDATE chunks SET level = %s, state = 'proving', result = NULL, attempts = 0, updated_at = now()
WHERE system = %s AND level <> %s AND (state = 'proved' OR (state = 'proving' AND leased_until < now()))
"""
_AGAIN = """
WITH old AS (SELECT id, result FROM chunks WHERE id = %s AND state = 'proved' FOR UPDATE)
UPDATE chunks SET state = 'proving', aggregation_id = NULL, position = NULL, repeated = FALSE, result = NULL,
                  attempts = attempts + 1, last_error = %s, updated_at = now()
FROM old WHERE chunks.id = old.id RETURNING old.result
"""
_CLEANABLE = """
SELECT c.id, c.result, array_agg(p.proof_object) AS objects FROM chunks c JOIN aggregations a ON c.aggregation_id = a.id
JOIN proofs p ON p.chunk_id = c.id
WHERE a.id = %s AND c.state = 'joined' AND c.result <> '' GROUP BY c.id
"""
_TO_CLEAN = """
SELECT DISTINCT c.aggregation_id FROM chunks c JOIN aggregations a ON c.aggregation_id = a.id
WHERE a.state IN ('final', 'failed') AND c.state = 'joined' AND c.result <> '' ORDER BY c.aggregation_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class ChunkJob:
    """A leased chunk; `updated_at` is when it was made, or failed last."""

    lease: Lease
    system: AggregationSystem
    level: str
    root: bytes
    leaf_count: int
    attempts: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class ChunkProof:
    """A proof in a chunk."""

    id: UUID
    source: str
    proof_object: str
    proof_hash: bytes
    program_key: bytes
    public_inputs: bytes
    commitment: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """A chunk's result folder and the objects of its proofs."""

    id: int
    result: str
    objects: list[str]


async def create(
    conn: Connection, system: AggregationSystem, level: str, root: bytes, proof_ids: Sequence[UUID]
) -> int:
    """A new chunk of these proofs, to be proved."""
    row = await (await conn.execute(_INSERT, (int(system), level, root, len(proof_ids)))).fetchone()
    assert row is not None
    await queue.move_into_chunk(conn, row["id"], proof_ids)
    return int(row["id"])


async def lease(conn: Connection, systems: Sequence[int], lease_s: float) -> ChunkJob | None:
    """The next chunk to prove."""
    taken = await leases.take(conn, TABLE, _COLUMNS, _OPEN, (lease_s, list(systems)))
    if taken is None:
        return None
    held, row = taken
    return ChunkJob(held, **row | {"system": AggregationSystem(row["system"])})


async def proofs_of(conn: Connection, chunk_id: int) -> list[ChunkProof]:
    """The proofs of a chunk in their order."""
    return [ChunkProof(**row) for row in await (await conn.execute(_PROOFS, (chunk_id,))).fetchall()]


async def finish(conn: Connection, job: ChunkJob, result: str) -> None:
    """The chunk is proved."""
    changes: LiteralString = "state = 'proved', result = %(result)s, last_error = NULL, attempts = 0, "
    await leases.write(conn, TABLE, job.lease, changes + leases.RELEASE, {"result": result})


async def close_split(conn: Connection, job: ChunkJob, reason: str) -> None:
    """The chunk is given up; its proofs have gone into others, or were rejected."""
    changes: LiteralString = "state = 'split', last_error = %(reason)s, "
    await leases.write(conn, TABLE, job.lease, changes + leases.RELEASE, {"reason": reason})


async def worked_since(conn: Connection, job: ChunkJob, since: str) -> bool:
    """Whether the engine has proved another chunk since one of the job's times."""
    values = (int(job.system), job.level, job.lease.row_id, since)
    return await (await conn.execute(_WORKED_SINCE, values)).fetchone() is not None


async def rejected_in_a_row(conn: Connection, job: ChunkJob) -> int:
    """How many chunks of one proof the system's engine refused since it proved any."""
    row = await (await conn.execute(_REJECTED, {"system": int(job.system)})).fetchone()
    assert row is not None
    return int(row["rejected"])


async def ready(conn: Connection, system: AggregationSystem, level: str, max_proofs: int) -> list[int]:
    """Proved chunks, oldest first, as many as one aggregation takes; locked."""
    rows = await (await conn.execute(_READY, (int(system), level))).fetchall()
    taken: list[int] = []
    proofs = 0
    for row in rows:
        # One chunk is always taken: it may be from before a change of the settings.
        if taken and proofs + row["leaf_count"] > max_proofs:
            break
        taken.append(row["id"])
        proofs += row["leaf_count"]
    return taken


async def commitments(conn: Connection, chunk_ids: Sequence[int]) -> list[list[bytes]]:
    """The commitments of each chunk in their order."""
    rows = await (await conn.execute(_COMMITMENTS, (list(chunk_ids),))).fetchall()
    found: dict[int, list[bytes]] = {chunk_id: [] for chunk_id in chunk_ids}
    for row in rows:
        found[row["chunk_id"]].append(row["commitment"])
    return [found[chunk_id] for chunk_id in chunk_ids]


async def relevel(conn: Connection, system: AggregationSystem, level: str) -> int:
    """After a change of the level: chunks of another one are proved anew. How many."""
    return (await conn.execute(_RELEVEL, (level, int(system), level))).rowcount


async def prove_again(conn: Connection, chunk_id: int, reason: str) -> str | None:
    """The result of a proved chunk is gone or unusable. Its folder, which would be taken for finished work again."""
    row = await (await conn.execute(_AGAIN, (chunk_id, reason))).fetchone()
    return None if row is None else row["result"]


async def to_clean(conn: Connection, limit: int) -> list[int]:
    """Final aggregations, and revoked ones, whose chunks still have files."""
    rows = await (await conn.execute(_TO_CLEAN, (limit,))).fetchall()
    return [row["aggregation_id"] for row in rows]


async def files_of(conn: Connection, aggregation_id: int) -> list[ChunkFiles]:
    """What the chunks of an aggregation left outside the database, as far as it is not cleaned."""
    rows = await (await conn.execute(_CLEANABLE, (aggregation_id,))).fetchall()
    return [ChunkFiles(**row) for row in rows]


async def cleaned(conn: Connection, chunk_ids: Sequence[int]) -> None:
    """Nothing of these chunks is left outside the database."""
    await conn.execute("UPDATE chunks SET result = '' WHERE id = ANY(%s)", (list(chunk_ids),))
