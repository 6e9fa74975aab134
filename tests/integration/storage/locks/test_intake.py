"""Fast-mode batches that many aggregators take over at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import pytest_asyncio
from aligned_native import keccak256

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import intake
from aligned.storage.aggregation.intake import Announced, BatchProof, Claimed
from aligned.storage.postgres import Database
from tests.integration.storage.aggregation.rows import query
from tests.integration.storage.locks.together import CALLS, together, transaction, wide_database

LEASE_S = 60.0
FOREVER = datetime(3000, 1, 1, tzinfo=UTC)
ROOTS = [keccak256(b"root %d" % number) for number in range(4)]
PROOFS = 3


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with wide_database(postgres, "aggregation") as opened:
        yield opened


def _announced(number: int) -> Announced:
    """Each root comes from several senders."""
    return Announced(ROOTS[number % len(ROOTS)], number.to_bytes(20, "big"), 1, bytes(32), "http://x")


def _proof(root: bytes, index: int) -> BatchProof:
    word = keccak256(root + bytes([index]))
    return BatchProof(
        batch_root=root,
        batch_index=index,
        system=AggregationSystem.SP1,
        program_id=word,
        commitment=word,
        leaf=word,
        proof_hash=word,
        key_hash=word,
        public_input_hash=word,
        proof_object="object",
        program_key=b"key",
        public_inputs=b"",
        size_bytes=1,
    )


async def _claim(db: Database) -> Claimed | None:
    return await transaction(db, lambda conn: intake.claim(conn, LEASE_S, FOREVER))


async def test_intake__many_claim_at_once__each_batch_has_one_holder(db: Database) -> None:
    batches = [_announced(number) for number in range(CALLS // 2)]
    await transaction(db, lambda conn: intake.add(conn, batches))
    claimed = [row for row in await together(db, *(_claim(db) for _ in range(CALLS))) if row is not None]
    while (row := await _claim(db)) is not None:
        claimed.append(row)
    assert sorted(row.sender for row in claimed) == sorted(batch.sender for batch in batches)
    assert {row.attempts for row in claimed} == {1}


async def test_intake__one_root_of_many_senders_taken_at_once__each_proof_is_one_row(db: Database) -> None:
    batches = [_announced(number) for number in range(CALLS)]
    await transaction(db, lambda conn: intake.add(conn, batches))
    claimed = [row for _ in range(CALLS) if (row := await _claim(db)) is not None]
    assert len(claimed) == CALLS
    calls = [
        transaction(
            db,
            partial(intake.take, batch=row, proofs=[_proof(row.root, index) for index in range(PROOFS)]),
        )
        for row in claimed
    ]
    await together(db, *calls)
    rows = await query(db, "SELECT batch_root, batch_index FROM proofs")
    assert len(rows) == len({(row["batch_root"], row["batch_index"]) for row in rows}) == len(ROOTS) * PROOFS
    assert await transaction(db, intake.counts) == {"taken": CALLS}
