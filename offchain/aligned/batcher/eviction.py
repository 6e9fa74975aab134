"""A full queue takes a better bid in place of the cheapest proofs, always from the tail of a sender's nonces."""

from __future__ import annotations

from collections.abc import Sequence

from aligned.batcher import queue, row_locks
from aligned.batcher.model import QueuedProof
from aligned.batcher.rules import Bid, QueueTotals, Rival, Room
from aligned.core.errors import OUTBID, QUEUE_FULL, DependencyError
from aligned.storage.postgres import Connection

REASON = "the queue is full and others pay more; send it again with a higher max_fee, or later"
# Most proofs that one bid can take the place of.
_MAX_RIVALS = 64


async def look(conn: Connection, sender: bytes, bid: Bid, limit: QueueTotals) -> Room:
    """The queue for a bid by `sender`."""
    totals = await queue.totals(conn)
    if totals.has_room_for(bid, limit):
        return Room(totals, ())
    # A proof goes after its sender's later ones, so it is worth what the dearest of them offers.
    cursor = await conn.execute(
        """
        SELECT id, sender, nonce, leaf, max_fee_wei, proving_system, size_bytes, deadline_s,
               max(max_fee_wei) OVER (PARTITION BY sender ORDER BY nonce DESC) AS worth_wei
        FROM submission WHERE state = 'queued' AND sender <> %s
        ORDER BY worth_wei, sender, nonce DESC LIMIT %s
        """,
        (sender, _MAX_RIVALS),
    )
    rows = await cursor.fetchall()
    return Room(totals, tuple(Rival(queue.queued_proof(row), int(row["worth_wei"])) for row in rows))


async def evict(conn: Connection, proofs: Sequence[QueuedProof]) -> None:
    """Gives up queued proofs that were outbid.

    Raises:
        DependencyError: queue_full, when one of them is not the end of its sender's queue any more.
    """
    ids = [proof.id for proof in proofs]
    # Never waits for the senders' locks: two that evict each other would wait for ever.
    for sender in sorted({proof.sender for proof in proofs}):
        if not await queue.try_lock_sender(conn, sender):
            raise DependencyError(QUEUE_FULL, "the queue changes at this moment; send it again")
    # Nor for the rows: the one that the bid replaces is held already, whatever its place in their order.
    if not await row_locks.try_hold(conn, ids):
        raise DependencyError(QUEUE_FULL, "the queue changes at this moment; send it again")
    cursor = await conn.execute(
        """
        UPDATE submission s SET state = 'failed', reason_code = %(code)s, reason = %(reason)s, item = NULL
        WHERE s.id = ANY(%(ids)s) AND s.state = 'queued' AND NOT EXISTS (
            SELECT 1 FROM submission later WHERE later.sender = s.sender AND later.nonce > s.nonce
                AND later.state = 'queued' AND NOT later.id = ANY(%(ids)s))
        """,
        {"code": OUTBID, "reason": REASON, "ids": ids},
    )
    if cursor.rowcount != len(ids):
        raise DependencyError(QUEUE_FULL, "the queue changed at this moment; send it again")
