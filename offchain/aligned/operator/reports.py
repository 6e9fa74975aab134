"""Votes that an aggregator still has to hear of (operator_reports)."""

from __future__ import annotations

from collections.abc import Sequence
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
    WHERE due.state = 'pending' AND due.aggregator_url = %s AND due.next_attempt_at <= now()
        AND operator_tasks.state IN ('signed', 'refused')
    ORDER BY due.next_attempt_at LIMIT 1 FOR UPDATE OF due SKIP LOCKED)
RETURNING r.batch_id, r.task_block, r.aggregator_url, r.attempts, t.batch_root, t.sender, t.signature,
    t.leaf_index, t.leaf, t.reason
"""
_OLDEST = """
SELECT t.batch_id, t.task_block, t.batch_root, t.sender FROM operator_tasks t
WHERE t.state IN ('signed', 'refused') AND t.updated_at < now() - make_interval(secs => %s)
ORDER BY t.task_block LIMIT 1
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
_EXPIRE = """
UPDATE operator_reports SET state = 'expired', last_code = %s
WHERE batch_id = %s AND task_block = %s AND state = 'pending'
"""
# Locked in one order, as whoever ends a report does.
_HOLD_OPEN = """
SELECT batch_id, task_block FROM operator_tasks
WHERE signature IS NOT NULL AND state IN ('signed', 'refused', 'reported') AND task_block >= %s
ORDER BY task_block, batch_id FOR NO KEY UPDATE
"""
_DROP_URLS = """
UPDATE operator_reports SET state = 'expired', last_code = %s
WHERE state = 'pending' AND aggregator_url <> ALL(%s)
"""
# A URL that was removed and is back has its rows: those go on.
_ADD_URLS = """
INSERT INTO operator_reports (batch_id, task_block, aggregator_url)
SELECT t.batch_id, t.task_block, url FROM operator_tasks t, unnest(%(urls)s::text[]) AS url
WHERE t.signature IS NOT NULL AND t.state IN ('signed', 'refused', 'reported') AND t.task_block >= %(from_block)s
ON CONFLICT (batch_id, task_block, aggregator_url) DO UPDATE SET state = 'pending', next_attempt_at = now()
WHERE operator_reports.state = 'expired' AND operator_reports.last_code = %(removed)s
"""
_OPEN_AGAIN = """
UPDATE operator_tasks t SET state = CASE WHEN reason IS NULL THEN 'signed' ELSE 'refused' END, updated_at = now()
WHERE state = 'reported' AND task_block >= %s AND EXISTS (
    SELECT 1 FROM operator_reports r
    WHERE (r.batch_id, r.task_block) = (t.batch_id, t.task_block) AND r.state = 'pending')
"""
_FINISH_ALL = """
UPDATE operator_tasks t SET state = 'reported', updated_at = now()
WHERE state IN ('signed', 'refused') AND NOT EXISTS (
    SELECT 1 FROM operator_reports r
    WHERE (r.batch_id, r.task_block) = (t.batch_id, t.task_block) AND r.state = 'pending')
"""
_WAITING = """
SELECT aggregator_url, count(*) AS reports FROM operator_reports WHERE state = 'pending' GROUP BY aggregator_url
"""
URL_REMOVED = "url_removed"


@dataclass(frozen=True, slots=True)
class VotedTask:
    """A task with a vote that some aggregator has not heard of."""

    batch_id: bytes
    task_block: int
    batch_root: bytes
    sender: bytes


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

    async def adopt(self, urls: Sequence[str], from_block: int) -> None:
        """After a change of the settings: votes that may still count go to new URLs, removed ones are left alone.

        Args:
            from_block: first block whose tasks may still be answered.
        """

        async def work(conn: Connection) -> None:
            await conn.execute(_HOLD_OPEN, (from_block,))
            await conn.execute(_DROP_URLS, (URL_REMOVED, list(urls)))
            values = {"urls": list(urls), "from_block": from_block, "removed": URL_REMOVED}
            await conn.execute(_ADD_URLS, values)
            await conn.execute(_OPEN_AGAIN, (from_block,))
            await conn.execute(_FINISH_ALL)

        await self._db.run(work)

    async def claim(self, url: str, lease_s: float) -> Report | None:
        """A report that is due at an aggregator; it is due again after `lease_s` unless it is settled or put off."""
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_DUE, (lease_s, url))).fetchone()
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

    async def oldest_waiting(self, least_age_s: float) -> VotedTask | None:
        """The task of the lowest block whose reports have waited for so long."""
        async with self._db.transaction() as conn:
            row = await (await conn.execute(_OLDEST, (least_age_s,))).fetchone()
        return None if row is None else VotedTask(**row)

    async def expire(self, task: VotedTask, code: str) -> None:
        """Ends all reports of a task that still wait, and with them the task."""
        key = (task.batch_id, task.task_block)

        async def work(conn: Connection) -> None:
            await conn.execute(_HOLD_TASK, key)
            await conn.execute(_EXPIRE, (code, *key))
            await conn.execute(_FINISH, (code, *key))

        await self._db.run(work)

    async def waiting(self) -> dict[str, int]:
        """How many reports wait, by aggregator."""
        async with self._db.transaction() as conn:
            rows = await (await conn.execute(_WAITING)).fetchall()
        return {row["aggregator_url"]: row["reports"] for row in rows}
