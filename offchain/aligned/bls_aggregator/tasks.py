"""The aggregator's durable memory of tasks (storage/migrations/aggregator)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import sql

from aligned.chain.contracts import BatchVerified, NewBatch
from aligned.core.batch import batch_id
from aligned.core.quorum import Operator
from aligned.storage.postgres import Connection, Database

VANISHED: Final = "vanished"
REMOVED_FROM_CHAIN: Final = "block_left_the_chain"

_INSERT = """
INSERT INTO aggregator_tasks (batch_id, task_block, task_block_hash, batch_root, sender)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (batch_id, task_block) DO UPDATE
SET state = 'new', task_block_hash = excluded.task_block_hash, last_code = NULL, next_attempt_at = now(),
    updated_at = now()
WHERE aggregator_tasks.state = 'vanished'
"""
_VERIFIED = """
UPDATE aggregator_tasks
SET state = 'answered', answered_block = %(block)s, respond_tx_hash = %(tx_hash)s, updated_at = now()
WHERE batch_id = %(batch_id)s AND state <> 'vanished' AND task_block = (
    SELECT max(task_block) FROM aggregator_tasks
    WHERE batch_id = %(batch_id)s AND task_block <= %(block)s AND state <> 'vanished')
"""
# A transaction for the old block may be on its way; the next one needs a key of its own.
_VANISH = """
UPDATE aggregator_tasks
SET state = 'vanished', last_code = %s, quorum_at = NULL, answered_block = NULL, respond_calldata = NULL,
    respond_tx_hash = NULL,
    respond_round = respond_round + CASE WHEN respond_calldata IS NULL THEN 0 ELSE 1 END, updated_at = now()
WHERE task_block >= %s
"""
_UNANSWER = """
UPDATE aggregator_tasks
SET state = CASE WHEN respond_calldata IS NOT NULL THEN 'responding' WHEN snapshot_index IS NOT NULL THEN 'open'
                 ELSE 'new' END,
    answered_block = NULL, respond_tx_hash = NULL, next_attempt_at = now(), updated_at = now()
WHERE state = 'answered' AND answered_block >= %s
"""
_CLAIM = """
UPDATE aggregator_tasks
SET leased_until = now() + make_interval(secs => %(lease_s)s), attempts = attempts + 1,
    next_attempt_at = now() + make_interval(secs => %(lease_s)s)
