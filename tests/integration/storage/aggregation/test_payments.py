"""Payments in the database: each counts once, and an orphaned one keeps what was used of it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from aligned_native import keccak256

from aligned.storage.aggregation import payments
from aligned.storage.postgres import Database
from tests.integration.storage.aggregation.rows import (
    BOB,
    orphan_from,
    payment,
    query,
    quotas,
    record,
    somebody_waits,
    states,
    submit,
)


async def test_record__same_event_twice__counts_once(db: Database) -> None:
    await record(db, payment(), payment())
    await record(db, payment())
    assert await quotas(db) == [(5, 0, False)]


async def test_record__three_events_of_one_transaction__all_count(db: Database) -> None:
    await record(db, *(payment(event_index=index, log_index=3 + index) for index in range(3)))
    assert await quotas(db) == [(5, 0, False)] * 3


async def test_record__amount_above_63_bits__is_exact(db: Database) -> None:
    await record(db, payment(amount_wei=2**96 - 1), payment(2, amount_wei=2**256 - 1))
    rows = await query(db, "SELECT amount_wei FROM payments ORDER BY id")
    assert [int(row["amount_wei"]) for row in rows] == [2**96 - 1, 2**256 - 1]


async def test_record__grant__has_no_payer(db: Database) -> None:
    await record(db, payment(kind="grant", payer=None, amount_wei=0))
    assert await query(db, "SELECT kind, payer FROM payments") == [{"kind": "grant", "payer": None}]


async def test_orphan__payment_left_the_chain__pending_proofs_are_unpaid_others_stay(db: Database) -> None:
    await record(db, payment(), payment(2, block_number=9, proofs=3))
    await submit(db, 0)
    await submit(db, 1, state="verifying")
    await submit(db, 2, 2)
    await query(db, "UPDATE quotas SET used = proofs WHERE id = 2 RETURNING id")
    await orphan_from(db, 10)
    assert await states(db) == ["unpaid", "verifying", "pending"]
    assert await quotas(db) == [(5, 2, True), (3, 3, False)]


async def test_record__mined_again_with_another_log_index__restores_what_was_used(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0)
    await orphan_from(db, 10)
    assert await states(db) == ["unpaid"]
    await record(db, payment(block_number=12, block_hash=keccak256(b"block 12"), log_index=8))
    assert await states(db) == ["pending"]
    assert await quotas(db) == [(5, 1, False)]
    assert await query(db, "SELECT block_number, log_index FROM payments") == [
        {"block_number": 12, "log_index": 8}
    ]


async def test_record__two_events_shifted_in_the_block__each_finds_its_own(db: Database) -> None:
    first, second = payment(event_index=0, log_index=0, proofs=3), payment(event_index=1, log_index=1)
    await record(db, first, second)
    await submit(db, 0, 1)
    await submit(db, 1, 2)
    await orphan_from(db, 10)
    await record(db, *(dataclasses.replace(item, log_index=item.log_index + 1) for item in (first, second)))
    assert await quotas(db) == [(3, 1, False), (5, 1, False)]
    assert await states(db) == ["pending", "pending"]


async def test_record__mined_again_on_smaller_terms__is_used_up_and_counts_on(db: Database) -> None:
    await record(db, payment())
    for nonce in range(3):
        await submit(db, nonce)
    await orphan_from(db, 10)
    await record(db, payment(proofs=1))
    assert await quotas(db) == [(1, 1, False)]
    await orphan_from(db, 10)
    await record(db, payment(2, proofs=9))
    assert await quotas(db) == [(1, 0, True), (9, 3, False)]
    assert await states(db) == ["pending"] * 3


async def test_record__same_transaction_serves_another_account__takes_nothing_over(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0)
    await orphan_from(db, 10)
    await record(db, payment(address=BOB))
    assert await quotas(db) == [(5, 1, True), (5, 0, False)]
    assert await states(db) == ["unpaid"]


async def test_record__later_payment_of_the_account__takes_over_unpaid_proofs_oldest_first(
    db: Database,
) -> None:
    await record(db, payment())
    for nonce in range(3):
        await submit(db, nonce)
    await orphan_from(db, 10)
    await record(db, payment(2, proofs=2))
    assert await states(db) == ["pending", "pending", "unpaid"]
    assert await quotas(db) == [(5, 1, True), (2, 2, False)]
    await record(db, payment())
    assert await states(db) == ["pending"] * 3
    assert await quotas(db) == [(5, 1, False), (2, 2, False)]


async def test_record__payment_of_another_account_or_out_of_time__leaves_proofs_unpaid(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0)
    await orphan_from(db, 10)
    await record(db, payment(2, address=BOB), payment(3, valid_from_s=1, valid_until_s=2))
    assert await states(db) == ["unpaid"]


async def test_orphan__account_has_another_payment__its_proofs_go_on(db: Database) -> None:
    await record(db, payment(block_number=9), payment(2))
    await submit(db, 0, 2)
    await orphan_from(db, 10)
    assert await states(db) == ["pending"]
    assert await quotas(db) == [(5, 1, False), (5, 0, True)]


@pytest.mark.parametrize("before", ["verifying", "proving"])
async def test_pending__quota_is_orphaned__becomes_unpaid_whoever_sets_it(db: Database, before: str) -> None:
    await record(db, payment())
    chunk = "INSERT INTO chunks (system, level, root, leaf_count) VALUES (1, 'native', %s, 1) RETURNING id"
    await query(db, chunk, bytes(32))
    place = {"chunk_id": 1, "chunk_position": 0} if before == "proving" else {}
    await submit(db, 0, state=before, **place)
    await orphan_from(db, 10)
    assert await states(db) == [before]
    [row] = await query(
        db, "UPDATE proofs SET state = 'pending', chunk_id = NULL, chunk_position = NULL RETURNING state"
    )
    assert row["state"] == "unpaid"


async def test_pending__verdict_while_the_payment_is_being_orphaned__is_unpaid(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0, state="verifying")
    async with db.transaction() as conn:
        await payments.orphan_from(conn, 10)
        accepting = asyncio.create_task(
            query(db, "UPDATE proofs SET state = 'pending' WHERE nonce = 0 RETURNING state")
        )
        await somebody_waits(db)
        assert not accepting.done()
    assert await accepting == [{"state": "unpaid"}]


async def test_orphan__verdict_not_yet_committed__waits_and_takes_it_back(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0, state="verifying")
    async with db.transaction() as conn:
        await conn.execute("UPDATE proofs SET state = 'pending' WHERE nonce = 0")
        orphaning = asyncio.create_task(orphan_from(db, 10))
        await somebody_waits(db)
        assert not orphaning.done()
    await orphaning
    assert await states(db) == ["unpaid"]


async def test_history__every_change__has_its_line_and_other_updates_none(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0)
    await query(db, "UPDATE proofs SET attempts = 1 RETURNING id")
    await query(db, "UPDATE proofs SET state = 'pending' RETURNING id")
    await orphan_from(db, 10)
    await record(db, payment())
    lines = await query(db, "SELECT state FROM proof_history ORDER BY number")
    assert [line["state"] for line in lines] == ["pending", "unpaid", "pending"]


async def test_active_accounts__counts_accounts_with_time_left(db: Database) -> None:
    await record(
        db,
        payment(),
        payment(2),
        payment(3, address=BOB, valid_until_s=2, valid_from_s=1),
        payment(4, block_number=11),
    )
    async with db.transaction() as conn:
        assert await payments.active_accounts(conn) == 1
    await orphan_from(db, 0)
    async with db.transaction() as conn:
        assert await payments.active_accounts(conn) == 0
