"""Aggregations: one root on its way to the chain. proving → proved → submitted → mined → final, or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import LiteralString

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import leases
from aligned.storage.aggregation.leases import Lease
from aligned.storage.postgres import Connection

TABLE: LiteralString = "aggregations"
ROOT_REVOKED = "root_revoked"
_COLUMNS: LiteralString = (
    "t.system, t.level, t.state, t.root, t.leaf_count, t.program_id, t.public_values, t.proof, t.tx_hash,"
    " t.block_number, t.block_hash, t.attempts, t.paid_wei, t.cancelled_wei,"
    " extract(epoch FROM now() - t.created_at)::float8 AS age_s"
)
_OPEN: LiteralString = "state = %s AND system = ANY(%s)"
_INSERT = """
INSERT INTO aggregations (system, level, root, leaf_count, program_id, fillers, cost_wei, paid_wei)
VALUES (%(system)s, %(level)s, %(root)s, %(leaf_count)s, %(program_id)s, %(fillers)s, %(cost_wei)s, %(paid_wei)s)
RETURNING id
"""
_JOIN = """
UPDATE chunks SET state = 'joined', aggregation_id = %s, position = joined.position, repeated = %s
FROM unnest(%s::bigint[], %s::int[]) AS joined (id, position) WHERE chunks.id = joined.id
"""
_PLACE = """
UPDATE proofs SET aggregation_id = %(id)s, leaf_index = placed.start + chunk_position, updated_at = now()
FROM unnest(%(chunks)s::bigint[], %(starts)s::int[]) AS placed (chunk_id, start)
WHERE proofs.chunk_id = placed.chunk_id
"""
# Locked: chunks that join it must be seen by whoever changes its state next.
_SAME_ROOT = "SELECT id, state FROM aggregations WHERE root = %s AND state <> 'failed' FOR SHARE"
# The last chunk once more for each filler.
_CHUNKS = """
SELECT c.id, c.result, a.fillers FROM chunks c JOIN aggregations a ON c.aggregation_id = a.id
WHERE a.id = %s AND NOT c.repeated ORDER BY c.position
"""
_BLOBS = (
    "SELECT kzg_commitment || opening_proof AS opening FROM blobs WHERE aggregation_id = %s ORDER BY position"
)
_INSERT_BLOB = """
INSERT INTO blobs (aggregation_id, position, versioned_hash, kzg_commitment, opening_proof) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (aggregation_id, position) DO UPDATE SET versioned_hash = EXCLUDED.versioned_hash,
    kzg_commitment = EXCLUDED.kzg_commitment, opening_proof = EXCLUDED.opening_proof
"""
_PATHS = """
UPDATE proofs SET path = found.path, state = %(state)s, updated_at = now()
FROM unnest(%(indices)s::int[], %(paths)s::bytea[]) AS found (leaf_index, path)
WHERE proofs.aggregation_id = %(id)s AND proofs.leaf_index = found.leaf_index AND proofs.state = 'proving'
"""
_PROOFS = """
UPDATE proofs SET state = %s, updated_at = now() WHERE aggregation_id = %s AND state = ANY(%s) AND state <> %s
"""
_FREE_PROOFS = """
UPDATE proofs SET state = 'proving', aggregation_id = NULL, leaf_index = NULL, path = NULL, updated_at = now()
WHERE aggregation_id = %s AND state IN ('proving', 'submitted', 'mined')
"""
_FREE_CHUNKS = """
UPDATE chunks SET state = 'proved', aggregation_id = NULL, position = NULL, repeated = FALSE
WHERE aggregation_id = %s RETURNING id
"""


@dataclass(frozen=True, slots=True)
class AggregationJob:
    """A leased aggregation; what is not known in its state is None."""

    lease: Lease
    system: AggregationSystem
    level: str
    state: str
    root: bytes
    leaf_count: int
    program_id: bytes
    public_values: bytes | None
    proof: bytes | None
    tx_hash: bytes | None
    block_number: int | None
    block_hash: bytes | None
    attempts: int
    paid_wei: int
    cancelled_wei: int
    age_s: float

    @property
    def id(self) -> int:
        """The row."""
        return self.lease.row_id


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A blob's names and its opening."""

    versioned_hash: bytes
    kzg_commitment: bytes
    opening_proof: bytes


