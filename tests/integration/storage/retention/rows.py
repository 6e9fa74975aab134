"""Rows of every age and state, as plain SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aligned.storage.postgres import Database, migrate

OLD, NEW = "now() - interval '400 days'", "now() - interval '1 day'"
HASH = {name: f"decode(repeat('{name}', 32), 'hex')" for name in ("01", "02", "03", "04", "05", "06", "07")}
ADDRESS = "decode(repeat('aa', 20), 'hex')"
NOWHERE = "NULL, NULL, NULL, NULL, NULL"


@asynccontextmanager
async def opened_database(url: str, role: str) -> AsyncIterator[Database]:
    async with Database(url) as db:
        await migrate(db, role)
        yield db


async def sql(db: Database, text: str) -> list[dict[str, Any]]:
    async with db.transaction() as conn:
        done = await conn.execute(text)
        return list(await done.fetchall()) if done.description else []


async def count(db: Database, table: str) -> int:
    return int((await sql(db, f"SELECT count(*) AS n FROM {table}"))[0]["n"])


async def submission(
    db: Database, sender: str, nonce: int, state: str, batch: int | None, at: str = OLD
) -> None:
    number = "NULL" if batch is None else str(batch)
    path = "NULL" if batch is None else "''"
    await sql(
        db,
        "INSERT INTO submission (sender, nonce, leaf, max_fee_wei, proving_system, size_bytes, deadline_s,"
        " receipt_signature, state, batch_number, path, accepted_at) VALUES"
        f" (decode(repeat('{sender}', 20), 'hex'), {nonce}, {HASH['01']}, 1, 0, 1, 1, decode(repeat('00', 65), 'hex'),"
        f" '{state}', {number}, {path}, {at})",
    )


async def batch(db: Database, root: str, state: str, *, final: bool, settled: bool, at: str = OLD) -> int:
    dissolved = "1" if state == "failed" else "NULL"
    rows = await sql(
        db,
        "INSERT INTO batch (batch_id, root, state, proof_count, size_bytes, fee_per_proof_wei, answer_fee_wei, payers,"
        " final, settled, dissolved_block, created_at) VALUES"
        f" ({HASH[root]}, {HASH[root]}, '{state}', 1, 1, 1, 1, {ADDRESS}, {final}, {settled}, {dissolved}, {at})"
        " RETURNING number",
    )
    return int(rows[0]["number"])


async def tx_request(db: Database, nonce: int | None, state: str = "superseded", at: str = OLD) -> None:
    key = f"{nonce}:{state}:{at}".replace("'", "")
    number = "NULL" if nonce is None else str(nonce)
    await sql(
        db,
        "INSERT INTO tx_request (chain_id, account, key, nonce, to_address, data, value_wei, gas_limit, state,"
        " updated_at)"
        f" VALUES (1, {ADDRESS}, '{key}', {number}, {ADDRESS}, '', 0, 0, '{state}', {at})",
    )
    await sql(
        db,
        "INSERT INTO tx_attempt (tx_hash, chain_id, account, key, number, nonce, is_cancel, raw, max_fee_wei,"
        f" priority_fee_wei) VALUES (sha256('{key}'), 1, {ADDRESS}, '{key}', 1, {nonce or 0}, FALSE, '', 0, 0)",
    )


async def operator_task(db: Database, block: int, state: str, at: str = OLD) -> None:
    signature = "NULL" if state in ("seen", "failed", "skipped") else "decode(repeat('00', 64), 'hex')"
    await sql(
        db,
        "INSERT INTO operator_tasks (batch_id, task_block, batch_root, sender, pointer, state, signature, updated_at)"
        f" VALUES ({HASH['01']}, {block}, {HASH['01']}, {ADDRESS}, '', '{state}', {signature}, {at})",
    )
    await sql(
        db,
        f"INSERT INTO operator_reports (batch_id, task_block, aggregator_url) VALUES ({HASH['01']}, {block}, 'x')",
    )


async def aggregation(db: Database, root: str, state: str, at: str = OLD) -> int:
    rows = await sql(
        db,
        "INSERT INTO aggregations (system, level, state, root, leaf_count, program_id, public_values, proof, tx_hash,"
        " block_number, block_hash, created_at, updated_at) VALUES"
        f" (1, 'native', '{state}', {HASH[root]}, 1, {HASH['01']}, '', '', {HASH['01']}, 1, {HASH['01']}, {at}, {at})"
        " RETURNING id",
    )
    return int(rows[0]["id"])


async def aggregated(db: Database, root: str, state: str, index: int) -> None:
    """An aggregation with one chunk of one proof, of a batch so that nobody paid."""
    number = await aggregation(db, root, state)
    chunk = await sql(
        db,
        "INSERT INTO chunks (aggregation_id, position, system, level, state, root, leaf_count, result) VALUES"
        f" ({number}, 0, 1, 'native', 'joined', {HASH[root]}, 1, '') RETURNING id",
    )
    await proof(db, index, state, f"{number}, 0, '', {chunk[0]['id']}, 0", OLD)
    await sql(db, f"INSERT INTO blobs VALUES ({number}, 0, {HASH['01']}, decode(repeat('00', 48), 'hex'))")


async def proof(db: Database, index: int, state: str, place: str, at: str) -> None:
    code = "'invalid'" if state == "rejected" else "NULL"
    await sql(
        db,
        "INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash,"
        " key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes, state, reject_code,"
        " updated_at, aggregation_id, leaf_index, path, chunk_id, chunk_position) VALUES"
        f" ('batch', {HASH['01']}, {index}, 1, {HASH['01']}, {HASH['01']}, {HASH['01']}, {HASH['01']}, {HASH['01']},"
        f" {HASH['01']}, 'x', '', '', 1, '{state}', {code}, {at}, {place})",
    )
