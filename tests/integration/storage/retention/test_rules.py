"""What is too old goes; what is still needed stays, whatever its age."""

from __future__ import annotations

import pytest

from aligned.settings import RetentionSettings
from aligned.storage.retention import prune
from tests.integration.storage.retention.rows import (
    ADDRESS,
    HASH,
    NEW,
    NOWHERE,
    OLD,
    aggregated,
    aggregation,
    batch,
    count,
    opened_database,
    operator_task,
    proof,
    sql,
    submission,
    tx_request,
)


async def test_batcher__old_and_new_rows__open_money_and_nonces_stay(postgres: str) -> None:
    async with opened_database(postgres, "batcher") as db:
        done = await batch(db, "01", "verified", final=True, settled=True)
        owing = await batch(db, "02", "verified", final=True, settled=False)
        shallow = await batch(db, "03", "posted", final=False, settled=False)
        recent = await batch(db, "04", "verified", final=True, settled=True, at=NEW)
        await batch(db, "05", "failed", final=True, settled=False)
        await batch(db, "06", "failed", final=False, settled=False)
        for nonce in (0, 1):
            await submission(db, "aa", nonce, "verified", done)
        await submission(db, "bb", 0, "verified", owing)
        await submission(db, "bb", 1, "posted", shallow)
        await submission(db, "cc", 0, "verified", recent, NEW)
        await submission(db, "cc", 1, "queued", None)
        await submission(db, "dd", 0, "failed", None)
        await submission(db, "dd", 1, "replaced", None)
        await submission(db, "dd", 2, "failed", None, NEW)
        wanted = await prune(db, "batcher", RetentionSettings(), dry_run=True)
        assert await prune(db, "batcher", RetentionSettings()) == wanted
        left = await sql(
            db, "SELECT encode(substr(sender, 1, 1), 'hex') AS s, nonce FROM submission ORDER BY 1, 2"
        )
        # aa/1 says that the next nonce is 2.
        assert [(row["s"], row["nonce"]) for row in left] == [
            ("aa", 1), ("bb", 0), ("bb", 1), ("cc", 0), ("cc", 1), ("dd", 2),
        ]  # fmt: skip
        rows = await sql(db, "SELECT number, state, payers IS NULL AS slim FROM batch ORDER BY number")
        assert [(row["number"], row["slim"]) for row in rows] == [
            (done, True), (owing, False), (shallow, False), (recent, False), (6, False),
        ]  # fmt: skip
        assert wanted["submission"] == 3
        assert set((await prune(db, "batcher", RetentionSettings())).values()) == {0}


async def test_transactions__old_and_settled__latest_nonces_and_pending_ones_stay(postgres: str) -> None:
    async with opened_database(postgres, "aggregator") as db:
        for nonce in (0, 1, 500, 744):
            await tx_request(db, nonce)
        await tx_request(db, 1_000, at=NEW)
        await tx_request(db, 2, "pending")
        await tx_request(db, 3, at=NEW)
        await tx_request(db, None)
        found = await prune(db, "aggregator", RetentionSettings())
        assert found["tx_request, tx_attempt"] == 4
        left = await sql(db, "SELECT nonce FROM tx_request ORDER BY nonce")
        assert [row["nonce"] for row in left] == [2, 3, 744, 1_000]
        assert await count(db, "tx_attempt") == 4


async def test_operator__old_tasks__what_is_not_over_stays(postgres: str) -> None:
    async with opened_database(postgres, "operator") as db:
        states = ("reported", "skipped", "seen", "failed", "signed", "refused")
        for block, state in enumerate(states):
            await operator_task(db, block, state)
        await operator_task(db, 9, "reported", NEW)
        await prune(db, "operator", RetentionSettings())
        left = await sql(db, "SELECT task_block FROM operator_tasks ORDER BY task_block")
        assert [row["task_block"] for row in left] == [2, 3, 4, 5, 9]
        assert await count(db, "operator_reports") == 5


async def test_aggregator__old_tasks__go_with_operators_and_votes(postgres: str) -> None:
    async with opened_database(postgres, "aggregator") as db:
        states = ("answered", "refused", "expired", "vanished", "new", "open", "quorum")
        for block, state in enumerate(states):
            await sql(
                db,
                "INSERT INTO aggregator_tasks (batch_id, task_block, task_block_hash, batch_root, sender, state,"
                f" snapshot_index, updated_at) VALUES ({HASH['01']}, {block}, {HASH['01']}, {HASH['01']}, {ADDRESS},"
                f" '{state}', 0, {OLD})",
            )
            await sql(
                db,
                f"INSERT INTO aggregator_operators VALUES ({HASH['01']}, {block}, {HASH['01']}, {ADDRESS}, 1, 0,"
                " decode(repeat('00', 64), 'hex'), decode(repeat('00', 128), 'hex'))",
            )
            await sql(
                db,
                "INSERT INTO aggregator_votes (batch_id, task_block, operator_id, signature) VALUES"
                f" ({HASH['01']}, {block}, {HASH['01']}, decode(repeat('00', 64), 'hex'))",
            )
        await prune(db, "aggregator", RetentionSettings())
        counts = [await count(db, f"aggregator_{name}") for name in ("tasks", "operators", "votes")]
        assert counts == [3, 3, 3]


