"""The fast mode's Merkle tree (docs/spec/commitments.md): the Python implementation.

node = keccak(left ‖ right); leaves are completed to a power of two by repeating the last one; a single leaf is the
root. Large trees go through `aligned_native`, which tests hold equal to this module.
"""

from __future__ import annotations

from collections.abc import Sequence

from aligned_native import keccak256

from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.core.types import HASH_BYTES

MAX_DEPTH = 32


class MerkleTree:
    """All levels of a tree; level 0 is the padded leaves."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves or any(len(leaf) != HASH_BYTES for leaf in leaves):
            raise ProtocolError(MALFORMED_MESSAGE, "a tree needs at least one leaf, each of 32 bytes")
        width = 1 << (len(leaves) - 1).bit_length()
        level = [*leaves, *[leaves[-1]] * (width - len(leaves))]
        self._levels = [level]
        while len(level) > 1:
            level = [keccak256(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
            self._levels.append(level)
        self._leaf_count = len(leaves)

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self._levels[-1][0]

    def path(self, index: int) -> bytes:
        """Concatenated siblings of leaf `index`, leaf level first."""
        if not 0 <= index < self._leaf_count:
            raise ProtocolError(MALFORMED_MESSAGE, f"leaf index {index}, the tree has {self._leaf_count}")
        return b"".join(level[(index >> depth) ^ 1] for depth, level in enumerate(self._levels[:-1]))


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over `leaves`."""
    return MerkleTree(leaves).root


def verify_path(leaf: bytes, index: int, path: bytes, root: bytes) -> bool:
    """Whether `path` leads from `leaf` at `index` to `root`; false for malformed lengths and index ≥ 2^depth."""
    depth, rest = divmod(len(path), HASH_BYTES)
    if rest or depth > MAX_DEPTH or not 0 <= index < 1 << depth:
        return False
    node = leaf
    for level in range(depth):
        sibling = path[level * HASH_BYTES : (level + 1) * HASH_BYTES]
        node = keccak256(sibling + node if index >> level & 1 else node + sibling)
    return node == root
