"""The sender's tables: what was asked for, and every signed form of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from aligned.chain.client import hex_bytes, log_entry, to_bytes
from aligned.chain.fees import Fees
from aligned.chain.types import ChainReceipt
from aligned.core.blob import BLOB_BYTES
from aligned.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Request:
    """One transaction that somebody wants, by key."""

    key: str
    to: bytes
    data: bytes
    value_wei: int
    gas_limit: int
    state: str
    nonce: int | None = None
    receipt: ChainReceipt | None = None
    error: str | None = None
    blobs: tuple[bytes, ...] = ()
    blob_hashes: tuple[bytes, ...] = ()

    def asks_the_same(self, other: Request) -> bool:
        """Whether both would do the same on chain."""
        return self._effect == other._effect

    @property
    def _effect(self) -> tuple[object, ...]:
        return self.to, self.data, self.value_wei, self.blob_hashes


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed form of a request."""

    tx_hash: bytes
    number: int
    nonce: int
    is_cancel: bool
    raw: bytes
    max_fee_wei: int
    priority_fee_wei: int
    blob_fee_wei: int = 0
    age_s: float = 0.0

    @property
    def fees(self) -> Fees:
        """What it offers."""
        return Fees(self.max_fee_wei, self.priority_fee_wei, self.blob_fee_wei)


_LONG_WAIT = "SET LOCAL lock_timeout = '120s'; SET LOCAL statement_timeout = '120s'"


class Journal:
    """Rows of one account on one chain. Every method works in the caller's transaction."""

    def __init__(self, chain_id: int, account: bytes) -> None:
        self._owner = (chain_id, account)

    async def lock(self, conn: Connection) -> None:
        """Keeps every other sender of this account out until the transaction ends."""
        name = f"tx:{self._owner[0]}:{self._owner[1].hex()}"
        # Whoever holds it asks the chain for a nonce meanwhile: waiting longer than for a row's lock is normal.
        await conn.execute(_LONG_WAIT)
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    async def load(self, conn: Connection, key: str) -> Request | None:
        """The request called `key`."""
        found = await conn.execute(
            "SELECT * FROM tx_request WHERE chain_id = %s AND account = %s AND key = %s", (*self._owner, key)
        )
        row = await found.fetchone()
        return None if row is None else _request(row)

    async def from_nonce(self, conn: Connection, nonce: int) -> list[Request]:
        """All requests at `nonce` or above, lowest first."""
        found = await conn.execute(
            "SELECT * FROM tx_request WHERE chain_id = %s AND account = %s AND nonce >= %s ORDER BY nonce",
            (*self._owner, nonce),
        )
        return [_request(row) for row in await found.fetchall()]

    async def attempts(self, conn: Connection, key: str) -> list[Attempt]:
        """All signed forms of `key`, newest first."""
        found = await conn.execute(
            "SELECT *, extract(epoch FROM now() - signed_at)::float8 AS age_s FROM tx_attempt"
            " WHERE chain_id = %s AND account = %s AND key = %s ORDER BY number DESC",
            (*self._owner, key),
        )
        return [_attempt(row) for row in await found.fetchall()]

    async def pending_elsewhere(self, conn: Connection, key: str) -> bytes | None:
        """Another account that has sent, or is about to send, what `key` names."""
        found = await conn.execute(
            "SELECT account FROM tx_request WHERE chain_id = %s AND account <> %s AND key = %s"
            " AND state = 'pending' LIMIT 1",
            (*self._owner, key),
        )
        row = await found.fetchone()
        return None if row is None else row["account"]

    async def insert(self, conn: Connection, request: Request) -> None:
        """A new request."""
        await conn.execute(
            "INSERT INTO tx_request (chain_id, account, key, nonce, to_address, data, value_wei, gas_limit, state,"
            " blobs, blob_hashes) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *self._owner,
                request.key,
                request.nonce,
                request.to,
                request.data,
                request.value_wei,
                request.gas_limit,
                request.state,
                b"".join(request.blobs),
                b"".join(request.blob_hashes),
            ),
        )

    async def add_attempt(self, conn: Connection, key: str, attempt: Attempt) -> None:
        """A new signed form; stored before it is broadcast."""
        await conn.execute(
            "INSERT INTO tx_attempt (chain_id, account, key, tx_hash, number, nonce, is_cancel, raw, max_fee_wei,"
            " priority_fee_wei, blob_fee_wei) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *self._owner,
                key,
                attempt.tx_hash,
                attempt.number,
                attempt.nonce,
                attempt.is_cancel,
                attempt.raw,
                attempt.max_fee_wei,
                attempt.priority_fee_wei,
                attempt.blob_fee_wei,
            ),
        )

    async def reopen(self, conn: Connection, key: str, nonce: int, gas_limit: int) -> None:
        """Makes a request pending at another nonce."""
        await conn.execute(
            "UPDATE tx_request SET nonce = %s, gas_limit = %s, state = 'pending', receipt = NULL, error = NULL,"
            " updated_at = now() WHERE chain_id = %s AND account = %s AND key = %s",
            (nonce, gas_limit, *self._owner, key),
        )

    async def set_state(
        self,
        conn: Connection,
        key: str,
        state: str,
        receipt: ChainReceipt | None = None,
        error: str | None = None,
    ) -> None:
        """Settles a request, or opens it again."""
        stored = None if receipt is None else Jsonb(_receipt_json(receipt))
        await conn.execute(
            "UPDATE tx_request SET state = %s, receipt = %s, error = %s, updated_at = now()"
            " WHERE chain_id = %s AND account = %s AND key = %s",
            (state, stored, error, *self._owner, key),
        )

    async def forget_bytes(self, conn: Connection, key: str) -> None:
        """Drops blobs and signed bytes of a settled request; what was asked for and what became of it stay."""
        await conn.execute(
            "UPDATE tx_request SET blobs = '' WHERE chain_id = %s AND account = %s AND key = %s"
            " AND state <> 'pending'",
            (*self._owner, key),
        )
        await conn.execute(
            "UPDATE tx_attempt SET raw = '' FROM tx_request r WHERE r.chain_id = %s AND r.account = %s"
            " AND r.key = %s AND r.state <> 'pending' AND (tx_attempt.chain_id, tx_attempt.account,"
            " tx_attempt.key) = (r.chain_id, r.account, r.key)",
            (*self._owner, key),
        )


