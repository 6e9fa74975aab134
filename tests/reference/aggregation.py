"""Leaf, tagged tree and blob of the aggregation mode, as plainly as docs/spec/aggregation.md says them.

Every padded leaf is really there, every one of the 4096 terms of a blob is really summed.
"""

from __future__ import annotations

from tests.reference.leaf import keccak256

BLS_MODULUS = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
ELEMENTS = 4096
PER_BLOB = 3968
ZERO_WORD = bytes(32)


def word(value: int) -> bytes:
    """32 bytes, highest first."""
    return value.to_bytes(32, "big")


def commitment(public_inputs: bytes, program_id: bytes) -> bytes:
    """What one proof proves of which program."""
    return keccak256(public_inputs + program_id)


def leaf(system_id: int, proof_commitment: bytes) -> bytes:
    """Leaf of one proof."""
    return keccak256(b"\x00" + bytes([system_id]) + proof_commitment)


def levels(leaves: list[bytes]) -> list[list[bytes]]:
    """All levels, padded leaves first, the root's last."""
    padded = list(leaves)
    while len(padded) & (len(padded) - 1):
        padded.append(ZERO_WORD)
    result = [padded]
    while len(result[-1]) > 1:
        below = result[-1]
        result.append([keccak256(b"\x01" + below[i] + below[i + 1]) for i in range(0, len(below), 2)])
    return result


def root(leaves: list[bytes]) -> bytes:
    """The root."""
    return levels(leaves)[-1][0]


def path(leaves: list[bytes], index: int) -> list[bytes]:
    """Siblings of a leaf, leaf level first."""
    return [level[(index >> depth) ^ 1] for depth, level in enumerate(levels(leaves)[:-1])]


def blob(commitments: list[bytes]) -> bytes:
    """The 131,072 bytes of the blob that holds up to 3,968 commitments."""
    data = b"".join(commitments).ljust(31 * ELEMENTS, b"\x00")
    return b"".join(b"\x00" + data[i : i + 31] for i in range(0, len(data), 31))


def challenge(tree_root: bytes, count: int, versioned_hash: bytes) -> int:
    """The point at which a blob is evaluated."""
    tag = keccak256(b"aligned.blob-binding.v1")
    return int.from_bytes(keccak256(tag + tree_root + word(count) + versioned_hash), "big") % BLS_MODULUS


def bit_reversed_roots() -> list[int]:
    """The 4096th roots of unity, in the order in which EIP-4844 pairs them with a blob's elements."""
    generator = pow(7, (BLS_MODULUS - 1) // ELEMENTS, BLS_MODULUS)
    exponents = [int(f"{i:012b}"[::-1], 2) for i in range(ELEMENTS)]
    return [pow(generator, exponent, BLS_MODULUS) for exponent in exponents]


def evaluate(blob_bytes: bytes, z: int) -> int:
    """Value at z of the polynomial through the blob's elements."""
    elements = [int.from_bytes(blob_bytes[i : i + 32], "big") for i in range(0, len(blob_bytes), 32)]
    roots = bit_reversed_roots()
    if z in roots:
        return elements[roots.index(z)]
    terms = (
        f * w * pow(z - w, -1, BLS_MODULUS) % BLS_MODULUS for f, w in zip(elements, roots, strict=True) if f
    )
    scale = (pow(z, ELEMENTS, BLS_MODULUS) - 1) * pow(ELEMENTS, -1, BLS_MODULUS)
    return scale * sum(terms) % BLS_MODULUS


def chunk_public_values(system_id: int, commitments: list[bytes], versioned_hashes: list[bytes]) -> bytes:
    """What the chunk guest commits."""
    tree_root = root([leaf(system_id, item) for item in commitments])
    result = tree_root + word(len(commitments))
    for i, versioned_hash in enumerate(versioned_hashes):
        z = challenge(tree_root, len(commitments), versioned_hash)
        part = commitments[PER_BLOB * i : PER_BLOB * (i + 1)]
        result += versioned_hash + word(evaluate(blob(part), z))
    return result
