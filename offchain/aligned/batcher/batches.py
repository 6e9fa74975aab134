"""Batches in PostgreSQL on their way to the chain: building → uploaded → `outcomes`, or failed, back to the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aligned.batcher import row_locks
from aligned.batcher.model import QueuedProof, Settlement
from aligned.core.errors import BATCH_LOST
from aligned.core.types import ADDRESS_BYTES
from aligned.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Batch:
    """One attempt to get a set of proofs on chain.

    Attributes:
        sending: the transaction may have been handed over; from then on only the chain knows.
        payers: charged submitters, one per proof, once it is posted.
        held_wei: what the contract holds for them.
        payers_fee_wei: their part of the answer fee.
        task_block: block of its task, once it was on chain.
        dissolved_block: head when it was taken apart although its transaction had been handed over.
        settle_block: head when its money was first seen returned.
        age_s: time since it was built.
    """

    number: int
    root: bytes
    state: str
    sending: bool
    proof_count: int
    fee_per_proof_wei: int
    answer_fee_wei: int
    pointer: str | None
    payers: tuple[bytes, ...]
    held_wei: int
    payers_fee_wei: int
    task_block: int | None
    dissolved_block: int | None
    settle_block: int | None
    age_s: float

    @property
    def settlement(self) -> Settlement:
        """What the contract wants to hear when it is settled."""
        return Settlement(self.root, self.payers, self.held_wei, self.payers_fee_wei, self.answer_fee_wei)

    @property
    def task_key(self) -> str:
        """Name of its createNewTask for the transaction sender."""
        return f"create-task:{self.number}"

    @property
    def settle_key(self) -> str:
        """Name of its settle."""
        return f"settle:{self.number}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that is about to be built.

    Attributes:
        members: submissions in the order of their leaves.
        paths: their inclusion paths.
        filler: a last element of the file that nobody submitted, where the root would not be new without it.
    """

    batch_id: bytes
    root: bytes
    members: tuple[QueuedProof, ...]
    paths: tuple[bytes, ...]
    filler: bytes | None
    size_bytes: int
    fee_per_proof_wei: int
    answer_fee_wei: int


_COLUMNS = (
    "number, root, state, sending, proof_count, fee_per_proof_wei, answer_fee_wei, pointer, payers,"
    " held_wei, payers_fee_wei, task_block, dissolved_block, settle_block,"
    " extract(epoch FROM now() - created_at)::float8 AS age_s"
)


