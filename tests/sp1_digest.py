"""A saved SP1 proof with another digest of its public values: it proves nothing, the look at the digest is tested."""

from __future__ import annotations

import hashlib

# BLAKE3 of the 12 bytes of public values of tests/vectors/sp1/fib_a, by an implementation other than the tested one.
BLAKE3_OF_FIB_A = bytes.fromhex("c638a02a01bf7730afd93bf6de984a35093a132a411fe8db523f838359b3f1f0")


def committed_by(proof: bytes, public_values: bytes, digest: bytes) -> bytes:
    """The proof with `digest` in the place of the SHA-256 of its public values."""
    before = _words(hashlib.sha256(public_values).digest())
    assert proof.count(before) == 1
    return proof.replace(before, _words(digest))


def _words(digest: bytes) -> bytes:
    """As a proof's public values hold it: one field element a byte."""
    return b"".join(byte.to_bytes(4, "little") for byte in digest)
