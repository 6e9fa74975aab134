"""The queue in PostgreSQL: all SQL about submissions outside of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aligned.batcher import row_locks
from aligned.batcher.model import QueuedProof, State
from aligned.batcher.rules import Bid, LiveEntry, QueueTotals
from aligned.core.errors import NONCE_USED, ConflictError
from aligned.storage.postgres import Connection

_LIVE = "state IN ('queued', 'building', 'posted', 'verified')"


@dataclass(frozen=True, slots=True)
class Stored:
    """A submission with what its sender may hear about it."""

    id: int
    sender: bytes
    nonce: int
    leaf: bytes
    state: str
    deadline_s: int
    receipt_signature: bytes
    reason_code: str | None
    reason: str | None
    batch_index: int | None
    path: bytes | None
    root: bytes | None
    tx_hash: bytes | None
    task_block: int | None
    final: bool

    @property
    def is_included(self) -> bool:
        """Whether it is in a batch on chain."""
        return self.state in (State.POSTED, State.VERIFIED)

    @property
    def depth(self) -> str | None:
        """How far the chain is with it: included, verified, or final."""
        if self.state == State.VERIFIED:
            return "final" if self.final else "verified"
        return "included" if self.state == State.POSTED else None


_STORED = """
    s.id, s.sender, s.nonce, s.leaf, s.state, s.deadline_s, s.receipt_signature, s.reason_code, s.reason,
           s.batch_index, s.path, b.root, b.tx_hash, b.task_block, coalesce(b.final, FALSE) AS final
    FROM submission s LEFT JOIN batch b ON b.number = s.batch_number
"""
_SELECT_STORED = f"SELECT {_STORED}"


async def lock_sender(conn: Connection, sender: bytes) -> None:
    """Keeps others from changing this sender's part of the queue until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_id(sender),))


async def try_lock_sender(conn: Connection, sender: bytes) -> bool:
    """As `lock_sender`, but False instead of waiting."""
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s) AS held", (_lock_id(sender),))
    row = await cursor.fetchone()
    return row is not None and bool(row["held"])


def _lock_id(sender: bytes) -> int:
    return int.from_bytes(sender[:8], "big", signed=True)


async def live_entries(conn: Connection, sender: bytes, nonce: int) -> list[LiveEntry]:
    """The sender's uncharged submissions, its latest charged one, and the one with `nonce`, in nonce order."""
    cursor = await conn.execute(
        f"""
        SELECT nonce, leaf, max_fee_wei, size_bytes, state FROM submission
        WHERE sender = %(sender)s AND {_LIVE} AND (
            state IN ('queued', 'building') OR nonce = %(nonce)s
            OR nonce = (SELECT max(nonce) FROM submission WHERE sender = %(sender)s AND {_LIVE}))
        ORDER BY nonce
        """,
        {"sender": sender, "nonce": min(nonce, 2**63 - 1)},
    )
    return [
        LiveEntry(r["nonce"], r["leaf"], int(r["max_fee_wei"]), r["size_bytes"], r["state"])
        for r in await cursor.fetchall()
    ]


async def next_nonce(conn: Connection, sender: bytes) -> int:
    """One above the sender's highest live nonce, 0 without one."""
    cursor = await conn.execute(
        f"SELECT max(nonce) AS top FROM submission WHERE sender = %s AND {_LIVE}", (sender,)
    )
    row = await cursor.fetchone()
    return 0 if row is None or row["top"] is None else row["top"] + 1


async def last_queued_fee(conn: Connection, sender: bytes) -> int | None:
    """The max_fee of the sender's queued proof with the highest nonce; None without one."""
    cursor = await conn.execute(
        """
        SELECT max_fee_wei FROM submission WHERE sender = %s AND state = 'queued'
        ORDER BY nonce DESC LIMIT 1
        """,
        (sender,),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row["max_fee_wei"])


async def totals(conn: Connection) -> QueueTotals:
    """Count and size of everything queued."""
    cursor = await conn.execute(
        "SELECT count(*) AS n, coalesce(sum(size_bytes), 0) AS size FROM submission WHERE state = 'queued'"
    )
    row = await cursor.fetchone()
    assert row is not None
    return QueueTotals(row["n"], int(row["size"]))


async def oldest_age_s(conn: Connection) -> float:
    """How long the first queued proof has waited, 0 for an empty queue."""
    cursor = await conn.execute(
        "SELECT extract(epoch FROM now() - min(accepted_at)) AS age FROM submission WHERE state = 'queued'"
    )
    row = await cursor.fetchone()
    return float(row["age"] or 0) if row is not None else 0.0


