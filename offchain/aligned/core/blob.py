"""Blobs of aggregation mode (docs/spec/aggregation.md): commitments in field elements, and the challenge point.

The commitments of a blob are concatenated and cut in pieces of 31 bytes; each piece, behind a zero byte, is one of the
4096 field elements of EIP-4844. So every element is below the modulus, whatever the commitments are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aligned_native import keccak256

from aligned.core.aggregation import COMMITMENTS_PER_BLOB, MAX_LEAVES
from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.core.types import HASH_BYTES

ELEMENTS = 4_096
BLOB_BYTES = 32 * ELEMENTS
BLS_MODULUS = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
_PIECE = 31
_TAG = keccak256(b"aligned.blob-binding.v1")
_VERSION = b"\x01"


def split(commitments: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The parts that go into one blob each."""
    return [
        commitments[start : start + COMMITMENTS_PER_BLOB]
        for start in range(0, len(commitments), COMMITMENTS_PER_BLOB)
    ]


def encode_blobs(commitments: Sequence[bytes]) -> list[bytes]:
    """The blobs over 1 to 23,808 commitments of 32 bytes.

    Raises:
        ProtocolError: malformed_message.
    """
    if not 0 < len(commitments) <= MAX_LEAVES or any(len(each) != HASH_BYTES for each in commitments):
        raise ProtocolError(MALFORMED_MESSAGE, f"{len(commitments)} commitments of 32 bytes for blobs")
    return [_encode(b"".join(part)) for part in split(commitments)]


def decode_blob(blob: bytes, count: int) -> list[bytes]:
    """The first `count` commitments of a blob, which must hold nothing else.

    Raises:
        ProtocolError: malformed_message.
    """
    if len(blob) != BLOB_BYTES or not 0 < count <= COMMITMENTS_PER_BLOB:
        raise ProtocolError(MALFORMED_MESSAGE, f"blob of {len(blob)} bytes for {count} commitments")
    data = b"".join(blob[start + 1 : start + 32] for start in range(0, BLOB_BYTES, 32))
    used = count * HASH_BYTES
    if any(blob[::32]) or any(data[used:]):
        raise ProtocolError(MALFORMED_MESSAGE, f"the blob holds more than {count} commitments")
    return [data[start : start + HASH_BYTES] for start in range(0, used, HASH_BYTES)]


def versioned_hash(kzg_commitment: bytes) -> bytes:
    """The hash under which a transaction carries a blob (EIP-4844)."""
    return _VERSION + hashlib.sha256(kzg_commitment).digest()[1:]


def challenge(root: bytes, leaf_count: int, blob_hash: bytes) -> int:
    """The point at which a blob is opened: below the modulus of BLS12-381's scalar field."""
    return (
        int.from_bytes(keccak256(_TAG + root + leaf_count.to_bytes(32, "big") + blob_hash), "big")
        % BLS_MODULUS
    )


def _encode(data: bytes) -> bytes:
    data = data.ljust(ELEMENTS * _PIECE, b"\0")
    return b"".join(b"\0" + data[start : start + _PIECE] for start in range(0, len(data), _PIECE))
