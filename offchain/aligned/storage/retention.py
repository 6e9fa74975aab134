"""Deletes rows that nothing needs any more: in small pieces, past locked rows, by the rules of `retention_rules`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import structlog

from aligned import watchdog
from aligned.observability import Metrics
from aligned.settings import RetentionSettings
from aligned.storage.postgres import Connection, Database
from aligned.storage.retention_rules import RULES, Rule

# A piece may have to look through a whole table for its rows; it holds no lock of others meanwhile.
_PATIENCE = "SET LOCAL statement_timeout = '10min'"
# Others come first between two pieces.
_BREATH_S = 0.05
# How often a role looks whether it is time.
NIGHTLY_POLL_S = 60.0

log = structlog.get_logger(__name__)


async def prune(
    db: Database, role: str, settings: RetentionSettings, *, dry_run: bool = False
) -> dict[str, int]:
    """Rows deleted (or, with `dry_run`, to be deleted) by rule; rules that are switched off are left out.

    Several may run at once, and one that is broken off has deleted whole pieces.

    Args:
        role: batcher, operator, aggregator or aggregation.

    Raises:
        DependencyError: the database does not answer.
    """
    found: dict[str, int] = {}
    for rule in RULES[role]:
        days = float(getattr(settings, rule.setting))
        if days == 0:
            continue
        if dry_run:
            found[rule.name] = await _count(db, rule, days)
            continue
        found[rule.name] = 0
        async for rows in _pieces(db, rule, days, settings.piece_rows):
            found[rule.name] += rows
    return found


async def _count(db: Database, rule: Rule, days: float) -> int:
    query: LiteralString = f"SELECT count(*) AS rows FROM {rule.table} t WHERE {rule.rows}"
    async with db.transaction() as conn:
        await conn.execute(_PATIENCE)
        row = await (await conn.execute(query, {"days": days})).fetchone()
    return 0 if row is None else int(row["rows"])


async def _pieces(db: Database, rule: Rule, days: float, limit: int) -> AsyncIterator[int]:
    query = _statement(rule)
    values = {"days": days, "limit": limit}

    async def work(conn: Connection) -> int:
        await conn.execute(_PATIENCE)
        return (await conn.execute(query, values)).rowcount

    while (rows := await db.run(work)) > 0:
        yield rows
        watchdog.beat()
        await asyncio.sleep(_BREATH_S)


def _statement(rule: Rule) -> LiteralString:
    """What somebody else has locked is left for another day."""
    act: LiteralString = f"DELETE FROM {rule.table}"
    if rule.change is not None:
        act = f"UPDATE {rule.table} SET {rule.change}"
    return (
        f"WITH doomed AS MATERIALIZED (SELECT t.ctid AS place, t.* FROM {rule.table} t WHERE {rule.rows}"
        f" LIMIT %(limit)s FOR UPDATE SKIP LOCKED), {rule.first}"
        f" places AS (SELECT array_agg(place) AS all_of_them FROM doomed)"
        f" {act} WHERE ctid = ANY((SELECT all_of_them FROM places)::tid[])"
    )


class Nightly:
    """Prunes once a day at the hour of the settings.

    Args:
        clock: Unix seconds.
    """

    def __init__(
        self,
        db: Database,
        role: str,
        settings: RetentionSettings,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._role = role
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._due_s = self._next_due_s()

    async def step(self) -> bool:
        """Prunes when it is time; always False: there is nothing to do at once again."""
        # A clock that was ahead and is put right must not keep us waiting until then.
        self._due_s = min(self._due_s, self._next_due_s())
        if not self._settings.enabled or self._clock() < self._due_s:
            return False
        found = await prune(self._db, self._role, self._settings)
        for name, rows in found.items():
            self._metrics.pruned(name, rows)
        self._metrics.succeeded("retention")
        log.info("pruned", rows=found)
        self._due_s = self._next_due_s()
        return False

    def _next_due_s(self) -> float:
        now = datetime.fromtimestamp(self._clock(), UTC)
        due = now.replace(hour=self._settings.hour_utc, minute=0, second=0, microsecond=0)
        return (due if due > now else due + timedelta(days=1)).timestamp()
