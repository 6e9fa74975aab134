"""How nodes write what they know in JSON, and what we make of it."""

from __future__ import annotations

import re
from typing import Any, Final

from aligned.chain.types import Block, ChainReceipt, ChainTransaction, LogEntry

BlockId = int | str
# No quantity of the chain is longer; and what is counted fits into a column of 64 bits.
_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_MAX_COUNT: Final = 2**63 - 1


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
        block_number=count(item["blockNumber"]),
        block_hash=to_bytes(item["blockHash"]),
        tx_hash=to_bytes(item["transactionHash"]),
        log_index=count(item["logIndex"]),
    )


def log_entries(items: list[dict[str, Any]]) -> list[LogEntry]:
    """Decodes all logs of a JSON answer, in chain order."""
    return sorted(map(log_entry, items), key=lambda entry: (entry.block_number, entry.log_index))


def number(text: str) -> int:
    """Decodes a 0x number of at most 256 bits.

    Raises:
        ValueError, TypeError: it is none.
    """
    if _QUANTITY.fullmatch(text) is None:
        raise ValueError("no quantity")
    return int(text, 16)


def count(text: str) -> int:
    """Decodes what is counted: blocks, seconds, gas, transactions.

    Raises:
        ValueError, TypeError: it is no number, or one that no chain reaches.
    """
    found = number(text)
    if found > _MAX_COUNT:
        raise ValueError("more than there can be")
    return found


def block(item: dict[str, Any] | None) -> Block | None:
    """Decodes a header; None for none."""
    if item is None:
        return None
    return Block(
        number=count(item["number"]),
        hash=to_bytes(item["hash"]),
        parent_hash=to_bytes(item["parentHash"]),
        timestamp=count(item["timestamp"]),
        base_fee_wei=number(item.get("baseFeePerGas") or "0x0"),
        logs_bloom=None if item.get("logsBloom") is None else to_bytes(item["logsBloom"]),
    )


def receipt(item: dict[str, Any] | None) -> ChainReceipt | None:
    """Decodes a receipt; None for none, and for one of a pending transaction."""
    if item is None or item["blockNumber"] is None:
        return None
    return ChainReceipt(
        tx_hash=to_bytes(item["transactionHash"]),
        succeeded=number(item["status"]) == 1,
        block_number=count(item["blockNumber"]),
        block_hash=to_bytes(item["blockHash"]),
        gas_used=count(item["gasUsed"]),
        gas_price_wei=number(item.get("effectiveGasPrice") or "0x0"),
        blob_gas_used=count(item.get("blobGasUsed") or "0x0"),
        blob_gas_price_wei=number(item.get("blobGasPrice") or "0x0"),
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
        nonce=count(item["nonce"]),
        data=to_bytes(item["input"]),
        value_wei=number(item["value"]),
        block_number=None if item.get("blockNumber") is None else count(item["blockNumber"]),
    )


def transactions(item: dict[str, Any]) -> list[ChainTransaction]:
    """Decodes the transactions of a block that was asked for with them."""
    found = (transaction(each) for each in item["transactions"])
    return [each for each in found if each is not None]


def next_blob_base_fee(history: dict[str, Any]) -> int | None:
    """Decodes the last entry of a history of fees, which is that of the block to come; None where blobs lack."""
    known = history.get("baseFeePerBlobGas")
    return number(known[-1]) if known else None
