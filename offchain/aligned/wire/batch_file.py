"""The batch file that operators download: CBOR `Vec<VerificationData>`, leaf i of the tree is element i."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aligned.core.types import VerificationData
from aligned.wire import verification_data
from aligned.wire.cbor import Limits, decode, encode, malformed

# The longest head of an array; a file is never longer than this plus its elements.
HEAD_BYTES = 9
_ARRAY_MAJOR = 4 << 5
_VALUES_PER_PROOF = 13


def encode_item(data: VerificationData) -> bytes:
    """One element of the file."""
    return encode(verification_data.to_map(data))


def decode_item(item: bytes) -> VerificationData:
    """Inverse of `encode_item`.

    Raises:
        ProtocolError: malformed_message, unknown_proving_system.
    """
    limits = Limits(max_bytes=len(item), max_depth=2, max_items=_VALUES_PER_PROOF)
    return verification_data.parse(decode(item, limits))


def join_items(items: Sequence[bytes]) -> bytes:
    """The file of elements that are encoded already."""
    return _array_head(len(items)) + b"".join(items)


def encode_batch(proofs: Iterable[VerificationData]) -> bytes:
    """The file of a batch, blobs as byte strings."""
    return join_items([encode_item(proof) for proof in proofs])


def decode_batch(data: bytes, max_items: int) -> list[VerificationData]:
    """The proofs of a file, which may be in either form. The caller bounds its size by what it downloads.

    Raises:
        ProtocolError: malformed_message (also for an empty batch or more than `max_items`), unknown_proving_system.
    """
    limits = Limits(max_bytes=len(data), max_depth=3, max_items=1 + _VALUES_PER_PROOF * max_items)
    value = decode(data, limits)
    if not isinstance(value, list) or not 0 < len(value) <= max_items:
        raise malformed(f"a batch file is an array of 1 to {max_items} proofs")
    return [verification_data.parse(item) for item in value]


def _array_head(count: int) -> bytes:
    if count < 24:
        return bytes([_ARRAY_MAJOR + count])
    width = next(exponent for exponent in range(4) if count < 1 << (8 << exponent))
    return bytes([_ARRAY_MAJOR + 24 + width]) + count.to_bytes(1 << width, "big")