async def test_aggregation__default_settings__what_is_on_chain_stays_for_ever(postgres: str) -> None:
    async with opened_database(postgres, "aggregation") as db:
        await aggregated(db, "01", "final", 0)
        await aggregation(db, "02", "failed")
        await aggregation(db, "03", "failed", NEW)
        await proof(db, 1, "rejected", NOWHERE, OLD)
        await proof(db, 2, "rejected", NOWHERE, NEW)
        await proof(db, 3, "pending", NOWHERE, OLD)
        await sql(db, f"UPDATE proof_history SET at = {OLD}; UPDATE aggregation_history SET at = {OLD}")
        await prune(db, "aggregation", RetentionSettings())
        states = await sql(db, "SELECT batch_index, state FROM proofs ORDER BY batch_index")
        assert [(row["batch_index"], row["state"]) for row in states] == [
            (0, "final"),
            (2, "rejected"),
            (3, "pending"),
        ]
        assert [row["id"] for row in await sql(db, "SELECT id FROM aggregations ORDER BY id")] == [1, 3]
        assert (await count(db, "chunks"), await count(db, "blobs")) == (1, 1)
        # What still moves keeps its history.
        left = await sql(db, "SELECT p.batch_index FROM proof_history h JOIN proofs p ON p.id = h.proof_id")
        assert [row["batch_index"] for row in left] == [3]
        assert await count(db, "aggregation_history") == 0


async def test_aggregation__final_ones_may_go__proofs_chunks_blobs_and_all(postgres: str) -> None:
    async with opened_database(postgres, "aggregation") as db:
        await aggregated(db, "01", "final", 0)
        await aggregated(db, "02", "mined", 1)
        found = await prune(db, "aggregation", RetentionSettings(final_aggregations_days=100.0))
        assert [
            found[f"{what} (final){rest}"]
            for what, rest in (("proofs", ""), ("chunks", ""), ("aggregations", ", blobs"))
        ] == [1, 1, 1]
        counts = [await count(db, name) for name in ("proofs", "chunks", "aggregations", "blobs")]
        assert counts == [1, 1, 1, 1]


async def test_aggregation__failed_with_a_revoked_root__is_never_forgotten(postgres: str) -> None:
    async with opened_database(postgres, "aggregation") as db:
        await aggregation(db, "01", "failed")
        await aggregation(db, "02", "failed")
        await sql(db, "UPDATE aggregations SET revoked = TRUE WHERE id = 2")
        found = await prune(db, "aggregation", RetentionSettings(failed_aggregations_days=1.0))
        assert found["aggregations (failed)"] == 1
        assert [row["id"] for row in await sql(db, "SELECT id FROM aggregations")] == [2]


@pytest.mark.parametrize("state", ["pending", "unpaid", "proving", "proved", "submitted"])
async def test_aggregation__a_proof_waits__what_its_budget_counts_stays(postgres: str, state: str) -> None:
    """The budget of a proof that waits for 300 days compares the spending of 300 days."""
    async with opened_database(postgres, "aggregation") as db:
        for root, days in (("01", 400), ("02", 200), ("03", 100)):
            await aggregation(db, root, "failed", f"now() - interval '{days} days'")
        if state in ("pending", "unpaid"):
            await proof(db, 1, state, NOWHERE, NEW)
        else:
            await aggregated(db, "04", "mined", 1)
            await sql(db, f"UPDATE proofs SET state = '{'submitted' if state == 'submitted' else 'proving'}'")
            await sql(db, f"UPDATE aggregations SET state = '{state}' WHERE state = 'mined'")
        await sql(db, "UPDATE proofs SET received_at = now() - interval '300 days'")
        settings = RetentionSettings(failed_aggregations_days=90.0)
        assert (await prune(db, "aggregation", settings))["aggregations (failed)"] == 1
        await sql(db, "UPDATE proofs SET received_at = now()")
        assert (await prune(db, "aggregation", settings))["aggregations (failed)"] == 2


async def test_aggregation__intake__only_what_is_over(postgres: str) -> None:
    async with opened_database(postgres, "aggregation") as db:
        for block, (state, at) in enumerate((("taken", OLD), ("failed", OLD), ("new", OLD), ("taken", NEW))):
            proofs, error = ("1" if state == "taken" else "NULL"), ("'x'" if state == "failed" else "NULL")
            await sql(
                db,
                "INSERT INTO intake_batches (batch_root, sender, block_number, block_hash, pointer, state, proofs,"
                f" last_error, seen_at) VALUES ({HASH['01']}, {ADDRESS}, {block}, {HASH['01']}, '', '{state}',"
                f" {proofs}, {error}, {at})",
            )
        await prune(db, "aggregation", RetentionSettings())
        left = await sql(db, "SELECT block_number FROM intake_batches ORDER BY block_number")
        assert [row["block_number"] for row in left] == [2, 3]