async def insert(
    conn: Connection,
    sender: bytes,
    bid: Bid,
    system: int,
    item: bytes,
    deadline_s: int,
    receipt_signature: bytes,
) -> int:
    """Appends a submission and returns its id."""
    cursor = await conn.execute(
        """
        INSERT INTO submission
            (sender, nonce, leaf, max_fee_wei, proving_system, item, size_bytes, deadline_s, receipt_signature)
        VALUES (%s, %s, %s, %s, %s, %b, %s, %s, %s) RETURNING id
        """,
        (
            sender,
            bid.nonce,
            bid.leaf,
            bid.max_fee_wei,
            system,
            item,
            bid.size_bytes,
            deadline_s,
            receipt_signature,
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["id"])


async def retire_replaced(conn: Connection, sender: bytes, nonce: int) -> bytes:
    """Takes the queued submission with `nonce` out of the queue and returns its leaf.

    Raises:
        ConflictError: nonce_used, when it went into a batch, or was given up, at this moment.
    """
    cursor = await conn.execute(
        """
        UPDATE submission SET state = 'replaced', reason_code = 'proof_replaced', item = NULL
        WHERE sender = %s AND nonce = %s AND state = 'queued' RETURNING leaf
        """,
        (sender, nonce),
    )
    row = await cursor.fetchone()
    if row is None:
        raise ConflictError(
            NONCE_USED, f"the proof with nonce {nonce} left the queue at this moment; ask for the next nonce"
        )
    return bytes(row["leaf"])


async def position(conn: Connection, submission_id: int) -> int:
    """How many queued proofs were accepted before it."""
    cursor = await conn.execute(
        "SELECT count(*) AS n FROM submission WHERE state = 'queued' AND id < %s", (submission_id,)
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row["n"])


async def queued(conn: Connection) -> list[QueuedProof]:
    """Everything queued, by sender and nonce, without the bytes."""
    cursor = await conn.execute(
        """
        SELECT id, sender, nonce, leaf, max_fee_wei, proving_system, size_bytes, deadline_s FROM submission
        WHERE state = 'queued' ORDER BY sender, nonce
        """
    )
    return [queued_proof(row) for row in await cursor.fetchall()]


async def item(conn: Connection, submission_id: int) -> bytes | None:
    """A queued proof's element of the batch file; None if it is not queued any more."""
    cursor = await conn.execute(
        "SELECT item FROM submission WHERE id = %s AND state = 'queued'", (submission_id,)
    )
    row = await cursor.fetchone()
    return None if row is None else bytes(row["item"])


async def fail(conn: Connection, ids: Sequence[int], code: str, reason: str) -> None:
    """Gives queued submissions up; their nonces are free again."""
    await row_locks.hold(conn, ids)
    await conn.execute(
        """
        UPDATE submission SET state = 'failed', reason_code = %s, reason = %s, item = NULL
        WHERE id = ANY(%s) AND state = 'queued'
        """,
        (code, reason, list(ids)),
    )


async def by_nonce(conn: Connection, sender: bytes, nonce: int) -> Stored | None:
    """The live submission of a sender with a nonce."""
    cursor = await conn.execute(
        f"{_SELECT_STORED} WHERE s.sender = %s AND s.nonce = %s AND s.{_LIVE}", (sender, nonce)
    )
    row = await cursor.fetchone()
    return None if row is None else _stored(row)


async def by_leaf(
    conn: Connection, leaf: bytes, limit: int, own: tuple[bytes, int] | None = None
) -> list[Stored]:
    """Submissions of a leaf, latest first; with `own` only those of that sender and nonce."""
    sender, nonce = own or (None, None)
    cursor = await conn.execute(
        f"""
        {_SELECT_STORED} WHERE s.leaf = %(leaf)s
            AND (%(sender)s::bytea IS NULL OR s.sender = %(sender)s)
            AND (%(nonce)s::numeric IS NULL OR s.nonce = %(nonce)s)
        ORDER BY s.id DESC LIMIT %(limit)s
        """,
        {"leaf": leaf, "sender": sender, "nonce": nonce, "limit": limit},
    )
    return [_stored(row) for row in await cursor.fetchall()]


async def latest(conn: Connection, leaves: Sequence[bytes]) -> list[Stored]:
    """The latest submission of each (sender, nonce, leaf) among those with one of `leaves`."""
    cursor = await conn.execute(
        f"""
        SELECT DISTINCT ON (s.sender, s.nonce, s.leaf) {_STORED}
        WHERE s.leaf = ANY(%s) ORDER BY s.sender, s.nonce, s.leaf, s.id DESC
        """,
        (list(leaves),),
    )
    return [_stored(row) for row in await cursor.fetchall()]


async def by_batch(conn: Connection, number: int) -> list[Stored]:
    """Members of a batch by sender and nonce."""
    cursor = await conn.execute(
        f"{_SELECT_STORED} WHERE s.batch_number = %s ORDER BY s.sender, s.nonce", (number,)
    )
    return [_stored(row) for row in await cursor.fetchall()]


async def systems(conn: Connection, number: int) -> set[int]:
    """Proving systems of a batch's members."""
    cursor = await conn.execute(
        "SELECT DISTINCT proving_system AS system FROM submission WHERE batch_number = %s", (number,)
    )
    return {row["system"] for row in await cursor.fetchall()}


def _stored(row: dict[str, Any]) -> Stored:
    return Stored(**row)


def queued_proof(row: dict[str, Any]) -> QueuedProof:
    """A row of `queued`."""
    return QueuedProof(
        id=row["id"],
        sender=row["sender"],
        nonce=row["nonce"],
        leaf=row["leaf"],
        max_fee_wei=int(row["max_fee_wei"]),
        system=row["proving_system"],
        size_bytes=row["size_bytes"],
        deadline_s=row["deadline_s"],
    )
