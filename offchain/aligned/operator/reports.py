"""Votes that an aggregator still has to hear of (operator_reports)."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.storage.postgres import Connection, Database
from aligned.wire.aggregator import RefusalMessage, SignatureMessage

_DUE = """
UPDATE operator_reports r
SET attempts = r.attempts + 1, next_attempt_at = now() + make_interval(secs => %s)
FROM operator_tasks t
WHERE (t.batch_id, t.task_block) = (r.batch_id, r.task_block)
  AND (r.batch_id, r.task_block, r.aggregator_url) = (
    SELECT due.batch_id, due.task_block, due.aggregator_url
    FROM operator_reports due JOIN operator_tasks USING (batch_id, task_block)
    WHERE due.state = 'pending' AND due.next_attempt_at <= now() AND operator_tasks.state IN ('signed', 'refused')
    ORDER BY due.next_attempt_at LIMIT 1 FOR UPDATE OF due SKIP LOCKED)
RETURNING r.batch_id, r.task_block, r.aggregator_url, r.attempts, t.batch_root, t.sender, t.signature,
    t.leaf_index, t.leaf, t.reason
"""
# Whoever ends a report holds its task first: two that end the last two reports at once must see each other.
_HOLD_TASK = """
SELECT 1 FROM operator_tasks WHERE batch_id = %s AND task_block = %s FOR NO KEY UPDATE
"""
_SETTLE = """
UPDATE operator_reports SET state = %s, last_code = %s
WHERE batch_id = %s AND task_block = %s AND aggregator_url = %s
"""
_FINISH = """
UPDATE operator_tasks t SET state = 'reported', last_code = %s, updated_at = now()
WHERE batch_id = %s AND task_block = %s AND state IN ('signed', 'refused') AND NOT EXISTS (
    SELECT 1 FROM operator_reports r
    WHERE (r.batch_id, r.task_block) = (t.batch_id, t.task_block) AND r.state = 'pending')
"""


@dataclass(frozen=True, slots=True)
class Report:
    """One vote for one aggregator."""

    batch_id: bytes
    task_block: int
    aggregator_url: str
    attempts: int
    batch_root: bytes
    sender: bytes
    signature: bytes
    leaf_index: int | None
    leaf: bytes | None
    reason: str | None

    def path(self) -> str:
        """Where it is posted."""
        return "/v1/signatures" if self.reason is None else "/v1/refusals"

    def message(self, operator_id: bytes) -> SignatureMessage | RefusalMessage:
        """What is posted."""
        common = {
            "batch_root": self.batch_root,
            "sender": self.sender,
            "task_block": self.task_block,
            "operator_id": operator_id,
            "signature": self.signature,
        }
        if self.reason is None:
            return SignatureMessage.model_validate(common)
        evidence = {"leaf_index": self.leaf_index, "leaf": self.leaf, "reason": self.reason}
        return RefusalMessage.model_validate(common | evidence)


class ReportStore:
    """Rows of operator_reports."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, lease_s: float) -> Report | None:
        """A report that is due; it is due again after `lease_s` unless it is settled or put off before."""
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_DUE, (lease_s,))).fetchone()
        return None if row is None else Report(**row)

    async def retry(self, report: Report, code: str, after_s: float) -> None:
        """Tries it again after `after_s`."""
        async with self._db.transaction() as conn:
            await conn.execute(
                "UPDATE operator_reports SET last_code = %s, next_attempt_at = now() + make_interval(secs => %s) "
                "WHERE batch_id = %s AND task_block = %s AND aggregator_url = %s",
                (code, after_s, report.batch_id, report.task_block, report.aggregator_url),
            )

    async def settle(self, report: Report, state: str, code: str) -> None:
        """Ends it (accepted, rejected, expired); the task is reported once none of its reports is pending."""
        key = (report.batch_id, report.task_block)

        async def work(conn: Connection) -> None:
            await conn.execute(_HOLD_TASK, key)
            await conn.execute(_SETTLE, (state, code, *key, report.aggregator_url))
            await conn.execute(_FINISH, (code, *key))

        await self._db.run(work)
