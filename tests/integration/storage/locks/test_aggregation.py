"""The tables of aggregation mode under many calls at once: right books, and no deadlock."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aligned_native import keccak256

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import aggregations, chunks, leases, payments, queue, setbacks, submissions
from aligned.storage.aggregation.accounts import Now
from aligned.storage.aggregation.submissions import Submission
from aligned.storage.postgres import Connection, Database
from tests.integration.storage.aggregation.rows import ALICE, payment, query, quotas, record, submit
from tests.integration.storage.locks.together import CALLS, together, transaction, wide_database

LEASE_S = 60.0
ROUNDS = 5


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with wide_database(postgres, "aggregation") as opened:
        yield opened


def _submission(nonce: int) -> Submission:
    return Submission(
        id=uuid4(),
        address=ALICE,
        nonce=nonce,
        deadline_s=2_000_000_000,
        signature=bytes(65),
        system=AggregationSystem.SP1,
        program_id=bytes(32),
        commitment=bytes(32),
        leaf=bytes(32),
        proof_hash=keccak256(b"%d" % nonce),
        key_hash=bytes(32),
        public_input_hash=bytes(32),
        proof_object="object",
        program_key=b"key",
        public_inputs=b"",
        size_bytes=1,
    )


async def _reserve(nonce: int, now_s: int, conn: Connection) -> bool:
    return await submissions.reserve(conn, _submission(nonce), Now(now_s, now_s), LEASE_S)


async def _ids(db: Database) -> list[UUID]:
    return [row["id"] for row in await query(db, "SELECT id FROM proofs ORDER BY nonce")]


async def test_reserve__one_nonce_many_times_at_once__one_charge(db: Database) -> None:
    await record(db, payment(proofs=CALLS))
    await transaction(db, lambda conn: submissions.open_account(conn, ALICE))
    now_s = int(time.time())
    for nonce in range(ROUNDS):
        calls = [transaction(db, partial(_reserve, nonce, now_s)) for _ in range(CALLS)]
        assert sorted(await together(db, *calls)) == [False] * (CALLS - 1) + [True]
    assert await quotas(db) == [(CALLS, ROUNDS, False)]


async def test_verdicts__of_one_account_at_once__quota_counts_the_accepted(db: Database) -> None:
    await record(db, payment(proofs=CALLS))
    for nonce in range(CALLS):
        await submit(db, nonce, state="verifying")
    ids = await _ids(db)

    async def verdict(number: int) -> bool:
        if number % 2:
            return await transaction(
                db, lambda conn: submissions.reject(conn, ids[number], "invalid", "test")
            )
        return await transaction(db, lambda conn: submissions.accept(conn, ids[number]))

    assert await together(db, *(verdict(number) for number in range(CALLS))) == [True] * CALLS
    assert await quotas(db) == [(CALLS, CALLS // 2, False)]


async def test_verdicts__while_payments_leave_and_come_back__no_deadlock(db: Database) -> None:
    now_s = int(time.time())
    # The first payment ends last: its quota is locked last by those who lock all of an account.
    paid = [
        payment(number, proofs=CALLS, valid_until_s=now_s + 10_000 - number, block_number=10 + number)
        for number in (1, 2, 3)
    ]
    await record(db, *paid)
    for nonce in range(CALLS):
        await submit(db, nonce, quota_id=1 + nonce % 3, state="verifying")
    ids = await _ids(db)

    async def verdict(number: int) -> None:
        if not await transaction(db, lambda conn: submissions.accept(conn, ids[number])):
            await transaction(db, lambda conn: submissions.accept_orphaned(conn, ids[number]))
        await transaction(
            db,
            lambda conn: submissions.reject(
                conn, ids[number], "invalid", "test", states=("pending", "unpaid")
            ),
        )

    async def poller() -> None:
        await transaction(db, lambda conn: payments.orphan_from(conn, random.choice((11, 12, 13))))
        await record(db, *paid)

    for _ in range(ROUNDS):
        await query(db, "UPDATE proofs SET state = 'verifying', reject_code = NULL RETURNING id")
        await together(db, *(verdict(number) for number in range(CALLS - 2)), poller())
    assert all(0 <= used <= total for total, used, _ in await quotas(db))


async def _mined_roots(db: Database, count: int) -> list[bytes]:
    """`count` roots of two proofs each, which two quotas paid in turn."""
    await record(db, payment(1, proofs=100), payment(2, proofs=100, valid_until_s=int(time.time()) + 50))
    roots = []
    for number in range(count):
        root = keccak256(b"root %d" % number)
        await query(
            db,
            "INSERT INTO aggregations (system, level, state, root, leaf_count, program_id, public_values, proof,"
            " tx_hash, block_number, block_hash) VALUES (1, 'native', 'mined', %s, 2, %s, '', '', %s, 1, %s)"
            " RETURNING id",
            *(root, bytes(32), bytes(32), bytes(32)),
        )
        for index in range(2):
            quota = 1 + (number + index) % 2
            where = {"aggregation_id": number + 1, "leaf_index": index, "path": b""}
            await submit(db, 2 * number + index, quota_id=quota, state="mined", **where)
        roots.append(root)
    return roots


async def test_revoked__many_roots_at_once__quota_is_given_back_once_each(db: Database) -> None:
    roots = await _mined_roots(db, CALLS)
    calls = [transaction(db, partial(setbacks.revoked, root=root, reason="revoked")) for root in roots]
    assert await together(db, *calls) == [True] * CALLS
    assert [used for _, used, _ in await quotas(db)] == [0, 0]


async def _chunk(db: Database, proof_ids: list[UUID], number: int) -> int:
    async def work(conn: Connection) -> int:
        return await chunks.create(
            conn, AggregationSystem.SP1, "native", keccak256(b"%d" % number), proof_ids
        )

    return await transaction(db, work)


async def test_leases__many_at_once__each_chunk_has_one_holder(db: Database) -> None:
    await record(db, payment(proofs=CALLS))
    for nonce in range(CALLS // 2):
        await submit(db, nonce)
    for number, proof_id in enumerate(await _ids(db)):
        await _chunk(db, [proof_id], number)

    async def take() -> int | None:
        job = await transaction(db, lambda conn: chunks.lease(conn, [1], LEASE_S))
        if job is None:
            return None
        await transaction(db, lambda conn: leases.renew(conn, chunks.TABLE, job.lease, LEASE_S))
        await transaction(db, lambda conn: chunks.finish(conn, job, "result"))
        return job.lease.row_id

    taken = [row for row in await together(db, *(take() for _ in range(CALLS))) if row is not None]
    while (row := await take()) is not None:
        taken.append(row)
    assert sorted(taken) == list(range(1, CALLS // 2 + 1))


async def test_queue__many_take_from_it_at_once__each_proof_is_in_one_chunk(db: Database) -> None:
    await record(db, payment(proofs=CALLS))
    for nonce in range(CALLS):
        await submit(db, nonce)

    async def plan(number: int) -> None:
        async def work(conn: Connection) -> None:
            found = await queue.claim(conn, AggregationSystem.SP1, 3)
            if found:
                await chunks.create(
                    conn,
                    AggregationSystem.SP1,
                    "native",
                    keccak256(b"%d" % number),
                    [row.id for row in found],
                )

        await transaction(db, work)

    await together(db, *(plan(number) for number in range(CALLS)))
    rows = await query(
        db, "SELECT leaf_count, (SELECT count(*) FROM proofs WHERE chunk_id = chunks.id) AS n FROM chunks"
    )
    assert sum(row["n"] for row in rows) == CALLS
    assert all(row["leaf_count"] == row["n"] for row in rows)


@pytest.mark.parametrize("state", ["proved", "failed"])
async def test_same_root__repeated_while_it_changes__no_deadlock(db: Database, state: str) -> None:
    """Several chunks join an aggregation, under its shared lock, while its worker writes its next state."""
    await record(db, payment(proofs=100))
    for nonce in range(CALLS):
        await submit(db, nonce)
    ids = await _ids(db)
    numbers = [await _chunk(db, [proof_id], number) for number, proof_id in enumerate(ids)]
    await query(db, "UPDATE chunks SET state = 'proved', result = 'result' RETURNING id")
    root = keccak256(b"root")
    parts = aggregations.Parts([numbers[0]], [0])
    new = aggregations.NewAggregation(AggregationSystem.SP1, "native", bytes(32), root, 1, parts, None, 0)
    await transaction(db, lambda conn: aggregations.create(conn, new))
    job = await transaction(db, lambda conn: aggregations.lease(conn, "proving", [1], LEASE_S))
    assert job is not None

    async def repeat(chunk: int) -> None:
        async def work(conn: Connection) -> None:
            known = await aggregations.same_root(conn, root)
            if known is not None:
                await aggregations.repeat(conn, known[0], "proving", aggregations.Parts([chunk], [0]), [b""])

        await transaction(db, work)

    async def change(conn: Connection) -> None:
        if state == "failed":
            await aggregations.failed(conn, job, "test")
        else:
            await aggregations.record_proof(conn, job, b"", b"", None, "", [])

    await together(db, *(repeat(chunk) for chunk in numbers[1:CALLS]), transaction(db, change))
    rows = await query(db, "SELECT state FROM chunks WHERE id <> %s", numbers[0])
    # Whoever came before the change went with it; nobody is joined to an aggregation that failed.
    if state == "failed":
        assert {row["state"] for row in rows} == {"proved"}
