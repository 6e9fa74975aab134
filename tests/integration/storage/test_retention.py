"""What is too old goes, in small pieces; what is still needed stays, whatever its age."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aligned.cli.main import cli
from aligned.observability import Metrics
from aligned.settings import RetentionSettings
from aligned.storage.postgres import Database, migrate
from aligned.storage.retention import Nightly, prune
from aligned.storage.retention_rules import RULES

RUNBOOK = Path(__file__).parents[3] / "docs" / "operations" / "runbook.md"
OLD, NEW = "now() - interval '400 days'", "now() - interval '1 day'"
HASH = {name: f"decode(repeat('{name}', 32), 'hex')" for name in ("01", "02", "03", "04", "05", "06", "07")}
ADDRESS = "decode(repeat('aa', 20), 'hex')"

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


@asynccontextmanager
async def _database(url: str, role: str) -> AsyncIterator[Database]:
    async with Database(url) as db:
        await migrate(db, role)
        yield db


async def _sql(db: Database, text: str) -> list[dict[str, Any]]:
    async with db.transaction() as conn:
        done = await conn.execute(text)
        return list(await done.fetchall()) if done.description else []


async def _count(db: Database, table: str) -> int:
    return int((await _sql(db, f"SELECT count(*) AS n FROM {table}"))[0]["n"])


def _ruled(role: str) -> set[str]:
    return {
        name for rule in RULES[role] for name in re.sub(r"\(.*?\)", "", rule.name).replace(" ", "").split(",")
    }


@pytest.mark.parametrize("role", sorted(RULES))
async def test_schema__every_table__is_pruned_or_bounded_and_in_the_runbook(postgres: str, role: str) -> None:
    async with _database(postgres, role) as db:
        rows = await _sql(db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = {row["tablename"] for row in rows}
    assert tables - _ruled(role) - set(KEPT) == set()
    assert _ruled(role) - tables == set()
    runbook = RUNBOOK.read_text()
    assert [table for table in sorted(tables) if f"`{table}`" not in runbook] == []


@pytest.mark.parametrize("role", sorted(RULES))
async def test_prune__empty_database__every_rule_is_good_sql(postgres: str, role: str) -> None:
    everything = RetentionSettings(final_aggregations_days=1.0)
    async with _database(postgres, role) as db:
        expected = {rule.name: 0 for rule in RULES[role]}
        assert await prune(db, role, everything) == expected
        assert await prune(db, role, everything, dry_run=True) == expected


async def _submission(
    db: Database, sender: str, nonce: int, state: str, batch: int | None, at: str = OLD
) -> None:
    number = "NULL" if batch is None else str(batch)
    path = "NULL" if batch is None else "''"
    await _sql(
        db,
        "INSERT INTO submission (sender, nonce, leaf, max_fee_wei, proving_system, size_bytes, deadline_s,"
        " receipt_signature, state, batch_number, path, accepted_at) VALUES"
        f" (decode(repeat('{sender}', 20), 'hex'), {nonce}, {HASH['01']}, 1, 0, 1, 1, decode(repeat('00', 65), 'hex'),"
        f" '{state}', {number}, {path}, {at})",
    )


async def _batch(db: Database, root: str, state: str, *, final: bool, settled: bool, at: str = OLD) -> int:
    dissolved = "1" if state == "failed" else "NULL"
    rows = await _sql(
        db,
        "INSERT INTO batch (batch_id, root, state, proof_count, size_bytes, fee_per_proof_wei, answer_fee_wei, payers,"
        " final, settled, dissolved_block, created_at) VALUES"
        f" ({HASH[root]}, {HASH[root]}, '{state}', 1, 1, 1, 1, {ADDRESS}, {final}, {settled}, {dissolved}, {at})"
        " RETURNING number",
    )
    return int(rows[0]["number"])


async def test_batcher__old_and_new_rows__open_money_and_nonces_stay(postgres: str) -> None:
    async with _database(postgres, "batcher") as db:
        done = await _batch(db, "01", "verified", final=True, settled=True)
        owing = await _batch(db, "02", "verified", final=True, settled=False)
        shallow = await _batch(db, "03", "posted", final=False, settled=False)
        recent = await _batch(db, "04", "verified", final=True, settled=True, at=NEW)
        await _batch(db, "05", "failed", final=True, settled=False)
        await _batch(db, "06", "failed", final=False, settled=False)
        for nonce in (0, 1):
            await _submission(db, "aa", nonce, "verified", done)
        await _submission(db, "bb", 0, "verified", owing)
        await _submission(db, "bb", 1, "posted", shallow)
        await _submission(db, "cc", 0, "verified", recent, NEW)
        await _submission(db, "cc", 1, "queued", None)
        await _submission(db, "dd", 0, "failed", None)
        await _submission(db, "dd", 1, "replaced", None)
        await _submission(db, "dd", 2, "failed", None, NEW)
        wanted = await prune(db, "batcher", RetentionSettings(), dry_run=True)
        assert await prune(db, "batcher", RetentionSettings()) == wanted
        left = await _sql(
            db, "SELECT encode(substr(sender, 1, 1), 'hex') AS s, nonce FROM submission ORDER BY 1, 2"
        )
        # aa/1 says that the next nonce is 2.
        assert [(row["s"], row["nonce"]) for row in left] == [
            ("aa", 1), ("bb", 0), ("bb", 1), ("cc", 0), ("cc", 1), ("dd", 2),
        ]  # fmt: skip
        rows = await _sql(db, "SELECT number, state, payers IS NULL AS slim FROM batch ORDER BY number")
        assert [(row["number"], row["slim"]) for row in rows] == [
            (done, True), (owing, False), (shallow, False), (recent, False), (6, False),
        ]  # fmt: skip
        assert wanted["submission"] == 3
        assert set((await prune(db, "batcher", RetentionSettings())).values()) == {0}


async def _request(db: Database, nonce: int | None, state: str = "superseded", at: str = OLD) -> None:
    key = f"{nonce}:{state}:{at}".replace("'", "")
    number = "NULL" if nonce is None else str(nonce)
    await _sql(
        db,
        "INSERT INTO tx_request (chain_id, account, key, nonce, to_address, data, value_wei, gas_limit, state,"
        " updated_at)"
        f" VALUES (1, {ADDRESS}, '{key}', {number}, {ADDRESS}, '', 0, 0, '{state}', {at})",
    )
    await _sql(
        db,
        "INSERT INTO tx_attempt (tx_hash, chain_id, account, key, number, nonce, is_cancel, raw, max_fee_wei,"
        f" priority_fee_wei) VALUES (sha256('{key}'), 1, {ADDRESS}, '{key}', 1, {nonce or 0}, FALSE, '', 0, 0)",
    )


async def test_transactions__old_and_settled__latest_nonces_and_pending_ones_stay(postgres: str) -> None:
    async with _database(postgres, "aggregator") as db:
        for nonce in (0, 1, 500, 744):
            await _request(db, nonce)
        await _request(db, 1_000, at=NEW)
        await _request(db, 2, "pending")
        await _request(db, 3, at=NEW)
        await _request(db, None)
        found = await prune(db, "aggregator", RetentionSettings())
        assert found["tx_request, tx_attempt"] == 4
        left = await _sql(db, "SELECT nonce FROM tx_request ORDER BY nonce")
        assert [row["nonce"] for row in left] == [2, 3, 744, 1_000]
        assert await _count(db, "tx_attempt") == 4


async def _operator_task(db: Database, block: int, state: str, at: str = OLD) -> None:
    signature = "NULL" if state in ("seen", "failed", "skipped") else "decode(repeat('00', 64), 'hex')"
    await _sql(
        db,
        "INSERT INTO operator_tasks (batch_id, task_block, batch_root, sender, pointer, state, signature, updated_at)"
        f" VALUES ({HASH['01']}, {block}, {HASH['01']}, {ADDRESS}, '', '{state}', {signature}, {at})",
    )
    await _sql(
        db,
        f"INSERT INTO operator_reports (batch_id, task_block, aggregator_url) VALUES ({HASH['01']}, {block}, 'x')",
    )


async def test_operator__old_tasks__what_is_not_over_stays(postgres: str) -> None:
    async with _database(postgres, "operator") as db:
        states = ("reported", "skipped", "seen", "failed", "signed", "refused")
        for block, state in enumerate(states):
            await _operator_task(db, block, state)
        await _operator_task(db, 9, "reported", NEW)
        await prune(db, "operator", RetentionSettings())
        left = await _sql(db, "SELECT task_block FROM operator_tasks ORDER BY task_block")
        assert [row["task_block"] for row in left] == [2, 3, 4, 5, 9]
        assert await _count(db, "operator_reports") == 5


async def test_aggregator__old_tasks__go_with_operators_and_votes(postgres: str) -> None:
    async with _database(postgres, "aggregator") as db:
        states = ("answered", "refused", "expired", "vanished", "new", "open", "quorum")
        for block, state in enumerate(states):
            await _sql(
                db,
                "INSERT INTO aggregator_tasks (batch_id, task_block, task_block_hash, batch_root, sender, state,"
                f" snapshot_index, updated_at) VALUES ({HASH['01']}, {block}, {HASH['01']}, {HASH['01']}, {ADDRESS},"
                f" '{state}', 0, {OLD})",
            )
            await _sql(
                db,
                f"INSERT INTO aggregator_operators VALUES ({HASH['01']}, {block}, {HASH['01']}, {ADDRESS}, 1, 0,"
                " decode(repeat('00', 64), 'hex'), decode(repeat('00', 128), 'hex'))",
            )
            await _sql(
                db,
                "INSERT INTO aggregator_votes (batch_id, task_block, operator_id, signature) VALUES"
                f" ({HASH['01']}, {block}, {HASH['01']}, decode(repeat('00', 64), 'hex'))",
            )
        await prune(db, "aggregator", RetentionSettings())
        counts = [await _count(db, f"aggregator_{name}") for name in ("tasks", "operators", "votes")]
        assert counts == [3, 3, 3]


async def _aggregation(db: Database, root: str, state: str, at: str = OLD) -> int:
    rows = await _sql(
        db,
        "INSERT INTO aggregations (system, level, state, root, leaf_count, program_id, public_values, proof, tx_hash,"
        f" block_number, block_hash, updated_at) VALUES (1, 'native', '{state}', {HASH[root]}, 1, {HASH['01']}, '', '',"
        f" {HASH['01']}, 1, {HASH['01']}, {at}) RETURNING id",
    )
    return int(rows[0]["id"])


async def _aggregated(db: Database, root: str, state: str, index: int) -> None:
    """An aggregation with one chunk of one proof, of a batch so that nobody paid."""
    aggregation = await _aggregation(db, root, state)
    chunk = await _sql(
        db,
        "INSERT INTO chunks (aggregation_id, position, system, level, state, root, leaf_count, result) VALUES"
        f" ({aggregation}, 0, 1, 'native', 'joined', {HASH[root]}, 1, '') RETURNING id",
    )
    await _proof(db, index, state, f"{aggregation}, 0, '', {chunk[0]['id']}, 0", OLD)
    await _sql(
        db, f"INSERT INTO blobs VALUES ({aggregation}, 0, {HASH['01']}, decode(repeat('00', 48), 'hex'))"
    )


async def _proof(db: Database, index: int, state: str, place: str, at: str) -> None:
    code = "'invalid'" if state == "rejected" else "NULL"
    await _sql(
        db,
        "INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash,"
        " key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes, state, reject_code,"
        " updated_at, aggregation_id, leaf_index, path, chunk_id, chunk_position) VALUES"
        f" ('batch', {HASH['01']}, {index}, 1, {HASH['01']}, {HASH['01']}, {HASH['01']}, {HASH['01']}, {HASH['01']},"
        f" {HASH['01']}, 'x', '', '', 1, '{state}', {code}, {at}, {place})",
    )


NOWHERE = "NULL, NULL, NULL, NULL, NULL"


async def test_aggregation__default_settings__what_is_on_chain_stays_for_ever(postgres: str) -> None:
    async with _database(postgres, "aggregation") as db:
        await _aggregated(db, "01", "final", 0)
        await _aggregation(db, "02", "failed")
        await _aggregation(db, "03", "failed", NEW)
        await _proof(db, 1, "rejected", NOWHERE, OLD)
        await _proof(db, 2, "rejected", NOWHERE, NEW)
        await _proof(db, 3, "pending", NOWHERE, OLD)
        await _sql(db, f"UPDATE proof_history SET at = {OLD}; UPDATE aggregation_history SET at = {OLD}")
        await prune(db, "aggregation", RetentionSettings())
        states = await _sql(db, "SELECT batch_index, state FROM proofs ORDER BY batch_index")
        assert [(row["batch_index"], row["state"]) for row in states] == [
            (0, "final"),
            (2, "rejected"),
            (3, "pending"),
        ]
        assert [row["id"] for row in await _sql(db, "SELECT id FROM aggregations ORDER BY id")] == [1, 3]
        assert (await _count(db, "chunks"), await _count(db, "blobs")) == (1, 1)
        # What still moves keeps its history.
        left = await _sql(db, "SELECT p.batch_index FROM proof_history h JOIN proofs p ON p.id = h.proof_id")
        assert [row["batch_index"] for row in left] == [3]
        assert await _count(db, "aggregation_history") == 0


async def test_aggregation__final_ones_may_go__proofs_chunks_blobs_and_all(postgres: str) -> None:
    async with _database(postgres, "aggregation") as db:
        await _aggregated(db, "01", "final", 0)
        await _aggregated(db, "02", "mined", 1)
        found = await prune(db, "aggregation", RetentionSettings(final_aggregations_days=100.0))
        assert [
            found[f"{what} (final){rest}"]
            for what, rest in (("proofs", ""), ("chunks", ""), ("aggregations", ", blobs"))
        ] == [1, 1, 1]
        counts = [await _count(db, name) for name in ("proofs", "chunks", "aggregations", "blobs")]
        assert counts == [1, 1, 1, 1]


async def test_aggregation__intake__only_what_is_over(postgres: str) -> None:
    async with _database(postgres, "aggregation") as db:
        for block, (state, at) in enumerate((("taken", OLD), ("failed", OLD), ("new", OLD), ("taken", NEW))):
            proofs, error = ("1" if state == "taken" else "NULL"), ("'x'" if state == "failed" else "NULL")
            await _sql(
                db,
                "INSERT INTO intake_batches (batch_root, sender, block_number, block_hash, pointer, state, proofs,"
                f" last_error, seen_at) VALUES ({HASH['01']}, {ADDRESS}, {block}, {HASH['01']}, '', '{state}',"
                f" {proofs}, {error}, {at})",
            )
        await prune(db, "aggregation", RetentionSettings())
        left = await _sql(db, "SELECT block_number FROM intake_batches ORDER BY block_number")
        assert [row["block_number"] for row in left] == [2, 3]


async def test_prune__small_pieces_and_a_row_that_is_locked__all_others_go(postgres: str) -> None:
    async with _database(postgres, "operator") as db:
        for block in range(10):
            await _operator_task(db, block, "reported")
        small = RetentionSettings(piece_rows=3)
        async with db.transaction() as holder:
            await holder.execute("SELECT 1 FROM operator_tasks WHERE task_block = 4 FOR UPDATE")
            both = await asyncio.gather(prune(db, "operator", small), prune(db, "operator", small))
            assert sum(found["operator_tasks, operator_reports"] for found in both) == 9
        assert await _count(db, "operator_tasks") == 1
        assert (await prune(db, "operator", small))["operator_tasks, operator_reports"] == 1


async def test_prune__zero_days__kept_for_ever(postgres: str) -> None:
    async with _database(postgres, "operator") as db:
        await _operator_task(db, 1, "reported")
        off = RetentionSettings(operator_tasks_days=0, transactions_days=0)
        assert await prune(db, "operator", off) == {}
        assert await _count(db, "operator_tasks") == 1


async def test_nightly__hour_comes__prunes_once_a_day_and_counts(postgres: str) -> None:
    now_s = 1_700_000_000.0  # 22:13 UTC
    metrics = Metrics("operator")
    async with _database(postgres, "operator") as db:
        nightly = Nightly(db, "operator", RetentionSettings(), metrics, lambda: now_s)
        await _operator_task(db, 1, "reported")
        for hours, left in ((0, 1), (4, 1), (5, 0)):
            now_s = 1_700_000_000.0 + hours * 3_600
            assert not await nightly.step()
            assert await _count(db, "operator_tasks") == left
        await _operator_task(db, 2, "reported")
        await nightly.step()
        assert await _count(db, "operator_tasks") == 1
        now_s += 24 * 3_600
        await nightly.step()
        assert await _count(db, "operator_tasks") == 0
    assert (
        b'aligned_operator_pruned_rows_total{what="operator_tasks, operator_reports"} 2.0' in metrics.render()
    )
    assert b'last_success_timestamp_seconds{loop="retention"}' in metrics.render()


async def test_nightly__switched_off__deletes_nothing(postgres: str) -> None:
    now_s = 1_700_000_000.0
    async with _database(postgres, "operator") as db:
        await _operator_task(db, 1, "reported")
        nightly = Nightly(
            db, "operator", RetentionSettings(enabled=False), Metrics("operator"), lambda: now_s
        )
        now_s += 48 * 3_600
        await nightly.step()
        assert await _count(db, "operator_tasks") == 1


def test_command__dry_run_then_for_good__counts_the_same(postgres: str) -> None:
    async def fill() -> None:
        async with _database(postgres, "operator") as db:
            await _operator_task(db, 1, "reported")

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
    assert "database.url_file" in done.stderr