def _request(row: dict[str, Any]) -> Request:
    return Request(
        key=row["key"],
        to=row["to_address"],
        data=row["data"],
        value_wei=int(row["value_wei"]),
        gas_limit=row["gas_limit"],
        state=row["state"],
        nonce=row["nonce"],
        receipt=None if row["receipt"] is None else _receipt(row["receipt"]),
        error=row["error"],
        blobs=_parts(row["blobs"], BLOB_BYTES),
        blob_hashes=_parts(row["blob_hashes"], 32),
    )


def _parts(data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def _attempt(row: dict[str, Any]) -> Attempt:
    return Attempt(
        tx_hash=row["tx_hash"],
        number=row["number"],
        nonce=row["nonce"],
        is_cancel=row["is_cancel"],
        raw=row["raw"],
        max_fee_wei=int(row["max_fee_wei"]),
        priority_fee_wei=int(row["priority_fee_wei"]),
        blob_fee_wei=int(row["blob_fee_wei"]),
        age_s=row["age_s"],
    )


def _receipt_json(receipt: ChainReceipt) -> dict[str, Any]:
    logs = [
        {
            "address": hex_bytes(entry.address),
            "topics": [hex_bytes(topic) for topic in entry.topics],
            "data": hex_bytes(entry.data),
            "blockNumber": hex(entry.block_number),
            "blockHash": hex_bytes(entry.block_hash),
            "transactionHash": hex_bytes(entry.tx_hash),
            "logIndex": hex(entry.log_index),
        }
        for entry in receipt.logs
    ]
    return {
        "tx_hash": hex_bytes(receipt.tx_hash),
        "succeeded": receipt.succeeded,
        "block_number": receipt.block_number,
        "block_hash": hex_bytes(receipt.block_hash),
        "gas_used": receipt.gas_used,
        "gas_price_wei": str(receipt.gas_price_wei),
        "blob_gas_used": receipt.blob_gas_used,
        "blob_gas_price_wei": str(receipt.blob_gas_price_wei),
        "logs": logs,
    }


def _receipt(fields: dict[str, Any]) -> ChainReceipt:
    return ChainReceipt(
        tx_hash=to_bytes(fields["tx_hash"]),
        succeeded=fields["succeeded"],
        block_number=fields["block_number"],
        block_hash=to_bytes(fields["block_hash"]),
        gas_used=fields["gas_used"],
        gas_price_wei=int(fields["gas_price_wei"]),
        blob_gas_used=fields.get("blob_gas_used", 0),
        blob_gas_price_wei=int(fields.get("blob_gas_price_wei", 0)),
        logs=tuple(log_entry(entry) for entry in fields["logs"]),
    )
