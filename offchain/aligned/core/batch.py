"""Identity of a batch, and how to keep its root unique."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from aligned_native import keccak256, merkle_root


def batch_id(root: bytes, sender: bytes) -> bytes:
    """keccak(root ‖ sender), 52 bytes in: the key of the batch on chain."""
    return keccak256(root + sender)


def fresh_order(leaves: Sequence[bytes], is_taken: Callable[[bytes], bool]) -> list[int]:
    """An order of `leaves` (indices, possibly with repeats at the end) whose root is not taken.

    A sender may submit a root only once, so the same set of proofs again would never be accepted. Rotating the order
    gives another root; where all leaves are equal, repeating the last one past the next power of two does.

    Args:
        leaves: 32-byte leaves, at least one.
        is_taken: whether this sender has used a root before.
    """
    order = list(range(len(leaves)))
    distinct = len(set(leaves)) > 1
    for shift in range(len(leaves) if distinct else 1):
        rotated = order[shift:] + order[:shift]
        if not is_taken(_root(leaves, rotated)):
            return rotated
    for doublings in count(1):
        width = 1 << (len(leaves) - 1).bit_length() + doublings - 1
        padded = order + [order[-1]] * (width + 1 - len(leaves))
        if not is_taken(_root(leaves, padded)):
            return padded
    raise AssertionError("unreachable")


def _root(leaves: Sequence[bytes], order: Sequence[int]) -> bytes:
    return merkle_root(b"".join(leaves[i] for i in order))
