"""The schema refuses rows that must not be, whatever the roles do."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from aligned.storage.postgres import Database
from tests.integration.storage.aggregation.rows import (
    ALICE,
    BATCH,
    BOB,
    insert,
    payment,
    proof_fields,
    query,
    record,
)

HASH = b"\x09" * 32
CHECK, UNIQUE, NOT_NULL, FOREIGN = (
    psycopg.errors.CheckViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.NotNullViolation,
    psycopg.errors.ForeignKeyViolation,
)

PAYMENT = {
    "tx_hash": HASH,
    "event_index": 0,
    "log_index": 0,
    "kind": "payment",
    "address": ALICE,
    "payer": BOB,
    "amount_wei": 1,
    "block_number": 1,
    "block_hash": HASH,
}
QUOTA = {"payment_id": 2, "address": ALICE, "proofs": 3, "valid_from_s": 1, "valid_until_s": 2}
INTAKE = {
    "batch_root": HASH,
    "sender": ALICE,
    "block_number": 1,
    "block_hash": HASH,
    "pointer": "http://x",
}
AGGREGATION = {"system": 1, "level": "native", "root": HASH, "leaf_count": 1, "program_id": HASH}
CHUNK = {"system": 1, "level": "native", "root": HASH, "leaf_count": 1}
BLOB = {"aggregation_id": 1, "position": 0, "versioned_hash": HASH, "kzg_commitment": bytes(48)}
ON_CHAIN = {"state": "final", "aggregation_id": 1, "leaf_index": 0, "path": b""}
IN_BATCH = BATCH | {"quota_id": None, "nonce": None, "batch_root": HASH, "batch_index": 0}


@pytest_asyncio.fixture
async def filled(db: Database) -> AsyncIterator[Database]:
    """A payment with its quota, a payment without, an account, an aggregation, a chunk, a proof."""
    await record(db, payment())
    await insert(db, "payments", **PAYMENT | {"tx_hash": b"\x08" * 32})
    await insert(db, "accounts", address=ALICE)
    await insert(db, "aggregations", **AGGREGATION | {"root": b"\x08" * 32})
    await insert(db, "chunks", **CHUNK)
    await insert(db, "proofs", **proof_fields(0))
    yield db


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("payments", PAYMENT),
    ("payments", PAYMENT | {"kind": "grant", "payer": None, "amount_wei": 0}),
    ("payments", PAYMENT | {"amount_wei": 2**256 - 1}),
    ("quotas", QUOTA),
    ("intake_batches", INTAKE),
    ("aggregations", AGGREGATION),
    ("chunks", CHUNK),
    ("blobs", BLOB),
    ("proofs", proof_fields(1)),
    ("proofs", proof_fields(1) | ON_CHAIN),
    ("proofs", proof_fields(1) | IN_BATCH),
    ("proofs", proof_fields(1, state="proving", chunk_id=1, chunk_position=0)),
    # A rejected proof may be sent again.
    (
        "proofs",
        proof_fields(
            1, state="rejected", reject_code="invalid_proof", proof_hash=proof_fields(0)["proof_hash"]
        ),
    ),
]


@pytest.mark.parametrize(("table", "row"), GOOD)
async def test_schema__good_row__is_taken(filled: Database, table: str, row: dict[str, Any]) -> None:
    before = await _count(filled, table)
    await insert(filled, table, **row)
    assert await _count(filled, table) == before + 1


BAD: list[tuple[str, dict[str, Any], dict[str, Any], type[psycopg.Error]]] = [
    ("payments", PAYMENT, {"tx_hash": b"\x08" * 32}, UNIQUE),
    ("payments", PAYMENT, {"tx_hash": b"\x08" * 31}, CHECK),
    ("payments", PAYMENT, {"tx_hash": None}, NOT_NULL),
    ("payments", PAYMENT, {"event_index": -1}, CHECK),
    ("payments", PAYMENT, {"event_index": 1}, CHECK),  # above the log index
    ("payments", PAYMENT, {"address": b""}, CHECK),
    ("payments", PAYMENT, {"amount_wei": -1}, CHECK),
    ("payments", PAYMENT, {"amount_wei": 10**78}, psycopg.errors.NumericValueOutOfRange),
    ("payments", PAYMENT, {"payer": None}, CHECK),
    ("payments", PAYMENT, {"kind": "gift"}, CHECK),
    ("payments", PAYMENT, {"kind": "grant", "payer": None}, CHECK),  # a grant of money
    ("payments", PAYMENT, {"block_hash": None}, NOT_NULL),
    ("quotas", QUOTA, {"payment_id": 1}, UNIQUE),
    ("quotas", QUOTA, {"payment_id": 3}, FOREIGN),
    ("quotas", QUOTA, {"proofs": 0}, CHECK),
    ("quotas", QUOTA, {"used": 4}, CHECK),
    ("quotas", QUOTA, {"used": -1}, CHECK),
    ("quotas", QUOTA, {"valid_from_s": 3}, CHECK),
    ("accounts", {"address": BOB}, {"next_nonce": -1}, CHECK),
    ("accounts", {"address": BOB}, {"address": ALICE}, UNIQUE),
    ("intake_batches", INTAKE, {"state": "taken"}, CHECK),  # without the number of proofs
    ("intake_batches", INTAKE, {"state": "failed"}, CHECK),  # without the reason
    ("intake_batches", INTAKE, {"state": "lost"}, CHECK),
    ("intake_batches", INTAKE, {"pointer": None}, NOT_NULL),
    ("aggregations", AGGREGATION, {"root": b"\x08" * 32}, UNIQUE),
    ("aggregations", AGGREGATION, {"system": 3}, CHECK),
    ("aggregations", AGGREGATION, {"level": "fake"}, CHECK),
    ("aggregations", AGGREGATION, {"leaf_count": 0}, CHECK),
    ("aggregations", AGGREGATION, {"leaf_count": 23_809}, CHECK),
    ("aggregations", AGGREGATION, {"state": "proved"}, CHECK),  # without a proof
    (
        "aggregations",
        AGGREGATION,
        {"state": "mined", "proof": b"p", "public_values": b"v"},
        CHECK,
    ),  # without a block
    ("chunks", CHUNK, {"state": "joined", "result": "r"}, CHECK),  # without an aggregation
    ("chunks", CHUNK, {"state": "proved"}, CHECK),  # without a result
    ("chunks", CHUNK, {"aggregation_id": 1, "position": 0}, CHECK),  # still proving
    ("chunks", CHUNK, {"repeated": True}, CHECK),
    ("chunks", CHUNK, {"leaf_count": 0}, CHECK),
    ("blobs", BLOB, {"position": 6}, CHECK),
    ("blobs", BLOB, {"kzg_commitment": bytes(47)}, CHECK),
    ("blobs", BLOB, {"aggregation_id": 9}, FOREIGN),
    ("proofs", proof_fields(1), {"nonce": 0}, UNIQUE),
    ("proofs", proof_fields(1), {"proof_hash": proof_fields(0)["proof_hash"]}, UNIQUE),
    ("proofs", proof_fields(1), {"nonce": -1}, CHECK),
    ("proofs", proof_fields(1), {"nonce": None}, CHECK),
    ("proofs", proof_fields(1), {"quota_id": None}, CHECK),
    ("proofs", proof_fields(1), {"quota_id": 9}, FOREIGN),
    ("proofs", proof_fields(1), {"signature": bytes(64)}, CHECK),
    ("proofs", proof_fields(1), {"signature": None}, CHECK),
    ("proofs", proof_fields(1), {"address": None}, CHECK),
    ("proofs", proof_fields(1), {"system": 0}, CHECK),
    ("proofs", proof_fields(1), {"leaf": bytes(31)}, CHECK),
    ("proofs", proof_fields(1), {"size_bytes": 0}, CHECK),
    ("proofs", proof_fields(1), {"state": "done"}, CHECK),
    ("proofs", proof_fields(1), {"state": "rejected"}, CHECK),  # without a code
    ("proofs", proof_fields(1), {"reject_code": "invalid_proof"}, CHECK),  # pending
    ("proofs", proof_fields(1), {"state": "proving"}, CHECK),  # in no chunk
    ("proofs", proof_fields(1), {"chunk_id": 1, "chunk_position": 0}, CHECK),  # pending
    ("proofs", proof_fields(1), {"state": "proving", "chunk_id": 1}, CHECK),
    ("proofs", proof_fields(1) | ON_CHAIN, {"leaf_index": None}, CHECK),
    ("proofs", proof_fields(1) | ON_CHAIN, {"leaf_index": 23_808}, CHECK),
    ("proofs", proof_fields(1) | ON_CHAIN, {"path": bytes(33)}, CHECK),
    ("proofs", proof_fields(1) | ON_CHAIN, {"aggregation_id": 9}, FOREIGN),
    ("proofs", IN_BATCH | proof_fields(1), {"batch_root": HASH}, CHECK),  # both a gateway's and a batch's
    ("proofs", proof_fields(1) | IN_BATCH, {"batch_index": None}, CHECK),
    ("proofs", proof_fields(1) | IN_BATCH, {"quota_id": 1}, CHECK),
    ("proofs", proof_fields(1) | IN_BATCH, {"address": ALICE}, CHECK),
]


@pytest.mark.parametrize(("table", "good", "changes", "error"), BAD)
async def test_schema__bad_row__is_refused(
    filled: Database, table: str, good: dict[str, Any], changes: dict[str, Any], error: type[psycopg.Error]
) -> None:
    before = await _count(filled, table)
    with pytest.raises(error):
        await insert(filled, table, **good | changes)
    assert await _count(filled, table) == before


async def test_schema__same_place_in_a_chunk_or_an_aggregation_twice__is_refused(filled: Database) -> None:
    place = {"state": "proving", "chunk_id": 1, "chunk_position": 0}
    await insert(filled, "proofs", **proof_fields(1, **place))
    with pytest.raises(UNIQUE):
        await insert(filled, "proofs", **proof_fields(2, **place))
    joined = CHUNK | {"state": "joined", "result": "r", "aggregation_id": 1, "position": 0}
    await insert(filled, "chunks", **joined)
    with pytest.raises(UNIQUE):
        await insert(filled, "chunks", **joined)
    await insert(filled, "chunks", **joined | {"repeated": True})


async def test_schema__quota_used_beyond_its_proofs__is_refused(filled: Database) -> None:
    with pytest.raises(CHECK):
        await query(filled, "UPDATE quotas SET used = 6 WHERE id = 1 RETURNING id")


async def test_schema__history_of_no_proof__is_refused(filled: Database) -> None:
    with pytest.raises(FOREIGN):
        await insert(filled, "proof_history", proof_id=uuid.uuid4(), state="pending")


async def _count(db: Database, table: str) -> int:
    [row] = await query(db, f"SELECT count(*) AS n FROM {table}")
    return int(row["n"])
