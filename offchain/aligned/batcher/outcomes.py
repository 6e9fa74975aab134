"""Batches in PostgreSQL once they are on chain: posted → verified | expired → final, and back as the chain goes back.

Every change names the states that it starts from, so that two batchers over one database do the same thing once.
"""

from __future__ import annotations

from collections.abc import Sequence

from aligned.batcher import batches, row_locks
from aligned.batcher.batches import Batch
from aligned.batcher.model import PostedTask
from aligned.storage.postgres import Connection

_LIVE = "('queued', 'building', 'posted', 'verified')"


async def followed(conn: Connection) -> list[Batch]:
    """Batches that the chain may still change its mind about, oldest first."""
    return await batches.select(
        conn, "NOT final AND state IN ('posted', 'verified', 'expired', 'failed') ORDER BY number"
    )


async def set_posted(conn: Connection, number: int, task: PostedTask, payers: Sequence[bytes]) -> bool:
    """The task is on chain; also when it is there in another block than before."""
    cursor = await conn.execute(
        """
        UPDATE batch SET state = 'posted', tx_hash = %s, task_block = %s, payers = %s, held_wei = %s,
            payers_fee_wei = %s, posted_at = now()
        WHERE number = %s AND state IN ('uploaded', 'posted', 'verified', 'expired') AND NOT final
        """,
        (task.tx_hash, task.task_block, b"".join(payers), task.held_wei, task.payers_fee_wei, number),
    )
    if cursor.rowcount:
        await _set_members(conn, number, "posted")
    return bool(cursor.rowcount)


async def correct_terms(conn: Connection, number: int, task: PostedTask, payers: Sequence[bytes]) -> None:
    """What is settled is what the task holds that is on chain now, not the one that was there once."""
    await conn.execute(
        "UPDATE batch SET tx_hash = %s, task_block = %s, payers = %s, held_wei = %s, payers_fee_wei = %s"
        " WHERE number = %s",
        (task.tx_hash, task.task_block, b"".join(payers), task.held_wei, task.payers_fee_wei, number),
    )


async def set_unanswered(conn: Connection, number: int) -> bool:
    """The chain took the answer (or the end of the window) back: the task waits again."""
    cursor = await conn.execute(
        "UPDATE batch SET state = 'posted', reason = NULL"
        " WHERE number = %s AND state IN ('verified', 'expired') AND NOT final",
        (number,),
    )
    if cursor.rowcount:
        await _set_members(conn, number, "posted")
    return bool(cursor.rowcount)


async def repost(conn: Connection, number: int) -> bool:
    """The chain forgot the task (reorganisation): post it again. The same transaction first, so never twice."""
    cursor = await conn.execute(
        "UPDATE batch SET state = 'uploaded' WHERE number = %s AND state IN ('posted', 'verified') AND NOT final",
        (number,),
    )
    if cursor.rowcount:
        await _set_members(conn, number, "building")
    return bool(cursor.rowcount)


async def set_verified(conn: Connection, number: int) -> bool:
    """A quorum signed it. False if that was known."""
    cursor = await conn.execute(
        "UPDATE batch SET state = 'verified', reason = NULL WHERE number = %s AND state IN ('posted', 'expired')",
        (number,),
    )
    if cursor.rowcount:
        await _set_members(conn, number, "verified")
    return bool(cursor.rowcount)


async def set_expired(conn: Connection, number: int, code: str, reason: str) -> bool:
    """Nobody answered in time. The nonces are used, so its proofs cannot be queued again. False if that was known."""
    cursor = await conn.execute(
        "UPDATE batch SET state = 'expired', reason = %s WHERE number = %s AND state IN ('posted', 'verified')",
        (code, number),
    )
    if cursor.rowcount:
        await row_locks.hold_batch(conn, number)
        await conn.execute(
            "UPDATE submission SET state = 'failed', reason_code = %s, reason = %s WHERE batch_number = %s",
            (code, reason, number),
        )
    return bool(cursor.rowcount)


async def set_final(conn: Connection, number: int, *, has_money: bool = True) -> None:
    """No reorganisation changes it any more: the bytes of its proofs are not needed here from now on.

    Args:
        has_money: whether the contract may hold something for its payers.
    """
    await conn.execute(
        """
        UPDATE batch SET final = TRUE, filler = NULL, member_ids = NULL, member_paths = NULL,
            settled = settled OR NOT %s
        WHERE number = %s AND state IN ('verified', 'expired', 'failed')
        """,
        (has_money, number),
    )
    await row_locks.hold_batch(conn, number)
    await conn.execute(
        "UPDATE submission SET item = NULL WHERE batch_number = %s AND state IN ('verified', 'failed')",
        (number,),
    )