async def create(conn: Connection, plan: Plan) -> bool:
    """Takes the members out of the queue into a new batch. False, and nothing done, if one is not queued any more."""
    cursor = await conn.execute(
        """
        INSERT INTO batch (batch_id, root, proof_count, filler, size_bytes, fee_per_proof_wei, answer_fee_wei)
        VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING number
        """,
        (
            plan.batch_id,
            plan.root,
            len(plan.members),
            plan.filler,
            plan.size_bytes,
            plan.fee_per_proof_wei,
            plan.answer_fee_wei,
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    await row_locks.hold(conn, [proof.id for proof in plan.members])
    cursor = await conn.execute(
        """
        UPDATE submission s SET state = 'building', batch_number = %s, batch_index = m.index - 1, path = m.path
        FROM unnest(%s::bigint[], %s::bytea[]) WITH ORDINALITY AS m (id, path, index)
        WHERE s.id = m.id AND s.state = 'queued'
        """,
        (row["number"], [proof.id for proof in plan.members], list(plan.paths)),
    )
    if cursor.rowcount == len(plan.members):
        return True
    await conn.execute(
        "UPDATE submission SET state = 'queued', batch_number = NULL, batch_index = NULL, path = NULL"
        " WHERE batch_number = %s",
        (row["number"],),
    )
    await conn.execute("DELETE FROM batch WHERE number = %s", (row["number"],))
    return False


async def unposted(conn: Connection) -> Batch | None:
    """The batch that is on its way to the chain; there is one at most."""
    found = await select(conn, "state IN ('building', 'uploaded') ORDER BY number LIMIT 1")
    return found[0] if found else None


async def has_root(conn: Connection, root: bytes) -> bool:
    """Whether we ever got so far with this root that the chain may know it, or may yet come to know it."""
    cursor = await conn.execute(
        "SELECT 1 AS one FROM batch WHERE root = %s AND (state <> 'failed' OR NOT final)", (root,)
    )
    return await cursor.fetchone() is not None


async def items(conn: Connection, number: int) -> list[bytes]:
    """Elements of the batch file, in the order of the leaves."""
    cursor = await conn.execute(
        """
        SELECT item FROM (
            SELECT item, batch_index FROM submission WHERE batch_number = %(number)s
            UNION ALL SELECT filler, proof_count FROM batch WHERE number = %(number)s AND filler IS NOT NULL
        ) AS element ORDER BY batch_index
        """,
        {"number": number},
    )
    return [row["item"] for row in await cursor.fetchall()]


async def submitters(conn: Connection, number: int) -> list[bytes]:
    """Senders of its members, one per proof, in the order of the transaction."""
    cursor = await conn.execute(
        "SELECT sender FROM submission WHERE batch_number = %s ORDER BY sender, nonce", (number,)
    )
    return [row["sender"] for row in await cursor.fetchall()]


async def set_uploaded(conn: Connection, number: int, pointer: str) -> None:
    """The file is where `pointer` says."""
    await conn.execute(
        "UPDATE batch SET state = 'uploaded', pointer = %s WHERE number = %s AND state = 'building'",
        (pointer, number),
    )


async def set_sending(conn: Connection, number: int) -> bool:
    """The transaction is about to be handed over; False, and it must not be, if the batch was taken apart."""
    cursor = await conn.execute(
        "UPDATE batch SET sending = TRUE WHERE number = %s AND state = 'uploaded'", (number,)
    )
    return cursor.rowcount == 1


async def dissolve(conn: Connection, number: int, reason: str, handed_over_at: int | None = None) -> bool:
    """Takes a batch apart that is not on chain: its proofs are queued again. False if it is not unposted any more.

    Args:
        handed_over_at: the head, if its transaction was handed over: then it is remembered who was in it.
    """
    remembered = await conn.execute(
        """
        UPDATE batch SET state = 'failed', reason = %(reason)s, final = %(block)s::bigint IS NULL,
            dissolved_block = %(block)s, payers = NULL, task_block = NULL,
            filler = CASE WHEN %(block)s::bigint IS NULL THEN NULL ELSE filler END,
            member_ids = (SELECT array_agg(id ORDER BY batch_index) FROM submission WHERE batch_number = %(number)s),
            member_paths = (SELECT array_agg(path ORDER BY batch_index) FROM submission
                WHERE batch_number = %(number)s)
        WHERE number = %(number)s AND state IN ('building', 'uploaded')
        """,
        {"number": number, "reason": reason, "block": handed_over_at},
    )
    if remembered.rowcount == 0:
        return False
    await row_locks.hold_batch(conn, number)
    # Bytes are missing only where a batch came back on chain after its proof had been dropped, and left again.
    await conn.execute(
        """
        UPDATE submission SET state = CASE WHEN item IS NULL THEN 'failed' ELSE 'queued' END, batch_number = NULL,
            batch_index = NULL, path = NULL, reason_code = CASE WHEN item IS NULL THEN %s END,
            reason = CASE WHEN item IS NULL THEN 'its batch left the chain; send it again' END
        WHERE batch_number = %s
        """,
        (BATCH_LOST, number),
    )
    return True


async def select(conn: Connection, where: str, args: tuple[object, ...] = ()) -> list[Batch]:
    """The batches that a condition (and order) of our own holds for."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM batch WHERE {where}", args)
    return [_batch(row) for row in await cursor.fetchall()]


def _batch(row: dict[str, Any]) -> Batch:
    payers: bytes = row["payers"] or b""
    return Batch(
        number=row["number"],
        root=row["root"],
        state=row["state"],
        sending=row["sending"],
        proof_count=row["proof_count"],
        fee_per_proof_wei=int(row["fee_per_proof_wei"]),
        answer_fee_wei=int(row["answer_fee_wei"]),
        pointer=row["pointer"],
        payers=tuple(payers[i : i + ADDRESS_BYTES] for i in range(0, len(payers), ADDRESS_BYTES)),
        held_wei=int(row["held_wei"]),
        payers_fee_wei=int(row["payers_fee_wei"]),
        task_block=row["task_block"],
        dissolved_block=row["dissolved_block"],
        settle_block=row["settle_block"],
        age_s=row["age_s"],
    )
