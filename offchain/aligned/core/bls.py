"""BN254 BLS signatures: signatures in G1, keys in G1 and G2, EIP-197 byte order.

A typed facade over `aligned_native`; py_ecc is the reference that tests compare it with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType

import aligned_native as native

G1 = NewType("G1", bytes)
G2 = NewType("G2", bytes)
G1_BYTES = 64
G2_BYTES = 128


@dataclass(frozen=True, slots=True)
class HashWitness:
    """Witnesses with which the contract hashes a digest to G1 (see BN254Types.sol), as integers."""

    root: int
    skips: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A BLS secret key, 32 bytes big-endian, below the group order. Never printed."""

    raw: bytes

    def __repr__(self) -> str:
        return "SecretKey(…)"

    def public_keys(self) -> tuple[G1, G2]:
        """The key in both groups."""
        g1, g2 = native.bls_public_key(self.raw)
        return G1(g1), G2(g2)

    def operator_id(self) -> bytes:
        """keccak(X ‖ Y) of the G1 key."""
        return operator_id(self.public_keys()[0])

    def sign(self, digest: bytes) -> G1:
        """Signature over a 32-byte digest."""
        return G1(native.bls_sign(self.raw, digest))


def operator_id(g1: G1) -> bytes:
    """keccak(X ‖ Y)."""
    return native.keccak256(g1)


def verify(key: G2, digest: bytes, signature: G1) -> bool:
    """False for a wrong signature and for any point that is not canonical, on the curve, in the subgroup and finite."""
    return native.bls_verify(key, digest, signature)


def aggregate_g1(points: Sequence[bytes]) -> G1:
    """Sum of G1 points; ValueError for an invalid one."""
    return G1(native.bls_aggregate_g1(list(points)))


def aggregate_g2(points: Sequence[bytes]) -> G2:
    """Sum of G2 points; ValueError for an invalid one."""
    return G2(native.bls_aggregate_g2(list(points)))


def hash_witness(digest: bytes) -> HashWitness:
    """Hash-to-curve witnesses of a digest."""
    _point, root, skips = native.bls_hash_to_g1(digest)
    return HashWitness(int.from_bytes(root, "big"), tuple(int.from_bytes(z, "big") for z in skips))


def g1_words(point: bytes) -> tuple[int, int]:
    """(X, Y) as the contracts take it."""
    return int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")


def g2_words(point: bytes) -> tuple[tuple[int, int], tuple[int, int]]:
    """((X.im, X.re), (Y.im, Y.re)) as the contracts take it."""
    words = [int.from_bytes(point[i : i + 32], "big") for i in range(0, G2_BYTES, 32)]
    return (words[0], words[1]), (words[2], words[3])


def g1_bytes(words: tuple[int, int]) -> G1:
    """Inverse of `g1_words`."""
    return G1(b"".join(word.to_bytes(32, "big") for word in words))


def g2_bytes(words: tuple[tuple[int, int], tuple[int, int]]) -> G2:
    """Inverse of `g2_words`."""
    return G2(b"".join(word.to_bytes(32, "big") for pair in words for word in pair))
