"""What /readyz of operator and aggregator asks of the database reads few rows, however many tasks there ever were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from aligned.bls_aggregator.tasks import TaskStore as AggregatorTasks
from aligned.operator.tasks import TaskStore as OperatorTasks
from aligned.storage.postgres import Database, migrate
from tests.outside.statements import watched_statements

_FILL = {
    "operator": """
        INSERT INTO operator_tasks (batch_id, task_block, batch_root, sender, pointer, state)
        SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), n, decode(lpad(to_hex(n), 64, '0'), 'hex'),
               decode(repeat('aa', 20), 'hex'), '', CASE WHEN n % 1000 = 0 THEN 'seen' ELSE 'skipped' END
        FROM generate_series(1, 20000) AS n
    """,
    "aggregator": """
        INSERT INTO aggregator_tasks (batch_id, task_block, task_block_hash, batch_root, sender, state)
        SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), n, decode(repeat('00', 32), 'hex'),
               decode(lpad(to_hex(n), 64, '0'), 'hex'), decode(repeat('aa', 20), 'hex'),
               CASE WHEN n % 1000 = 0 THEN 'new' ELSE 'answered' END
        FROM generate_series(1, 20000) AS n
    """,
}
COUNTS: dict[str, tuple[Callable[[Database], Awaitable[object]], object]] = {
    "operator": (lambda db: OperatorTasks(db, ()).open_counts(), {"unvoted": 20, "unreported": 0}),
    "aggregator": (lambda db: AggregatorTasks(db).open_count(), 20),
}


@pytest.mark.parametrize("role", sorted(COUNTS))
async def test_readiness__20000_tasks__counts_the_open_ones_by_their_index(
    postgres: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, expected = COUNTS[role]
    async with Database(postgres) as db:
        await migrate(db, role)
        async with db.transaction() as conn:
            await conn.execute(_FILL[role])
            await conn.execute("ANALYZE")
        with watched_statements(monkeypatch) as statements:
            assert await count(db) == expected
        [asked] = [text for text in statements.sent if "tasks" in text]
        async with db.transaction() as conn:
            rows = await (await conn.execute(f"EXPLAIN {asked}")).fetchall()
    plan = "\n".join(str(row["QUERY PLAN"]) for row in rows)
    assert "Seq Scan" not in plan, plan