@dataclass(frozen=True, slots=True)
class Mined:
    """Where a root was recorded."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """Chunks that are joined, with the leaf index at which each begins.

    Attributes:
        fillers: how many times more the last one stands in the aggregation; its proofs have their first places.
    """

    chunk_ids: list[int]
    starts: list[int]
    fillers: int = 0


@dataclass(frozen=True, slots=True)
class NewAggregation:
    """An aggregation that begins.

    Attributes:
        leaf_count: with those of fillers.
        cost_wei: an estimate, None where there are no prices; paid_wei: what the users of its proofs paid.
    """

    system: AggregationSystem
    level: str
    program_id: bytes
    root: bytes
    leaf_count: int
    parts: Parts
    cost_wei: int | None
    paid_wei: int


async def create(conn: Connection, new: NewAggregation) -> int:
    """A new aggregation of proved chunks."""
    values = {name: getattr(new, name) for name in NewAggregation.__slots__ if name != "parts"}
    values |= {"system": int(new.system), "fillers": new.parts.fillers}
    row = await (await conn.execute(_INSERT, values)).fetchone()
    assert row is not None
    await _join(conn, row["id"], new.parts, repeated=False)
    return int(row["id"])


async def same_root(conn: Connection, root: bytes) -> tuple[int, str] | None:
    """(id, state) of the aggregation that has this root already; the state stays so until the transaction ends."""
    row = await (await conn.execute(_SAME_ROOT, (root,))).fetchone()
    return None if row is None else (row["id"], row["state"])


async def repeat(
    conn: Connection, aggregation_id: int, state: str, parts: Parts, paths: Sequence[bytes]
) -> None:
    """Chunks with the very commitments of an aggregation that is on its way: they get its paths and its state."""
    await _join(conn, aggregation_id, parts, repeated=True)
    await place_paths(conn, aggregation_id, state, paths)


async def _join(conn: Connection, aggregation_id: int, parts: Parts, *, repeated: bool) -> None:
    positions = list(range(len(parts.chunk_ids)))
    await conn.execute(_JOIN, (aggregation_id, repeated, parts.chunk_ids, positions))
    await conn.execute(_PLACE, {"id": aggregation_id, "chunks": parts.chunk_ids, "starts": parts.starts})


async def place_paths(conn: Connection, aggregation_id: int, state: str, paths: Sequence[bytes]) -> None:
    """Writes path and state of the proofs that have none yet; path i is of leaf i."""
    values = {"id": aggregation_id, "state": state, "indices": list(range(len(paths))), "paths": list(paths)}
    await conn.execute(_PATHS, values)


async def lease(
    conn: Connection, state: str, systems: Sequence[int], lease_s: float
) -> AggregationJob | None:
    """The next aggregation in a state."""
    taken = await leases.take(conn, TABLE, _COLUMNS, _OPEN, (lease_s, state, list(systems)))
    if taken is None:
        return None
    held, row = taken
    typed = {"system": AggregationSystem(row["system"]), "paid_wei": int(row["paid_wei"])}
    typed["cancelled_wei"] = int(row["cancelled_wei"])
    return AggregationJob(held, **row | typed)


async def chunks_of(conn: Connection, aggregation_id: int) -> list[tuple[int, str]]:
    """(id, result) of its chunks in their order; the last one again for each filler."""
    rows = await (await conn.execute(_CHUNKS, (aggregation_id,))).fetchall()
    found = [(row["id"], row["result"]) for row in rows]
    return found + found[-1:] * (rows[-1]["fillers"] if rows else 0)


async def openings(conn: Connection, aggregation_id: int) -> bytes:
    """KZG commitment ‖ KZG proof of each blob: 96 bytes a blob."""
    rows = await (await conn.execute(_BLOBS, (aggregation_id,))).fetchall()
    return b"".join(row["opening"] for row in rows)


async def record_proof(
    conn: Connection,
    job: AggregationJob,
    public_values: bytes,
    proof: bytes,
    cycles: int | None,
    not_proved: str,
    blobs: Sequence[BlobRow],
) -> None:
    """The final proof is there: proving → proved."""
    for position, blob in enumerate(blobs):
        values = (job.id, position, blob.versioned_hash, blob.kzg_commitment, blob.opening_proof)
        await conn.execute(_INSERT_BLOB, values)
    changes: LiteralString = (
        "state = 'proved', public_values = %(public_values)s, proof = %(proof)s, cycles = %(cycles)s,"
        " not_proved = %(not_proved)s, last_error = NULL, attempts = 0, "
    )
    fields = {"public_values": public_values, "proof": proof, "cycles": cycles, "not_proved": not_proved}
    await leases.write(conn, TABLE, job.lease, changes + leases.RELEASE, fields)


async def submitted(conn: Connection, job: AggregationJob, paths: Sequence[bytes]) -> None:
    """It is given to the sender: proved → submitted. The lease is kept."""
    await leases.write(conn, TABLE, job.lease, "state = 'submitted', last_error = NULL")
    await place_paths(conn, job.id, "submitted", paths)


async def mined(conn: Connection, job: AggregationJob, where: Mined, cost_wei: int | None = None) -> None:
    """The root is on chain: submitted → mined, or mined elsewhere.

    Args:
        cost_wei: what it did cost; None keeps the estimate.
    """
    changes: LiteralString = (
        "state = 'mined', tx_hash = %(tx_hash)s, block_number = %(block_number)s, block_hash = %(block_hash)s,"
        " cost_wei = coalesce(%(cost_wei)s, cost_wei), last_error = NULL, attempts = 0, "
    )
    fields = asdict(where) | {"cost_wei": cost_wei}
    await leases.write(conn, TABLE, job.lease, changes + leases.RELEASE, fields)
    await _move_proofs(conn, job.id, "mined")


async def unmined(conn: Connection, job: AggregationJob, reason: str) -> None:
    """The root left the chain: mined → submitted."""
    changes: LiteralString = "state = 'submitted', last_error = %(reason)s, "
    await leases.write(conn, TABLE, job.lease, changes + leases.RELEASE, {"reason": reason})
    await _move_proofs(conn, job.id, "submitted")


async def final(conn: Connection, job: AggregationJob) -> None:
    """The root cannot leave the chain any more."""
    await leases.write(conn, TABLE, job.lease, "state = 'final', last_error = NULL, " + leases.RELEASE)
    await _move_proofs(conn, job.id, "final")


async def failed(
    conn: Connection, job: AggregationJob, reason: str, *, root_revoked: bool = False
) -> list[int]:
    """Given up: its chunks are free again, proofs and all. Their ids.

    Args:
        root_revoked: the chain has its root already, revoked, so that nothing with this root is ever begun again.
    """
    changes: LiteralString = "state = 'failed', last_error = %(reason)s, revoked = %(revoked)s, "
    fields = {"reason": reason, "revoked": root_revoked}
    await leases.write(conn, TABLE, job.lease, changes + leases.RELEASE, fields)
    await conn.execute(_FREE_PROOFS, (job.id,))
    return [row["id"] for row in await (await conn.execute(_FREE_CHUNKS, (job.id,))).fetchall()]


async def _move_proofs(conn: Connection, aggregation_id: int, state: str) -> None:
    await conn.execute(_PROOFS, (state, aggregation_id, ["submitted", "mined"], state))
