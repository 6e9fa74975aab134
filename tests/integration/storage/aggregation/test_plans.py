"""The hot statements find their rows by the index that was made for them, at 50,000 rows."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import (
    accounts,
    aggregations,
    archive,
    chunks,
    income,
    intake,
    leases,
    payments,
    queue,
    receipts,
    submissions,
    summary,
)
from aligned.storage.aggregation.accounts import Now
from aligned.storage.aggregation.aggregations import Mined, NewAggregation, Parts
from aligned.storage.aggregation.submissions import Submission
from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.postgres import Database, migrate
from tests.integration.storage.aggregation.plans import Planned, fill
from tests.integration.storage.aggregation.rows import payment

ACCOUNT = (7).to_bytes(20)
SYSTEM = AggregationSystem.SP1
NOW = Now(2_000_000_000, 2_000_000_012)
Statement = Callable[[Any], Awaitable[object]]


def _submission() -> Submission:
    hashes = dict.fromkeys(
        ("program_id", "commitment", "leaf", "proof_hash", "key_hash", "public_input_hash"), b"\xff" * 32
    )
    return Submission(
        id=uuid.uuid4(),
        address=ACCOUNT,
        nonce=60_000,
        deadline_s=NOW.now_s,
        signature=bytes(65),
        system=SYSTEM,
        proof_object="object",
        program_key=b"key",
        public_inputs=b"",
        size_bytes=1,
        **hashes,
    )


async def _reserve(conn: Any) -> None:
    await submissions.open_account(conn, ACCOUNT)
    assert await submissions.reserve(conn, _submission(), NOW, 30)


async def _judge(conn: Any) -> None:
    found = await conn.execute(
        "SELECT id FROM proofs WHERE state = 'verifying' ORDER BY leased_until LIMIT 3", ()
    )
    first, second, third = [row["id"] for row in await found.fetchall()]
    assert await submissions.accept(conn, first)
    assert await submissions.reject(conn, second, "invalid_proof", "bad")
    await submissions.accept_orphaned(conn, third)


async def _chunk(conn: Any) -> None:
    """Queue to a leased chunk."""
    await queue.waiting(conn, SYSTEM, 256)
    taken = await queue.claim(conn, SYSTEM, 200)
    assert len(taken) == 200
    await chunks.create(conn, SYSTEM, "native", b"\xff" * 32, [proof.id for proof in taken])
    job = await chunks.lease(conn, [1, 2], 60)
    assert job is not None
    await leases.renew(conn, chunks.TABLE, job.lease, 60)
    await chunks.proofs_of(conn, job.lease.row_id)
    await chunks.finish(conn, job, "result")


async def _join(conn: Any) -> None:
    """Proved chunks to an aggregation."""
    parts = Parts(await chunks.ready(conn, SYSTEM, "native", 512), [0, 256])
    assert len(parts.chunk_ids) == 2
    await chunks.commitments(conn, parts.chunk_ids)
    assert await aggregations.same_root(conn, b"\xee" * 32) is None
    await income.of_waiting(conn, SYSTEM, 3_968)
    await income.of_chunks(conn, parts.chunk_ids)
    new = NewAggregation(SYSTEM, "native", b"\xee" * 32, b"\xee" * 32, 512, parts, 1, 0)
    await aggregations.create(conn, new)


async def _poll(conn: Any) -> None:
    """What the planner, the cleaner and the gauges ask whether there is work or not."""
    assert await summary.last_created_s(conn, SYSTEM) is not None
    assert await summary.spent_wei(conn, 86_400) == 0
    assert not await summary.is_revoked(conn, b"\xee" * 32)
    assert await summary.is_proving(conn, SYSTEM)
    assert await summary.counts(conn) == [{"system": 1, "state": "proving", "rows": 10}]


async def _publish(conn: Any) -> None:
    """An aggregation from its proof to its block."""
    job = await aggregations.lease(conn, "proving", [1, 2], 60)
    assert job is not None
    await aggregations.record_proof(conn, job, b"values", b"proof", 1, "", [])
    await aggregations.submitted(conn, job, [b""])
    await aggregations.chunks_of(conn, job.id)
    await aggregations.openings(conn, job.id)
    await aggregations.mined(conn, job, Mined(b"\xee" * 32, 1, b"\xee" * 32))


async def _clean(conn: Any) -> None:
    [found] = await chunks.to_clean(conn, 1)
    assert await chunks.files_of(conn, found)


async def _take_batch(conn: Any) -> None:
    batch = await intake.claim(conn, 60, datetime.now(UTC))
    assert batch is not None
    await intake.renew(conn, batch, 60)
    await intake.known_indices(conn, batch.root)
    await intake.take(conn, batch, [])


async def _one_receipt(conn: Any) -> None:
    [row], _ = await receipts.page(conn, ACCOUNT, None, 1, 2**62)
    assert await receipts.by_id(conn, row["id"])
    assert await receipts.history_after(conn, row["id"], 0)


HOT: dict[str, tuple[Statement, set[str]]] = {
    "standing": (
        lambda conn: submissions.look(conn, _submission(), NOW),
        {"accounts_pkey", "quotas_by_address", "proofs_same"},
    ),
    "next nonce": (lambda conn: accounts.next_nonce(conn, ACCOUNT), {"accounts_pkey"}),
    "quota rows": (lambda conn: accounts.quota_rows(conn, ACCOUNT, NOW.now_s), {"quotas_by_address"}),
    "reserve": (_reserve, {"accounts_pkey", "quotas_by_address", "quotas_pkey"}),
    "verdicts": (_judge, {"proofs_pkey", "quotas_pkey", "quotas_by_address", "proofs_verifying"}),
    "take over": (lambda conn: submissions.take_over(conn, 30, 10), {"proofs_verifying", "proofs_pkey"}),
    "receipt": (
        _one_receipt,
        {"proofs_pkey", "proofs_by_address", "proof_history_pkey", "aggregations_pkey"},
    ),
    "receipts": (
        lambda conn: receipts.page(conn, ACCOUNT, None, 100, 2**62),
        {"proofs_by_address", "proof_history_pkey"},
    ),
    "receipts by state": (
        lambda conn: receipts.page(conn, ACCOUNT, "pending", 100, 2**62),
        # All rows of the account are looked at: any index that begins with the address will do.
        {"proof_history_pkey"},
    ),
    "aggregations": (lambda conn: archive.page(conn, 1, 20, 2**62), {"aggregations_pkey", "blobs_pkey"}),
    "aggregation of a root": (
        lambda conn: archive.by_root(conn, (5).to_bytes(32)),
        {"aggregations_root", "blobs_pkey"},
    ),
    "leaves of a root": (lambda conn: archive.commitments(conn, 5), {"proofs_by_aggregation"}),
    "chunk": (
        _chunk,
        {"proofs_queue", "proofs_pkey", "chunks_waiting", "proofs_chunk_id_chunk_position_key"},
    ),
    "joined chunks": (
        _join,
        {"chunks_waiting", "proofs_chunk_id_chunk_position_key", "aggregations_root", "chunks_pkey"},
    ),
    "polls": (_poll, {"aggregations_pkey", "aggregations_by_state"}),
    "publication": (
        _publish,
        {
            "aggregations_by_state",
            "aggregations_pkey",
            "proofs_by_aggregation",
            "chunks_of_aggregation",
            "blobs_pkey",
        },
    ),
    "clean-up": (_clean, {"chunks_to_clean", "proofs_chunk_id_chunk_position_key"}),
    "batch of the fast mode": (
        _take_batch,
        {"intake_batches_open", "proofs_batch_root_batch_index_key"},
    ),
    "vanished batches": (lambda conn: intake.drop_from(conn, 50_005), {"intake_batches_by_block"}),
    "payment": (
        lambda conn: payments.record(conn, [payment(address=ACCOUNT)]),
        {"proofs_by_quota", "quotas_by_address"},
    ),
    "orphaned payments": (
        lambda conn: payments.orphan_from(conn, 49_998),
        {"payments_by_block", "quotas_payment_id_key", "proofs_by_quota", "quotas_by_address"},
    ),
}


@pytest.fixture(scope="module")
def filled_url(postgres_server: EmbeddedPostgres) -> str:
    """A database with 50,000 rows, which the tests of this file only read: they roll back what they write."""
    return postgres_server.url("filled")


@pytest_asyncio.fixture
async def filled(filled_url: str) -> AsyncIterator[Database]:
    async with Database(filled_url) as db:
        if await migrate(db, "aggregation"):
            await fill(db)
        yield db


class _RollBack(Exception):
    pass


@pytest.mark.parametrize("name", HOT)
async def test_plan__hot_statement_at_50000_rows__uses_its_index(filled: Database, name: str) -> None:
    statement, wanted = HOT[name]
    with pytest.raises(_RollBack):
        async with filled.transaction() as conn:
            planned = Planned(conn)
            await statement(planned)
            raise _RollBack
    assert planned.whole_tables == set()
    assert wanted <= planned.indexes, planned.scans


async def test_planned__statement_without_an_index__is_seen(filled: Database) -> None:
    async with filled.transaction() as conn:
        planned = Planned(conn)
        await planned.execute("SELECT 1 FROM proofs WHERE size_bytes = 2")
    assert planned.whole_tables == {"proofs"}