async def members_elsewhere(conn: Connection, number: int) -> list[int]:
    """Unposted batches, not handed over yet, that hold proofs of a batch which was taken apart."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT other.number FROM batch own
            JOIN submission s ON s.id = ANY(own.member_ids) JOIN batch other ON other.number = s.batch_number
        WHERE own.number = %s AND other.state IN ('building', 'uploaded') AND NOT other.sending
        ORDER BY number
        """,
        (number,),
    )
    return [row["number"] for row in await cursor.fetchall()]


async def revive(conn: Connection, number: int, task: PostedTask, payers: Sequence[bytes]) -> int:
    """A batch that was taken apart is on chain after all: its proofs are in it again. How many could not be."""
    cursor = await conn.execute(
        """
        UPDATE batch SET state = 'posted', reason = NULL, dissolved_block = NULL, tx_hash = %s, task_block = %s,
            payers = %s, held_wei = %s, payers_fee_wei = %s, posted_at = now()
        WHERE number = %s AND state = 'failed' AND NOT final
        """,
        (task.tx_hash, task.task_block, b"".join(payers), task.held_wei, task.payers_fee_wei, number),
    )
    if cursor.rowcount == 0:
        return 0
    await row_locks.hold_former(conn, number)
    back = await conn.execute(
        f"""
        UPDATE submission s SET state = 'posted', batch_number = own.number, batch_index = m.index - 1,
            path = m.path, reason_code = NULL, reason = NULL
        FROM batch own, unnest(own.member_ids, own.member_paths) WITH ORDINALITY AS m (id, path, index)
        WHERE own.number = %s AND s.id = m.id AND (s.state = 'queued' OR s.state = 'failed'
            AND NOT EXISTS (SELECT 1 FROM submission live WHERE live.sender = s.sender AND live.nonce = s.nonce
                AND live.id <> s.id AND live.state IN {_LIVE}))
        """,
        (number,),
    )
    wanted = await conn.execute("SELECT cardinality(member_ids) AS n FROM batch WHERE number = %s", (number,))
    row = await wanted.fetchone()
    return (0 if row is None else int(row["n"])) - back.rowcount


async def member_senders(conn: Connection, number: int) -> list[bytes]:
    """Senders of a batch that was taken apart, one per proof, in the order of the transaction."""
    cursor = await conn.execute(
        "SELECT s.sender FROM batch b JOIN submission s ON s.id = ANY(b.member_ids) WHERE b.number = %s"
        " ORDER BY s.sender, s.nonce",
        (number,),
    )
    return [row["sender"] for row in await cursor.fetchall()]


async def unsettled(conn: Connection, after: int, limit: int) -> list[Batch]:
    """Final batches with money that nobody returned yet, from a number on: a cursor brings every one of them."""
    return await batches.select(
        conn,
        "final AND state IN ('verified', 'expired') AND NOT settled AND number > %s ORDER BY number LIMIT %s",
        (after, limit),
    )


async def dearest_unsettled(conn: Connection, limit: int) -> list[Batch]:
    """Of the same ones those that may hold most."""
    return await batches.select(
        conn,
        "final AND state IN ('verified', 'expired') AND NOT settled AND settle_block IS NULL"
        " ORDER BY held_wei + answer_fee_wei DESC, number LIMIT %s",
        (limit,),
    )


async def set_settle_block(conn: Connection, number: int, block: int | None) -> None:
    """The money was seen returned at `block`; None: the chain took that back."""
    await conn.execute("UPDATE batch SET settle_block = %s WHERE number = %s", (block, number))


async def set_settled(conn: Connection, number: int) -> None:
    """The surplus is back with its payers, and deep."""
    await conn.execute("UPDATE batch SET settled = TRUE WHERE number = %s AND final", (number,))


async def _set_members(conn: Connection, number: int, state: str) -> None:
    """The members' state; one whose nonce another proof has taken meanwhile stays as it is."""
    await row_locks.hold_batch(conn, number)
    await conn.execute(
        f"""
        UPDATE submission s SET state = %s, reason_code = NULL, reason = NULL
        WHERE s.batch_number = %s AND NOT EXISTS (
            SELECT 1 FROM submission live WHERE live.sender = s.sender AND live.nonce = s.nonce AND live.id <> s.id
                AND live.state IN {_LIVE})
        """,
        (state, number),
    )
