"""The operator's durable memory: one row a task, one vote a row (storage/migrations/operator)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aligned.chain.contracts import NewBatch
from aligned.core.batch import batch_id
from aligned.core.errors import InvariantError
from aligned.storage.postgres import Connection, Database

REORGED: Final = "reorged"

_INSERT = """
INSERT INTO operator_tasks (batch_id, task_block, batch_root, sender, pointer)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (batch_id, task_block) DO UPDATE
SET state = CASE WHEN operator_tasks.reason IS NULL THEN 'signed' ELSE 'refused' END, updated_at = now()
WHERE operator_tasks.state = 'skipped' AND operator_tasks.last_code = %s AND operator_tasks.signature IS NOT NULL
"""
_CLAIM = """
UPDATE operator_tasks
SET leased_until = now() + make_interval(secs => %s), attempts = attempts + 1, updated_at = now()
WHERE (batch_id, task_block) = (
    SELECT batch_id, task_block FROM operator_tasks due
    WHERE state IN ('seen', 'failed') AND next_attempt_at <= now() AND leased_until < now()
        AND (SELECT count(*) FROM operator_tasks busy WHERE busy.sender = due.sender
             AND busy.state IN ('seen', 'failed') AND busy.leased_until >= now()) < %s
    ORDER BY attempts, task_block, batch_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING batch_id, task_block, batch_root, sender, pointer, attempts
"""
_RENEW = """
UPDATE operator_tasks SET leased_until = now() + make_interval(secs => %s)
WHERE batch_id = %s AND task_block = %s AND state IN ('seen', 'failed')
"""
_VOTE = """
UPDATE operator_tasks
SET state = %s, signature = %s, leaf_index = %s, leaf = %s, reason = %s, proofs = %s, last_code = NULL,
    updated_at = now()
WHERE batch_id = %s AND task_block = %s AND signature IS NULL AND state IN ('seen', 'failed')
"""
_CLOSE = """
UPDATE operator_tasks
SET state = %s, last_code = %s, next_attempt_at = now() + make_interval(secs => %s), leased_until = 'epoch',
    updated_at = now()
WHERE batch_id = %s AND task_block = %s AND state IN ('seen', 'failed')
"""
# Strangers make tasks, and all that there ever were must not be counted for a page.
_OPEN_COUNTS = """
SELECT (SELECT count(*) FROM (
            SELECT FROM operator_tasks WHERE state IN ('seen', 'failed') LIMIT 1000) few) AS unvoted,
       (SELECT count(*) FROM (
            SELECT FROM operator_tasks WHERE state IN ('signed', 'refused') LIMIT 1000) few) AS unreported
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One NewBatchV3 event, claimed for work.

    Attributes:
        pointer: what the submitter wrote: comma-separated URLs, untrusted.
        attempts: how often it has been claimed, this time included.
    """

    batch_id: bytes
    task_block: int
    batch_root: bytes
    sender: bytes
    pointer: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Vote:
    """What the operator says about a task: a signature, and for a refusal its evidence (all three or none).

    Attributes:
        leaf_index: first failing leaf, or WHOLE_BATCH.
        reason: stable code.
        proofs: how many proofs were in the batch, None when it was not decoded.
    """

    signature: bytes
    leaf_index: int | None = None
    leaf: bytes | None = None
    reason: str | None = None
    proofs: int | None = None


class TaskStore:
    """Rows of operator_tasks and their reports."""

    def __init__(self, db: Database, aggregator_urls: Sequence[str]) -> None:
        self._db = db
        self._aggregator_urls = aggregator_urls

    async def bind_to(self, operator_id: bytes) -> None:
        """Ties the database to one operator for ever.

        Raises:
            InvariantError: it belongs to another one.
        """
        async with self._db.transaction() as conn:
            await conn.execute(
                "INSERT INTO operator_identity (operator_id) VALUES (%s) ON CONFLICT DO NOTHING",
                (operator_id,),
            )
            row = await (await conn.execute("SELECT operator_id FROM operator_identity")).fetchone()
        if row is None or row["operator_id"] != operator_id:
            raise InvariantError("database_of_another_operator", f"expected operator 0x{operator_id.hex()}")

    async def add(self, conn: Connection, batches: Sequence[NewBatch]) -> None:
        """Records events in the cursor's transaction; one that comes back after a reorg keeps its vote."""
        for batch in batches:
            identity = batch_id(batch.root, batch.sender)
            fields = (identity, batch.task_block, batch.root, batch.sender, batch.pointer.replace("\0", ""))
            revived = await conn.execute(_INSERT, (*fields, REORGED))
            if revived.rowcount:
                await conn.execute(
                    "UPDATE operator_reports SET state = 'pending', next_attempt_at = now() "
                    "WHERE batch_id = %s AND task_block = %s AND aggregator_url = ANY(%s)",
                    (identity, batch.task_block, list(self._aggregator_urls)),
                )

    async def drop_from(self, conn: Connection, from_block: int) -> None:
        """Forgets tasks of vanished blocks; votes are kept, so that no task is ever voted on twice."""
        await conn.execute(
            "DELETE FROM operator_tasks WHERE task_block >= %s AND signature IS NULL", (from_block,)
        )
        await conn.execute(
            "UPDATE operator_tasks SET state = 'skipped', last_code = %s WHERE task_block >= %s",
            (REORGED, from_block),
        )

    async def claim(self, lease_s: float, sender_tasks: int) -> Task | None:
        """A task that is due, that nobody works on, and whose sender has fewer than `sender_tasks` in work.

        Those tried least come first: batches that fail over and over must not keep new ones waiting.
        """
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_CLAIM, (lease_s, sender_tasks))).fetchone()
        return None if row is None else Task(**row)

    async def renew(self, task: Task, lease_s: float) -> None:
        """Keeps a claim for another `lease_s`."""
        async with self._db.transaction() as conn:
            await conn.execute(_RENEW, (lease_s, task.batch_id, task.task_block))

    async def save_vote(self, task: Task, vote: Vote) -> bool:
        """Stores the vote and one report an aggregator. False when the task is gone or has a vote already."""
        state = "signed" if vote.reason is None else "refused"
        evidence = (vote.leaf_index, vote.leaf, vote.reason, vote.proofs)
        async with self._db.transaction() as conn:
            done = await conn.execute(
                _VOTE, (state, vote.signature, *evidence, task.batch_id, task.task_block)
            )
            if done.rowcount:
                for url in self._aggregator_urls:
                    await conn.execute(
                        "INSERT INTO operator_reports (batch_id, task_block, aggregator_url) VALUES (%s, %s, %s)",
                        (task.batch_id, task.task_block, url),
                    )
        return done.rowcount == 1

    async def fail(self, task: Task, code: str, retry_s: float) -> None:
        """Leaves the task for another attempt after `retry_s`."""
        await self._close(task, "failed", code, retry_s)

    async def skip(self, task: Task, code: str) -> None:
        """Ends the task without a vote."""
        await self._close(task, "skipped", code, 0.0)

    async def _close(self, task: Task, state: str, code: str, retry_s: float) -> None:
        async with self._db.transaction() as conn:
            await conn.execute(_CLOSE, (state, code, retry_s, task.batch_id, task.task_block))

    async def open_counts(self) -> dict[str, int]:
        """How many tasks wait for a vote, and votes for an aggregator; counted up to 1,000 each, by their indexes."""
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_OPEN_COUNTS)).fetchone()
        return dict(row or {})

    async def get(self, identity: bytes, task_block: int) -> dict[str, Any] | None:
        """The whole row."""
        async with self._db.transaction() as conn:
            found = await conn.execute(
                "SELECT * FROM operator_tasks WHERE batch_id = %s AND task_block = %s", (identity, task_block)
            )
            return await found.fetchone()
