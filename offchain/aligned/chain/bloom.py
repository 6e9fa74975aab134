"""Whether a block may hold logs that an answer lacks: headers carry a filter over all logs of their block.

Behind one URL there may be many nodes. One of them, which does not have a block yet, answers that it has no logs.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import keccak

from aligned.chain.answers import Topics

_POSITION_MASK = 2_047


def may_hold(bloom: bytes, address: bytes, topics: Topics) -> bool:
    """Whether a block with this filter may hold a log of the contract with such topics. False is certain."""
    return _has(bloom, address) and all(_may_match(bloom, topic) for topic in topics)


def _may_match(bloom: bytes, topic: bytes | Sequence[bytes] | None) -> bool:
    if topic is None or isinstance(topic, bytes):
        return topic is None or _has(bloom, topic)
    return any(_has(bloom, choice) for choice in topic)


def _has(bloom: bytes, value: bytes) -> bool:
    digest = keccak(value)
    bits = int.from_bytes(bloom)
    return all(bits >> (int.from_bytes(digest[at : at + 2]) & _POSITION_MASK) & 1 for at in (0, 2, 4))
