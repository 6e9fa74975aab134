"""Fast-mode batches whose proofs are aggregated too: from their announcement to rows in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from aligned.core.aggregation import AggregationSystem
from aligned.storage.postgres import Connection

_ADD = """
INSERT INTO intake_batches (batch_root, sender, block_number, block_hash, pointer)
VALUES (%(root)s, %(sender)s, %(block_number)s, %(block_hash)s, %(pointer)s) ON CONFLICT DO NOTHING
"""
_DROP = "DELETE FROM intake_batches WHERE block_number >= %s"
# The next try doubles as the lease: whoever dies over a batch leaves it to others after that time.
_CLAIM = """
UPDATE intake_batches SET attempts = attempts + 1, next_try_at = now() + make_interval(secs => %(lease_s)s)
WHERE (batch_root, sender, block_number) = (
    SELECT batch_root, sender, block_number FROM intake_batches
    WHERE state = 'new' AND next_try_at <= now() AND seen_at <= %(seen_by)s
    ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING batch_root AS root, sender, block_number, block_hash, pointer, attempts
"""
_OURS = """
WHERE batch_root = %(root)s AND sender = %(sender)s AND block_number = %(block_number)s AND state = 'new'
"""
_RENEW = "UPDATE intake_batches SET next_try_at = now() + make_interval(secs => %(lease_s)s)" + _OURS
_TAKEN = "UPDATE intake_batches SET state = 'taken', proofs = %(proofs)s, last_error = NULL" + _OURS
_PUT_OFF = (
    "UPDATE intake_batches SET last_error = %(error)s, next_try_at = now() + make_interval(secs => %(retry_s)s)"
    + _OURS
)
_FAILED = "UPDATE intake_batches SET state = 'failed', last_error = %(error)s" + _OURS
# The same batch under another sender, or in another block, brings nothing new.
_INSERT = """
INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash, key_hash,
                    public_input_hash, proof_object, program_key, public_inputs, size_bytes, state)
VALUES ('batch', %(batch_root)s, %(batch_index)s, %(system)s, %(program_id)s, %(commitment)s, %(leaf)s, %(proof_hash)s,
        %(key_hash)s, %(public_input_hash)s, %(proof_object)s, %(program_key)s, %(public_inputs)s, %(size_bytes)s,
        'pending')
ON CONFLICT (batch_root, batch_index) DO NOTHING
"""
_KNOWN = "SELECT batch_index FROM proofs WHERE batch_root = %s"
_COUNTS = "SELECT state, count(*) AS n FROM intake_batches GROUP BY state"
_MAX_ERROR_CHARS = 500


@dataclass(frozen=True, slots=True)
class Announced:
    """A NewBatchV3 event.

    Attributes:
        pointer: what the submitter wrote: comma-separated URLs, untrusted.
    """

    root: bytes
    sender: bytes
    block_number: int
    block_hash: bytes
    pointer: str


@dataclass(frozen=True, slots=True)
class Claimed(Announced):
    """A batch that its holder works on.

    Attributes:
        attempts: how often it has been claimed, this time included.
    """

    attempts: int


@dataclass(frozen=True, slots=True)
class BatchProof:
    """A verified proof of a batch; the fields are the columns of `proofs`."""

    batch_root: bytes
    batch_index: int
    system: AggregationSystem
    program_id: bytes
    commitment: bytes
    leaf: bytes
    proof_hash: bytes
    key_hash: bytes
    public_input_hash: bytes
    proof_object: str
    program_key: bytes
    public_inputs: bytes
    size_bytes: int


async def add(conn: Connection, batches: Sequence[Announced]) -> None:
    """Records events, in the transaction of their cursor."""
    for batch in batches:
        await conn.execute(_ADD, asdict(batch) | {"pointer": batch.pointer.replace("\0", "")})


async def drop_from(conn: Connection, block: int) -> None:
    """Forgets batches of vanished blocks. Proofs that were taken over stay: they are valid whatever the chain says."""
    await conn.execute(_DROP, (block,))


async def claim(conn: Connection, lease_s: float, seen_by: datetime) -> Claimed | None:
    """A batch that was seen by then, is due, and that nobody works on."""
    row = await (await conn.execute(_CLAIM, {"lease_s": lease_s, "seen_by": seen_by})).fetchone()
    return None if row is None else Claimed(**row)


async def renew(conn: Connection, batch: Claimed, lease_s: float) -> None:
    """Keeps a claim."""
    await conn.execute(_RENEW, asdict(batch) | {"lease_s": lease_s})


async def known_indices(conn: Connection, root: bytes) -> set[int]:
    """Indices in the batch whose proofs are rows already."""
    rows = await (await conn.execute(_KNOWN, (root,))).fetchall()
    return {row["batch_index"] for row in rows}


async def take(conn: Connection, batch: Claimed, proofs: Sequence[BatchProof]) -> None:
    """Ends a batch: its supported, valid proofs wait in the queue from now on."""
    for proof in proofs:
        await conn.execute(_INSERT, asdict(proof))
    await conn.execute(_TAKEN, asdict(batch) | {"proofs": len(proofs)})


async def put_off(conn: Connection, batch: Claimed, error: str, retry_s: float) -> None:
    """Another attempt later."""
    await conn.execute(_PUT_OFF, asdict(batch) | {"error": error[:_MAX_ERROR_CHARS], "retry_s": retry_s})


async def give_up(conn: Connection, batch: Claimed, error: str) -> None:
    """No further attempt."""
    await conn.execute(_FAILED, asdict(batch) | {"error": error[:_MAX_ERROR_CHARS]})


async def counts(conn: Connection) -> dict[str, int]:
    """Batches by state."""
    rows = await (await conn.execute(_COUNTS)).fetchall()
    return {row["state"]: int(row["n"]) for row in rows}
