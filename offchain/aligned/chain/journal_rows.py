"""What the sender's tables hold: requests, their signed forms, and how rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aligned.chain.client import hex_bytes, log_entry, to_bytes
from aligned.chain.fees import UNLIMITED, Fees, Limit
from aligned.chain.kzg import hashes_of
from aligned.chain.types import ChainReceipt
from aligned.core.blob import BLOB_BYTES


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
    limit: Limit = UNLIMITED
    gave_up: bool = False

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


@dataclass(frozen=True, slots=True)
class PendingStatus:
    """What an account waits for on chain, for metrics.

    Attributes:
        pending: requests that are not settled.
        oldest_age_s: since the first form of the oldest of them was signed; 0 without one.
        max_fee_wei: most that a form of any of them offers per gas; 0 without one.
    """

    pending: int
    oldest_age_s: float
    max_fee_wei: int


def new_request(
    key: str, to: bytes, data: bytes, value_wei: int, gas_limit: int, blobs: tuple[bytes, ...], limit: Limit
) -> Request:
    """A request that is not in the journal yet; takes long for one with blobs."""
    hashes = hashes_of(blobs)
    return Request(
        key, to, data, value_wei, gas_limit, "pending", blobs=blobs, blob_hashes=hashes, limit=limit
    )


def request_of(row: dict[str, Any]) -> Request:
    """Decodes a row of tx_request."""
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
        limit=Limit(_number(row["max_fee_wei"]), row["give_up_after_s"], _number(row["max_blob_fee_wei"])),
        gave_up=row["gave_up"],
    )


def _number(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def _parts(data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def attempt_of(row: dict[str, Any]) -> Attempt:
    """Decodes a row of tx_attempt with its age."""
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


def receipt_json(receipt: ChainReceipt) -> dict[str, Any]:
    """The form in which a receipt is stored."""
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
