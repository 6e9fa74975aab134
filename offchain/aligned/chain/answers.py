"""Answers that must be to the question that was asked.

A proxy that caches wrongly, or a node that knows no filter, answers in good form about another block, transaction or
contract. What does not fit is a malformed answer, and another endpoint is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aligned.chain import decoding
from aligned.chain.types import Block, ChainReceipt, ChainTransaction, LogEntry

Topics = Sequence[bytes | Sequence[bytes] | None]
_Item = dict[str, Any]


def block_at(block: decoding.BlockId) -> Callable[[_Item | None], Block | None]:
    """Decodes the header at a height, or of a tag."""

    def decode(item: _Item | None) -> Block | None:
        found = decoding.block(item)
        _expect(found is None or not isinstance(block, int) or found.number == block)
        return found

    return decode


def receipt_of(tx_hash: bytes) -> Callable[[_Item | None], ChainReceipt | None]:
    """Decodes the receipt of a transaction."""

    def decode(item: _Item | None) -> ChainReceipt | None:
        found = decoding.receipt(item)
        _expect(found is None or found.tx_hash == tx_hash)
        return found

    return decode


def transaction_of(tx_hash: bytes) -> Callable[[_Item | None], ChainTransaction | None]:
    """Decodes the transaction with a hash."""

    def decode(item: _Item | None) -> ChainTransaction | None:
        found = decoding.transaction(item)
        _expect(found is None or found.tx_hash == tx_hash)
        return found

    return decode


def logs_of(address: bytes, topics: Topics, start: int, end: int) -> Callable[[list[_Item]], list[LogEntry]]:
    """Decodes the logs of a contract with certain topics, of both blocks and between."""

    def decode(items: list[_Item]) -> list[LogEntry]:
        found = decoding.log_entries(items)
        _expect(
            all(
                entry.address == address and start <= entry.block_number <= end and _has_topics(entry, topics)
                for entry in found
            )
        )
        return found

    return decode


def _has_topics(entry: LogEntry, topics: Topics) -> bool:
    return len(entry.topics) >= len(topics) and all(
        wanted is None or topic == wanted or (not isinstance(wanted, bytes) and topic in wanted)
        for topic, wanted in zip(entry.topics, topics, strict=False)
    )


def _expect(fits: bool) -> None:
    if not fits:
        raise ValueError("answer to another question")