WHERE (batch_id, task_block) = (
    SELECT batch_id, task_block FROM aggregator_tasks
    WHERE state IN ('new', 'open', 'quorum', 'responding') AND next_attempt_at <= now() AND leased_until < now()
        AND held_until <= now()
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING batch_id, task_block, task_block_hash, batch_root, sender, state, last_response_block, snapshot_index,
    respond_round, respond_calldata, failures, extract(epoch FROM now() - quorum_at)::float8 AS quorum_age_s
"""
# A vote that came in meanwhile has made the task due at once; that must not be lost.
_RELEASE = """
UPDATE aggregator_tasks
SET leased_until = 'epoch', next_attempt_at = least(next_attempt_at, now() + make_interval(secs => %s))
WHERE batch_id = %s AND task_block = %s
"""
_OPEN = """
UPDATE aggregator_tasks
SET state = 'open', snapshot_index = %s, last_response_block = %s, updated_at = now()
WHERE batch_id = %s AND task_block = %s AND task_block_hash = %s AND state = 'new'
"""
_HOLD: LiteralString = "held_until = now() + make_interval(secs => %s), failures = failures + 1"
_OPEN_COUNT = """
SELECT count(*) AS n FROM (
    SELECT FROM aggregator_tasks WHERE state IN ('new', 'open', 'quorum', 'responding') LIMIT 1000) few
"""
_PUT_OPERATOR = """
INSERT INTO aggregator_operators (batch_id, task_block, operator_id, address, stake, stake_index, key_g1, key_g2)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (batch_id, task_block, operator_id) DO UPDATE
SET address = excluded.address, stake = excluded.stake, stake_index = excluded.stake_index
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One claimed task.

    Attributes:
        quorum_age_s: seconds since the quorum was reached, None before.
        respond_round: how often an answer of ours was abandoned; part of the sender's key.
        respond_calldata: the answer, fixed before it is sent.
        failures: how often working on it went wrong in a way that waiting alone does not mend.
    """

    batch_id: bytes
    task_block: int
    task_block_hash: bytes
    batch_root: bytes
    sender: bytes
    state: str
    last_response_block: int | None
    snapshot_index: int | None
    respond_round: int
    respond_calldata: bytes | None
    failures: int
    quorum_age_s: float | None

    @property
    def key(self) -> tuple[bytes, int]:
        """Primary key."""
        return self.batch_id, self.task_block

    def names(self) -> dict[str, object]:
        """For logs."""
        return {"batch_root": "0x" + self.batch_root.hex(), "task_block": self.task_block}


class TaskStore:
    """Rows of aggregator_tasks and the operator sets that belong to them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, conn: Connection, batch: NewBatch) -> None:
        """Records an event in the cursor's transaction; a vanished task comes back as new."""
        identity = batch_id(batch.root, batch.sender)
        fields = (identity, batch.task_block, batch.block_hash, batch.root, batch.sender)
        await conn.execute(_INSERT, fields)

    async def mark_verified(self, conn: Connection, event: BatchVerified) -> None:
        """Ends the newest task of a batch that somebody answered, in the cursor's transaction.

        Only events end a task as answered: what a reorganisation takes back is then undone with its block.
        """
        fields = {
            "batch_id": batch_id(event.root, event.sender),
            "block": event.block_number,
            "tx_hash": event.tx_hash,
        }
        await conn.execute(_VERIFIED, fields)

    async def drop_from(self, conn: Connection, from_block: int) -> None:
        """Undoes everything that blocks from `from_block` on said."""
        await conn.execute(_VANISH, (REMOVED_FROM_CHAIN, from_block))
        await conn.execute(_UNANSWER, (from_block,))

    async def claim(self, lease_s: float) -> Task | None:
        """A task that is due and that nobody works on; None when there is none."""
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_CLAIM, {"lease_s": lease_s})).fetchone()
        return None if row is None else Task(**row)

    async def renew(self, task: Task, lease_s: float) -> None:
        """Keeps a claim for another `lease_s`."""
        async with self._db.transaction() as conn:
            await conn.execute(
                "UPDATE aggregator_tasks SET leased_until = now() + make_interval(secs => %s) "
                "WHERE batch_id = %s AND task_block = %s",
                (lease_s, *task.key),
            )

    async def release(self, task: Task, after_s: float) -> None:
        """Gives a claim back; the task is due again after `after_s`."""
        async with self._db.transaction() as conn:
            await conn.execute(_RELEASE, (after_s, *task.key))

    async def open(
        self, task: Task, operators: list[Operator], snapshot_index: int, last_response_block: int
    ) -> None:
        """Stores the operator set at the task's block; from now on votes count.

        Nothing when the task has left the chain meanwhile, also if it is back in another block of that number.
        """
        async with self._db.transaction() as conn:
            values = (snapshot_index, last_response_block, *task.key, task.task_block_hash)
            done = await conn.execute(_OPEN, values)
            if not done.rowcount:
                return
            # After a reorganisation the set may be another one; votes of those who left it go with them.
            await conn.execute(
                "DELETE FROM aggregator_operators WHERE batch_id = %s AND task_block = %s AND operator_id <> ALL(%s)",
                (*task.key, [operator.operator_id for operator in operators]),
            )
            for op in operators:
                fields = (op.operator_id, op.address, op.stake, op.stake_index, op.g1, op.g2)
                await conn.execute(_PUT_OPERATOR, (*task.key, *fields))

    async def move(self, task: Task, state: str, code: str | None = None) -> bool:
        """Changes the state of a claimed task; False when an event was faster."""
        return await self._update(task, "state = %s, last_code = %s", state, code)

    async def reach_quorum(self, task: Task) -> bool:
        """Starts the wait for late signers."""
        return await self._update(task, "state = 'quorum', quorum_at = now()")

    async def fix_answer(self, task: Task, calldata: bytes) -> bool:
        """Stores the answer: whatever happens, this one is sent."""
        return await self._update(task, "state = 'responding', respond_calldata = %s", calldata)

    async def hold(self, task: Task, code: str, held_s: float) -> bool:
        """Leaves the task alone for `held_s`, whatever votes come in."""
        return await self._update(task, f"{_HOLD}, last_code = %s", held_s, code)

    async def abandon_answer(self, task: Task, code: str, held_s: float, *, was_sent: bool) -> bool:
        """Goes back to collecting after the chain refused the answer, with a pause before the next one."""
        assignments = (
            f"{_HOLD}, state = 'open', respond_calldata = NULL, quorum_at = NULL, last_code = %s, "
            "respond_round = respond_round + %s"
        )
        return await self._update(task, assignments, held_s, code, int(was_sent))

    async def _update(self, task: Task, assignments: LiteralString, *values: object) -> bool:
        query = sql.SQL(
            "UPDATE aggregator_tasks SET {}, updated_at = now() WHERE batch_id = %s AND task_block = %s AND state = %s"
        ).format(sql.SQL(assignments))
        async with self._db.transaction() as conn:
            done = await conn.execute(query, (*values, *task.key, task.state))
        return done.rowcount == 1

    async def open_count(self) -> int:
        """How many tasks are worked on; counted up to 1,000, by their index: strangers make tasks."""
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_OPEN_COUNT)).fetchone()
        return 0 if row is None else int(row["n"])

    async def newest(self, identity: bytes) -> dict[str, Any] | None:
        """The newest task of a batch that is on the chain, as a row."""
        async with self._db.transaction() as conn:
            found = await conn.execute(
                "SELECT * FROM aggregator_tasks WHERE batch_id = %s AND state <> 'vanished' "
                "ORDER BY task_block DESC LIMIT 1",
                (identity,),
            )
            return await found.fetchone()
