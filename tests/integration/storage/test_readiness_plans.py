"""What /readyz of a role asks of the database reads few rows, however many there ever were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from aligned.bls_aggregator.tasks import TaskStore as AggregatorTasks
from aligned.operator.tasks import TaskStore as OperatorTasks
from aligned.storage.aggregation import payments
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
_ENDED_PAYMENTS = """
    WITH paid AS (
        INSERT INTO payments (tx_hash, event_index, log_index, kind, address, payer, amount_wei, block_number,
                              block_hash)
        SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), 0, 0, 'payment',
               decode(lpad(to_hex(n % 20000), 40, '0'), 'hex'), decode(repeat('aa', 20), 'hex'), 1, n,
               decode(repeat('00', 32), 'hex')
        FROM generate_series(1, 50000) AS n RETURNING id, address, block_number
    ) INSERT INTO quotas (payment_id, address, proofs, valid_from_s, valid_until_s)
      SELECT id, address, 1, 1, CASE WHEN block_number % 1000 = 0 THEN 4000000000 ELSE 2 END FROM paid
"""
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


async def test_readiness__50000_payments__counts_accounts_with_time_left_by_their_index(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Database(postgres) as db:
        await migrate(db, "aggregation")
        async with db.transaction() as conn:
            await conn.execute(_ENDED_PAYMENTS)
            await conn.execute("ANALYZE")
        with watched_statements(monkeypatch) as statements:
            async with db.transaction() as conn:
                assert await payments.active_accounts(conn) == 20
        [asked] = [text for text in statements.sent if "quotas" in text]
        async with db.transaction() as conn:
            rows = await (await conn.execute(f"EXPLAIN {asked}")).fetchall()
    plan = "\n".join(str(row["QUERY PLAN"]) for row in rows)
    assert "quotas_active" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "Index Cond: ((valid_until_s + 0) >" in plan, plan
