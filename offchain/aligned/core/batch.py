"""Identity of a batch, and how to keep its root unique.

A sender may submit a root only once, so the same set of proofs again needs another tree: first another order of its
leaves, and where none is left a filler, one of its proofs once more under a generator's address that was never used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice

from aligned_native import keccak256, merkle_root

from aligned.core.types import ADDRESS_BYTES

# Each order that is tried costs a look at the chain.
MAX_ORDERS = 16
_COUNTER_BYTES = 16


def batch_id(root: bytes, sender: bytes) -> bytes:
    """keccak(root ‖ sender), 52 bytes in: the key of the batch on chain."""
    return keccak256(root + sender)


def orders(leaves: Sequence[bytes]) -> Iterator[tuple[list[int], bytes]]:
    """Orders of `leaves` (indices) with the roots they give, no root twice: the given one first, at most MAX_ORDERS.

    Args:
        leaves: 32-byte leaves, at least one.
    """
    given = list(range(len(leaves)))
    turned = (way[shift:] + way[:shift] for shift in given for way in (given, given[::-1]))
    seen: set[bytes] = set()
    for order in islice(turned, MAX_ORDERS):
        root = merkle_root(b"".join(leaves[i] for i in order))
        if root not in seen:
            seen.add(root)
            yield order, root


def filler_generators(root: bytes, seed: int) -> Iterator[bytes]:
    """Addresses (20 bytes) for the generator of a filler, without end.

    Args:
        root: root of the batch without the filler.
        seed: not used before with this root, so that the first address is new already.
    """
    for number in count(seed):
        yield keccak256(root + number.to_bytes(_COUNTER_BYTES, "big"))[-ADDRESS_BYTES:]
