"""Leaf, tree and public values of aggregation mode (docs/spec/aggregation.md): the Python implementation.

commitment = keccak(public inputs ‖ program id); leaf = keccak(0x00 ‖ system ‖ commitment); node = keccak(0x01 ‖ left ‖
right). Leaves are completed to a power of two with zero words; a single leaf is the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from aligned_native import keccak256

from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.core.types import HASH_BYTES, ProvingSystem

COMMITMENTS_PER_BLOB = 3_968
MAX_BLOBS = 6
MAX_LEAVES = MAX_BLOBS * COMMITMENTS_PER_BLOB
SP1_KEY_BYTES = 104
_LEAF_TAG = b"\x00"
_NODE_TAG = b"\x01"
_ZERO = bytes(HASH_BYTES)
_DEV_PROOF_TAG = keccak256(b"aligned.dev-proof.v1")


class AggregationSystem(IntEnum):
    """Systems whose proofs are aggregated: the id in the leaf and on chain. Not the ids of the fast mode."""

    SP1 = 1
    RISC0 = 2

    @property
    def proving_system(self) -> ProvingSystem:
        """The same system in the fast mode and in the verifier package."""
        return ProvingSystem.SP1 if self is AggregationSystem.SP1 else ProvingSystem.RISC0

    @property
    def wire_name(self) -> str:
        """The name in requests, answers and settings."""
        return self.name.lower()

    @classmethod
    def from_wire(cls, name: str) -> AggregationSystem:
        """The system called `name`.

        Raises:
            ProtocolError: malformed_message.
        """
        for system in cls:
            if system.wire_name == name:
                return system
        raise ProtocolError(MALFORMED_MESSAGE, f"system: got {name[:32]!r}, expected sp1 or risc0")


def commitment(public_inputs: bytes, program_id: bytes) -> bytes:
    """What a blob lists: the public values (journal) and the program (bytes32 key, image id) of one proof."""
    return keccak256(public_inputs + _hash(program_id))


def leaf_of(system: AggregationSystem, proof_commitment: bytes) -> bytes:
    """The leaf of a commitment."""
    return keccak256(_LEAF_TAG + bytes([system]) + _hash(proof_commitment))


def depth_of(leaf_count: int) -> int:
    """Levels below the root of a tree of so many leaves: the length of every path in it."""
    return (leaf_count - 1).bit_length()


class AggregationTree:
    """All levels of a tree; level 0 is the leaves, completed with zero words."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not 0 < len(leaves) <= MAX_LEAVES:
            raise ProtocolError(MALFORMED_MESSAGE, f"{len(leaves)} leaves, a tree has 1 to {MAX_LEAVES}")
        level = [_hash(leaf) for leaf in leaves]
        level += [_ZERO] * ((1 << depth_of(len(leaves))) - len(leaves))
        self._levels = [level]
        while len(level) > 1:
            level = [_node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
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


def tree_of(system: AggregationSystem, commitments: Sequence[bytes]) -> AggregationTree:
    """The tree over the leaves of `commitments`."""
    return AggregationTree([leaf_of(system, each) for each in commitments])


def verify_inclusion(root: bytes, leaf_count: int, leaf: bytes, index: int, path: bytes) -> bool:
    """Whether `leaf` is at `index` of the tree with `leaf_count` leaves; false for any other depth."""
    if not 0 <= index < leaf_count <= MAX_LEAVES or len(path) != HASH_BYTES * depth_of(leaf_count):
        return False
    node = leaf
    for level in range(depth_of(leaf_count)):
        sibling = path[level * HASH_BYTES : (level + 1) * HASH_BYTES]
        node = _node(sibling, node) if index >> level & 1 else _node(node, sibling)
    return node == root


@dataclass(frozen=True, slots=True)
class BlobPoint:
    """A blob and the value of its polynomial at the challenge point (32 bytes, big-endian)."""

    versioned_hash: bytes
    y: bytes


@dataclass(frozen=True, slots=True)
class ChunkOutput:
    """What the final (chunk) program commits to: the public inputs of `verifySP1` and `verifyRisc0`."""

    root: bytes
    leaf_count: int
    blobs: tuple[BlobPoint, ...]

    def encode(self) -> bytes:
        """Bytes: root ‖ uint256 count ‖ versioned hash ‖ y of each blob: 64 + 64 · blobs bytes."""
        points = b"".join(blob.versioned_hash + blob.y for blob in self.blobs)
        return self.root + self.leaf_count.to_bytes(32, "big") + points

    @classmethod
    def decode(cls, data: bytes) -> ChunkOutput:
        """The inverse of `encode`.

        Raises:
            ProtocolError: malformed_message, for any length or count that no aggregation has.
        """
        leaf_count = int.from_bytes(data[32:64], "big")
        blobs = blob_count(leaf_count)
        if not 0 < leaf_count <= MAX_LEAVES or len(data) != 64 + 64 * blobs:
            raise ProtocolError(MALFORMED_MESSAGE, f"public values: {len(data)} bytes, {leaf_count} leaves")
        words = [data[start : start + 32] for start in range(64, len(data), 32)]
        points = tuple(BlobPoint(words[2 * i], words[2 * i + 1]) for i in range(blobs))
        return cls(data[:32], leaf_count, points)


def user_proofs_output(root: bytes, leaf_count: int) -> bytes:
    """What the user_proofs program commits to: root ‖ uint256 count, 64 bytes."""
    return _hash(root) + leaf_count.to_bytes(32, "big")


def blob_count(leaf_count: int) -> int:
    """Blobs that so many commitments need."""
    return -(-leaf_count // COMMITMENTS_PER_BLOB)


def dev_proof(level: int, program_id: bytes, public_inputs: bytes) -> bytes:
    """What DevVerifier (chain id 31337 only) takes instead of a proof; it proves nothing. 65 bytes."""
    return _DEV_PROOF_TAG + bytes([level]) + keccak256(_hash(program_id) + public_inputs)


def _node(left: bytes, right: bytes) -> bytes:
    return keccak256(_NODE_TAG + left + right)


def _hash(value: bytes) -> bytes:
    if len(value) != HASH_BYTES:
        raise ProtocolError(MALFORMED_MESSAGE, f"got {len(value)} bytes, expected {HASH_BYTES}")
    return value
