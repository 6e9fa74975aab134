"""Batches in PostgreSQL: building → uploaded → posted → verified | expired, or failed and back to the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aligned.batcher.model import PostedTask, QueuedProof, Settlement
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
    " held_wei, payers_fee_wei"
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
    return await _one(conn, "state IN ('building', 'uploaded') ORDER BY number LIMIT 1")


async def posted(conn: Connection) -> list[Batch]:
    """Batches that wait for their answer."""
    return await _many(conn, "state = 'posted' ORDER BY number")


async def unsettled(conn: Connection, limit: int) -> list[Batch]:
    """Expired or answered batches with money that nobody returned yet; expired ones first, then the latest."""
    return await _many(
        conn,
        "state IN ('verified', 'expired') AND NOT settled ORDER BY state, number DESC LIMIT %s",
        (limit,),
    )


async def has_root(conn: Connection, root: bytes) -> bool:
    """Whether we ever got so far with this root that the chain may know it."""
    cursor = await conn.execute("SELECT 1 AS one FROM batch WHERE root = %s AND state <> 'failed'", (root,))
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


async def set_uploaded(conn: Connection, number: int, pointer: str) -> None:
    """The file is where `pointer` says."""
    await conn.execute(
        "UPDATE batch SET state = 'uploaded', pointer = %s WHERE number = %s", (pointer, number)
    )


async def set_sending(conn: Connection, number: int) -> None:
    """The transaction is about to be handed over."""
    await conn.execute("UPDATE batch SET sending = TRUE WHERE number = %s", (number,))


async def set_posted(conn: Connection, number: int, task: PostedTask, payers: Sequence[bytes]) -> None:
    """The task is on chain."""
    await conn.execute(
        """
        UPDATE batch SET state = 'posted', tx_hash = %s, task_block = %s, payers = %s, held_wei = %s,
            payers_fee_wei = %s, posted_at = now()
        WHERE number = %s
        """,
        (task.tx_hash, task.task_block, b"".join(payers), task.held_wei, task.payers_fee_wei, number),
    )
    await conn.execute("UPDATE submission SET state = 'posted' WHERE batch_number = %s", (number,))


async def dissolve(conn: Connection, number: int, reason: str) -> None:
    """The batch did not and will not reach the chain: its proofs are queued again."""
    await conn.execute(
        "UPDATE batch SET state = 'failed', reason = %s, filler = NULL WHERE number = %s", (reason, number)
    )
    await conn.execute(
        """
        UPDATE submission SET state = 'queued', batch_number = NULL, batch_index = NULL, path = NULL
        WHERE batch_number = %s
        """,
        (number,),
    )


async def repost(conn: Connection, number: int) -> None:
    """The chain forgot the task (reorganisation): post it again."""
    await conn.execute("UPDATE batch SET state = 'uploaded' WHERE number = %s", (number,))
    await conn.execute("UPDATE submission SET state = 'building' WHERE batch_number = %s", (number,))


async def set_verified(conn: Connection, number: int) -> None:
    """A quorum signed it. The proofs' bytes are in the object store from here on."""
    await conn.execute("UPDATE batch SET state = 'verified', filler = NULL WHERE number = %s", (number,))
    await conn.execute(
        "UPDATE submission SET state = 'verified', item = NULL WHERE batch_number = %s", (number,)
    )


async def set_expired(conn: Connection, number: int, code: str, reason: str) -> None:
    """Nobody answered in time. The nonces are used, so its proofs cannot be queued again."""
    await conn.execute(
        "UPDATE batch SET state = 'expired', reason = %s, filler = NULL WHERE number = %s", (code, number)
    )
    await conn.execute(
        """
        UPDATE submission SET state = 'failed', reason_code = %s, reason = %s, item = NULL WHERE batch_number = %s
        """,
        (code, reason, number),
    )


async def set_settled(conn: Connection, number: int) -> None:
    """The surplus is back with its payers."""
    await conn.execute("UPDATE batch SET settled = TRUE WHERE number = %s", (number,))


async def _one(conn: Connection, where: str) -> Batch | None:
    found = await _many(conn, where)
    return found[0] if found else None


async def _many(conn: Connection, where: str, args: tuple[object, ...] = ()) -> list[Batch]:
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
    )
