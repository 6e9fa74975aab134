"""Values that come from the chain, decoded and checked once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Header fields that we use.

    Attributes:
        logs_bloom: filter over the logs of the block; None where the node does not say.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee_wei: int
    logs_bloom: bytes | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event log; `topics[0]` is the event."""

    address: bytes
    topics: list[bytes]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainReceipt:
    """A mined transaction."""

    tx_hash: bytes
    succeeded: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    gas_price_wei: int
    logs: tuple[LogEntry, ...]
    blob_gas_used: int = 0
    blob_gas_price_wei: int = 0

    @property
    def fee_wei(self) -> int:
        """What its sender paid, blobs included."""
        return self.gas_used * self.gas_price_wei + self.blob_gas_used * self.blob_gas_price_wei


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """A transaction as the node knows it; `block_number` is None while it is pending."""

    tx_hash: bytes
    sender: bytes
    to: bytes | None
    nonce: int
    data: bytes
    value_wei: int
    block_number: int | None
