"""Verdicts in the database: an accepted proof waits for a prover as long as any payment of its account pays for it."""

from __future__ import annotations

import asyncio
from uuid import UUID

from aligned.storage.aggregation import payments, submissions
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


async def _accept(db: Database, nonce: int = 0) -> bool:
    """As the gateway does; whether the first statement was enough."""
    [row] = await query(db, "SELECT id FROM proofs WHERE nonce = %s", nonce)
    proof_id: UUID = row["id"]
    async with db.transaction() as conn:
        accepted = await submissions.accept(conn, proof_id)
    if not accepted:
        async with db.transaction() as conn:
            await submissions.accept_orphaned(conn, proof_id)
    return accepted


async def test_accept__payment_is_good__pending_at_once(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0, state="verifying")
    assert await _accept(db)
    assert await states(db) == ["pending"]


async def test_accept__payment_orphaned_and_another_has_room__that_one_is_charged(db: Database) -> None:
    await record(db, payment(), payment(2, block_number=9))
    await submit(db, 0, state="verifying")
    await orphan_from(db, 10)
    assert not await _accept(db)
    assert await states(db) == ["pending"]
    assert await quotas(db) == [(5, 0, True), (5, 1, False)]


async def test_accept__room_came_after_the_reorganisation__older_unpaid_proofs_go_first(db: Database) -> None:
    await record(db, payment(), payment(2, block_number=9, proofs=1))
    await submit(db, 0)
    await submit(db, 1, state="verifying")
    await submit(db, 2, 2, state="verifying")
    await orphan_from(db, 10)
    [other] = await query(db, "SELECT id FROM proofs WHERE nonce = 2")
    async with db.transaction() as conn:
        assert await submissions.reject(conn, other["id"], "invalid_proof", "bad")
    await _accept(db, 1)
    assert await states(db) == ["pending", "unpaid", "rejected"]
    assert await quotas(db) == [(5, 1, True), (1, 1, False)]


async def test_accept__no_other_payment_with_room_and_time__unpaid(db: Database) -> None:
    full, over = (
        payment(2, block_number=9, proofs=1),
        payment(3, block_number=9, valid_until_s=2, valid_from_s=1),
    )
    await record(db, payment(), full, over, payment(4, block_number=9, address=BOB))
    await submit(db, 0, state="verifying")
    await submit(db, 1, 2)
    await orphan_from(db, 10)
    await _accept(db)
    assert await states(db) == ["unpaid", "pending"]
    assert [used for _, used, _ in await quotas(db)] == [1, 1, 0, 0]


async def test_accept__already_rejected__changes_nothing(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0, state="rejected", reject_code="invalid_proof")
    assert not await _accept(db)
    assert await states(db) == ["rejected"]


async def test_accept__while_the_payment_is_being_orphaned__waits_and_is_charged_to_another(
    db: Database,
) -> None:
    await record(db, payment(), payment(2, block_number=9))
    await submit(db, 0, state="verifying")
    async with db.transaction() as conn:
        await payments.orphan_from(conn, 10)
        accepting = asyncio.create_task(_accept(db))
        await somebody_waits(db)
        assert not accepting.done()
    assert not await accepting
    assert await states(db) == ["pending"]
    assert await quotas(db) == [(5, 0, True), (5, 1, False)]


async def test_accept__orphaned_payment_comes_back_meanwhile__pays_again(db: Database) -> None:
    await record(db, payment(), payment(2, block_number=9))
    await submit(db, 0, state="verifying")
    await orphan_from(db, 10)
    async with db.transaction() as conn:
        await payments.record(conn, [payment()])
        accepting = asyncio.create_task(_accept(db))
        await somebody_waits(db)
    await accepting
    assert await states(db) == ["pending"]
    assert await quotas(db) == [(5, 1, False), (5, 0, False)]


async def test_take_over__lease_ended__counts_nothing_by_itself(db: Database) -> None:
    await record(db, payment())
    await submit(db, 0, state="verifying", attempts=2)
    async with db.transaction() as conn:
        [found] = await submissions.take_over(conn, 30, 10)
        assert found.attempts == 2
        assert await submissions.take_over(conn, 30, 10) == []


async def test_attempts__counted_and_taken_back__never_below_none(db: Database) -> None:
    await record(db, payment())
    for nonce, attempts in enumerate((0, 3)):
        await submit(db, nonce, state="verifying", attempts=attempts)
    await submit(db, 2, attempts=3)
    ids = [row["id"] for row in await query(db, "SELECT id FROM proofs ORDER BY nonce")]

    async def attempts() -> list[int]:
        return [row["attempts"] for row in await query(db, "SELECT attempts FROM proofs ORDER BY nonce")]

    async with db.transaction() as conn:
        for proof_id in ids:
            await submissions.count_attempt(conn, proof_id)
    assert await attempts() == [1, 4, 3]
    for expected in ([0, 3, 3], [0, 2, 3]):
        async with db.transaction() as conn:
            await submissions.take_back_attempts(conn, ids)
        assert await attempts() == expected
