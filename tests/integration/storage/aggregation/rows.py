"""Rows of aggregation mode as the roles would write them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aligned_native import keccak256

from aligned.storage.aggregation import payments
from aligned.storage.aggregation.payments import Payment
from aligned.storage.postgres import Database

ALICE, BOB = b"\xaa" * 20, b"\xbb" * 20
PERIOD_S = 30 * 86_400

_PROOF: dict[str, Any] = {
    "source": "gateway",
    "address": ALICE,
    "system": 1,
    "program_id": b"\x01" * 32,
    "commitment": b"\x02" * 32,
    "leaf": b"\x03" * 32,
    "key_hash": b"\x05" * 32,
    "public_input_hash": b"\x06" * 32,
    "proof_object": "object",
    "program_key": b"key",
    "public_inputs": b"inputs",
    "size_bytes": 1,
    "signature": bytes(65),
    "deadline_s": 2_000_000_000,
    "state": "pending",
}
BATCH = {"source": "batch", "address": None, "signature": None, "deadline_s": None}


def payment(number: int = 1, **changes: Any) -> Payment:
    """A payment of 5 proofs for ALICE in block 10, now valid."""
    now_s = int(time.time())
    fields: dict[str, Any] = {
        "tx_hash": keccak256(b"tx %d" % number),
        "event_index": 0,
        "log_index": 3,
        "kind": "payment",
        "address": ALICE,
        "payer": BOB,
        "amount_wei": 10**15,
        "proofs": 5,
        "valid_from_s": now_s,
        "valid_until_s": now_s + PERIOD_S,
        "block_number": 10,
        "block_hash": keccak256(b"block 10"),
    }
    return Payment(**(fields | changes))


async def record(db: Database, *found: Payment) -> None:
    """As the poller does."""
    async with db.transaction() as conn:
        await payments.record(conn, found)


async def orphan_from(db: Database, block: int) -> None:
    """As the poller does."""
    async with db.transaction() as conn:
        await payments.orphan_from(conn, block)


async def insert(db: Database, table: str, **fields: Any) -> None:
    """One row."""
    names, places = ", ".join(fields), ", ".join(["%s"] * len(fields))
    async with db.transaction() as conn:
        await conn.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", list(fields.values()))


def proof_fields(nonce: int = 0, **changes: Any) -> dict[str, Any]:
    """Columns of a proof that was paid by quota 1."""
    own = {"nonce": nonce, "proof_hash": keccak256(b"proof %d" % nonce), "quota_id": 1}
    return _PROOF | own | changes


async def submit(db: Database, nonce: int, quota_id: int = 1, **changes: Any) -> None:
    """A proof that uses one of a quota."""
    await insert(db, "proofs", **proof_fields(nonce, quota_id=quota_id, **changes))
    await query(db, "UPDATE quotas SET used = used + 1 WHERE id = %s RETURNING id", quota_id)


async def query(db: Database, sql: str, *args: object) -> list[dict[str, Any]]:
    """Rows of a statement."""
    async with db.transaction() as conn:
        return list(await (await conn.execute(sql, args)).fetchall())


async def states(db: Database) -> list[str]:
    """States of all proofs by nonce."""
    return [row["state"] for row in await query(db, "SELECT state FROM proofs ORDER BY nonce")]


async def quotas(db: Database) -> list[tuple[int, int, bool]]:
    """(proofs, used, orphaned) of all quotas, oldest first."""
    rows = await query(db, "SELECT proofs, used, orphaned FROM quotas ORDER BY id")
    return [(row["proofs"], row["used"], row["orphaned"]) for row in rows]


async def somebody_waits(db: Database) -> None:
    """Until a session waits for a lock."""
    async with asyncio.timeout(30):
        while not await query(db, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def columns(rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """One column."""
    return [row[name] for row in rows]
