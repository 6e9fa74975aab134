"""Every table has a rule or a reason, and deleting goes in small pieces, once a day or by command."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from aligned.cli.main import cli
from aligned.observability import Metrics
from aligned.settings import RetentionSettings
from aligned.storage.retention import Nightly, prune
from aligned.storage.retention_rules import RULES
from tests.integration.storage.retention.rows import (
    count,
    opened_database,
    operator_task,
    sql,
)

RUNBOOK = Path(__file__).parents[4] / "docs" / "operations" / "runbook.md"

# Tables that no rule is for, and why they do not grow without bound, or must.
KEPT = {
    "schema_migration": "one row a migration",
    "chain_identity": "one row a chain",
    "chain_cursor": "one row a reader",
    "chain_cursor_block": "64 rows a reader",
    "operator_identity": "one row",
    "accounts": "one row an account that ever submitted: a nonce is never taken twice",
    "payments": "each row was paid for: the books",
    "quotas": "each row was paid for: the books",
}


def _ruled(role: str) -> set[str]:
    return {
        name for rule in RULES[role] for name in re.sub(r"\(.*?\)", "", rule.name).replace(" ", "").split(",")
    }


@pytest.mark.parametrize("role", sorted(RULES))
async def test_schema__every_table__is_pruned_or_bounded_and_in_the_runbook(postgres: str, role: str) -> None:
    async with opened_database(postgres, role) as db:
        rows = await sql(db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = {row["tablename"] for row in rows}
    assert tables - _ruled(role) - set(KEPT) == set()
    assert _ruled(role) - tables == set()
    runbook = RUNBOOK.read_text()
    assert [table for table in sorted(tables) if f"`{table}`" not in runbook] == []


@pytest.mark.parametrize("role", sorted(RULES))
async def test_prune__empty_database__every_rule_is_good_sql(postgres: str, role: str) -> None:
    everything = RetentionSettings(final_aggregations_days=1.0)
    async with opened_database(postgres, role) as db:
        expected = {rule.name: 0 for rule in RULES[role]}
        assert await prune(db, role, everything) == expected
        assert await prune(db, role, everything, dry_run=True) == expected


async def test_prune__small_pieces_and_a_row_that_is_locked__all_others_go(postgres: str) -> None:
    async with opened_database(postgres, "operator") as db:
        for block in range(10):
            await operator_task(db, block, "reported")
        small = RetentionSettings(piece_rows=3)
        async with db.transaction() as holder:
            await holder.execute("SELECT 1 FROM operator_tasks WHERE task_block = 4 FOR UPDATE")
            both = await asyncio.gather(prune(db, "operator", small), prune(db, "operator", small))
            assert sum(found["operator_tasks, operator_reports"] for found in both) == 9
        assert await count(db, "operator_tasks") == 1
        assert (await prune(db, "operator", small))["operator_tasks, operator_reports"] == 1


async def test_prune__zero_days__kept_for_ever(postgres: str) -> None:
    async with opened_database(postgres, "operator") as db:
        await operator_task(db, 1, "reported")
        off = RetentionSettings(operator_tasks_days=0, transactions_days=0)
        assert await prune(db, "operator", off) == {}
        assert await count(db, "operator_tasks") == 1


async def test_nightly__hour_comes__prunes_once_a_day_and_counts(postgres: str) -> None:
    now_s = 1_700_000_000.0  # 22:13 UTC
    metrics = Metrics("operator")
    async with opened_database(postgres, "operator") as db:
        nightly = Nightly(db, "operator", RetentionSettings(), metrics, lambda: now_s)
        await operator_task(db, 1, "reported")
        for hours, left in ((0, 1), (4, 1), (5, 0)):
            now_s = 1_700_000_000.0 + hours * 3_600
            assert not await nightly.step()
            assert await count(db, "operator_tasks") == left
        await operator_task(db, 2, "reported")
        await nightly.step()
        assert await count(db, "operator_tasks") == 1
        now_s += 24 * 3_600
        await nightly.step()
        assert await count(db, "operator_tasks") == 0
    assert (
        b'aligned_operator_pruned_rows_total{what="operator_tasks, operator_reports"} 2.0' in metrics.render()
    )
    assert b'last_success_timestamp_seconds{loop="retention"}' in metrics.render()


async def test_nightly__clock_was_years_ahead_and_is_put_right__prunes_in_the_next_night(
    postgres: str,
) -> None:
    now_s = 4_000_000_000.0
    async with opened_database(postgres, "operator") as db:
        nightly = Nightly(db, "operator", RetentionSettings(), Metrics("operator"), lambda: now_s)
        await operator_task(db, 1, "reported")
        for hours, left in ((0, 1), (5, 0)):
            now_s = 1_700_000_000.0 + hours * 3_600
            await nightly.step()
            assert await count(db, "operator_tasks") == left


@pytest.mark.parametrize("role", RULES)
async def test_prune__greatest_ages__every_rule_is_good_sql(postgres: str, role: str) -> None:
    days = {name: 36_500.0 for name in RetentionSettings.model_fields if name.endswith("_days")}
    settings = RetentionSettings.model_validate(days)
    async with opened_database(postgres, role) as db:
        assert set((await prune(db, role, settings)).values()) == {0}
    with pytest.raises(ValidationError):
        RetentionSettings.model_validate(days | {"intake_days": 36_501})


async def test_nightly__switched_off__deletes_nothing(postgres: str) -> None:
    now_s = 1_700_000_000.0
    async with opened_database(postgres, "operator") as db:
        await operator_task(db, 1, "reported")
        nightly = Nightly(
            db, "operator", RetentionSettings(enabled=False), Metrics("operator"), lambda: now_s
        )
        now_s += 48 * 3_600
        await nightly.step()
        assert await count(db, "operator_tasks") == 1


def test_command__dry_run_then_for_good__counts_the_same(postgres: str) -> None:
    async def fill() -> None:
        async with opened_database(postgres, "operator") as db:
            await operator_task(db, 1, "reported")

    asyncio.run(fill())
    environment = {"ALIGNED__DATABASE__URL": postgres}
    found = []
    for more in (["--dry-run"], [], []):
        done = CliRunner().invoke(cli, ["db", "prune", "operator", "--json", *more], env=environment)
        assert done.exit_code == 0, done.output
        answer = json.loads(done.stdout)
        assert (answer["role"], answer["dry_run"]) == ("operator", bool(more))
        found.append(answer["rows"]["operator_tasks, operator_reports"])
    assert found == [1, 1, 0]


def test_command__no_url__says_what_to_do() -> None:
    done = CliRunner().invoke(cli, ["db", "prune", "operator"], env={"ALIGNED__DATABASE__URL": ""})
    assert done.exit_code == 2
    assert "database.url_file" in done.output
