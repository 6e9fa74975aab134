"""How nodes write what they know in JSON, and what we make of it."""

from __future__ import annotations

from typing import Any

from aligned.chain.types import Block, ChainReceipt, ChainTransaction, LogEntry

BlockId = int | str


def hex_bytes(data: bytes) -> str:
    """0x form."""
    return "0x" + data.hex()


def to_bytes(text: str) -> bytes:
    """Bytes of a 0x form."""
    return bytes.fromhex(text.removeprefix("0x"))


def block_id(block: BlockId) -> str:
    """JSON form of a block number or tag."""
    return hex(block) if isinstance(block, int) else block


def log_entry(item: dict[str, Any]) -> LogEntry:
    """Decodes one log of a JSON answer."""
    return LogEntry(
        address=to_bytes(item["address"]),
        topics=[to_bytes(topic) for topic in item["topics"]],
        data=to_bytes(item["data"]),
        block_number=int(item["blockNumber"], 16),
        block_hash=to_bytes(item["blockHash"]),
        tx_hash=to_bytes(item["transactionHash"]),
        log_index=int(item["logIndex"], 16),
    )


def log_entries(items: list[dict[str, Any]]) -> list[LogEntry]:
    """Decodes all logs of a JSON answer, in chain order."""
    return sorted(map(log_entry, items), key=lambda entry: (entry.block_number, entry.log_index))


def number(text: str) -> int:
    """Decodes a 0x number."""
    return int(text, 16)


def block(item: dict[str, Any] | None) -> Block | None:
    """Decodes a header; None for none."""
    if item is None:
        return None
    return Block(
        number=int(item["number"], 16),
        hash=to_bytes(item["hash"]),
        parent_hash=to_bytes(item["parentHash"]),
        timestamp=int(item["timestamp"], 16),
        base_fee_wei=int(item.get("baseFeePerGas") or "0x0", 16),
    )


def receipt(item: dict[str, Any] | None) -> ChainReceipt | None:
    """Decodes a receipt; None for none, and for one of a pending transaction."""
    if item is None or item["blockNumber"] is None:
        return None
    return ChainReceipt(
        tx_hash=to_bytes(item["transactionHash"]),
        succeeded=int(item["status"], 16) == 1,
        block_number=int(item["blockNumber"], 16),
        block_hash=to_bytes(item["blockHash"]),
        gas_used=int(item["gasUsed"], 16),
        gas_price_wei=int(item.get("effectiveGasPrice") or "0x0", 16),
        blob_gas_used=int(item.get("blobGasUsed") or "0x0", 16),
        blob_gas_price_wei=int(item.get("blobGasPrice") or "0x0", 16),
        logs=tuple(log_entry(entry) for entry in item["logs"]),
    )


def transaction(item: dict[str, Any] | None) -> ChainTransaction | None:
    """Decodes a transaction; None for none."""
    if item is None:
        return None
    return ChainTransaction(
        tx_hash=to_bytes(item["hash"]),
        sender=to_bytes(item["from"]),
        to=None if item.get("to") is None else to_bytes(item["to"]),
        nonce=int(item["nonce"], 16),
        data=to_bytes(item["input"]),
        value_wei=int(item["value"], 16),
        block_number=None if item.get("blockNumber") is None else int(item["blockNumber"], 16),
    )


def transactions(item: dict[str, Any]) -> list[ChainTransaction]:
    """Decodes the transactions of a block that was asked for with them."""
    found = (transaction(each) for each in item["transactions"])
    return [each for each in found if each is not None]
