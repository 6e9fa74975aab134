"""Votes of a task and the operators who may cast them (aggregator_operators, aggregator_votes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aligned.core.bls import G1, G2
from aligned.core.quorum import BPS, Operator, reached, signed_stake
from aligned.storage.postgres import Connection, Database

VOTING_STATES = ("open", "quorum", "responding")

_FIND = """
SELECT t.state, o.key_g2, v.signature, v.leaf_index, v.leaf, v.reason
FROM aggregator_tasks t
LEFT JOIN aggregator_operators o
    ON (o.batch_id, o.task_block, o.operator_id) = (t.batch_id, t.task_block, %(operator_id)s)
LEFT JOIN aggregator_votes v
    ON (v.batch_id, v.task_block, v.operator_id) = (o.batch_id, o.task_block, o.operator_id)
WHERE t.batch_id = %(batch_id)s AND t.task_block = %(task_block)s AND t.state NOT IN ('new', 'vanished')
"""
# The lock is the one that _WAKE needs: with a weaker one, two votes would hold it together and each wait for the other.
_ADD = """
INSERT INTO aggregator_votes (batch_id, task_block, operator_id, signature, leaf_index, leaf, reason)
SELECT batch_id, task_block, %s, %s, %s, %s, %s FROM aggregator_tasks
WHERE batch_id = %s AND task_block = %s AND state = ANY(%s)
FOR NO KEY UPDATE
ON CONFLICT DO NOTHING
"""
_WAKE = """
UPDATE aggregator_tasks SET next_attempt_at = now()
WHERE batch_id = %s AND task_block = %s AND state IN ('open', 'quorum')
"""
_LOAD = """
SELECT o.address, o.operator_id, o.stake, o.stake_index, o.key_g1, o.key_g2, v.signature, v.leaf_index, v.leaf, v.reason
FROM aggregator_operators o LEFT JOIN aggregator_votes v USING (batch_id, task_block, operator_id)
WHERE o.batch_id = %s AND o.task_block = %s ORDER BY o.operator_id
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """What an operator says: a signature alone, or with the evidence of a refusal (all three or none)."""

    signature: bytes
    leaf_index: int | None = None
    leaf: bytes | None = None
    reason: str | None = None

    @property
    def evidence(self) -> tuple[int | None, bytes | None, str | None]:
        """What the signature is about, beside the task."""
        return self.leaf_index, self.leaf, self.reason


@dataclass(frozen=True, slots=True)
class Ballot:
    """One operator's place in one task.

    Attributes:
        key_g2: None when the operator was not in the set at the task's block.
        earlier: what it said before.
    """

    state: str
    key_g2: bytes | None
    earlier: Statement | None


@dataclass(frozen=True, slots=True)
class Tally:
    """All operators of a task, and who said what."""

    operators: Sequence[Operator]
    signatures: dict[bytes, G1]
    refusals: dict[bytes, Statement]

    @property
    def total_stake(self) -> int:
        """Stake of all."""
        return sum(op.stake for op in self.operators)

    @property
    def signed_stake(self) -> int:
        """Stake of those who signed."""
        return signed_stake(self.operators, self.signatures)

    @property
    def refused_stake(self) -> int:
        """Stake of those who refused."""
        return sum(op.stake for op in self.operators if op.operator_id in self.refusals)

    @property
    def is_complete(self) -> bool:
        """Whether nobody is left to vote."""
        return len(self.signatures) + len(self.refusals) == len(self.operators)

    def has_quorum(self, threshold_bps: int, min_signers: int, min_total_stake: int) -> bool:
        """Whether the contract would accept these signatures."""
        total = self.total_stake
        if total < min_total_stake or len(self.signatures) < max(1, min_signers):
            return False
        return reached(self.signed_stake, total, threshold_bps)

    def is_hopeless(self, threshold_bps: int) -> bool:
        """Whether no quorum is possible any more, whoever else signs."""
        total = self.total_stake
        return self.refused_stake > 0 and (total - self.refused_stake) * BPS < total * threshold_bps


class BallotBox:
    """Reads and writes votes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, batch_id: bytes, task_block: int, operator_id: bytes) -> Ballot | None:
        """None while the task is unknown or its operator set has not been read."""
        key = {"batch_id": batch_id, "task_block": task_block, "operator_id": operator_id}
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_FIND, key)).fetchone()
        if row is None:
            return None
        earlier = None
        if row["signature"] is not None:
            earlier = Statement(row["signature"], row["leaf_index"], row["leaf"], row["reason"])
        return Ballot(row["state"], row["key_g2"], earlier)

    async def other_block(self, batch_id: bytes, task_block: int) -> int | None:
        """Block of the newest live task of that batch, if it is another one than `task_block`, and not older."""
        async with self._db.transaction() as conn:
            found = await conn.execute(
                "SELECT task_block FROM aggregator_tasks WHERE batch_id = %s AND state <> 'vanished' "
                "AND (task_block > %s OR state IN ('new', 'open', 'quorum', 'responding')) "
                "ORDER BY task_block DESC LIMIT 1",
                (batch_id, task_block),
            )
            row = await found.fetchone()
        return None if row is None or row["task_block"] == task_block else int(row["task_block"])

    async def add(self, batch_id: bytes, task_block: int, operator_id: bytes, statement: Statement) -> bool:
        """Stores a checked vote and makes the task due. False when the task closed, or a vote was there first."""
        key = (batch_id, task_block)
        values = (operator_id, statement.signature, *statement.evidence, *key, list(VOTING_STATES))

        async def work(conn: Connection) -> bool:
            done = await conn.execute(_ADD, values)
            if done.rowcount:
                await conn.execute(_WAKE, key)
            return done.rowcount == 1

        return await self._db.run(work)

    async def tally(self, batch_id: bytes, task_block: int) -> Tally:
        """Everything that was said about a task."""
        async with self._db.transaction() as conn:
            rows = await (await conn.execute(_LOAD, (batch_id, task_block))).fetchall()
        operators, signatures, refusals = [], {}, {}
        for row in rows:
            operator_id = row["operator_id"]
            keys = (G1(row["key_g1"]), G2(row["key_g2"]))
            operators.append(
                Operator(row["address"], operator_id, int(row["stake"]), row["stake_index"], *keys)
            )
            if row["reason"] is not None:
                refusals[operator_id] = Statement(
                    row["signature"], row["leaf_index"], row["leaf"], row["reason"]
                )
            elif row["signature"] is not None:
                signatures[operator_id] = G1(row["signature"])
        return Tally(operators, signatures, refusals)
