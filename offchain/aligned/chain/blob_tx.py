"""The form in which a blob transaction is broadcast (EIP-4844, with the wrapper of EIP-7594).

0x03 ‖ rlp([signed body, 1, blobs, commitments, cell proofs]). Written here, because libraries still make the wrapper of
EIP-4844, and a development node takes either.
"""

from __future__ import annotations

from collections.abc import Sequence

from aligned.chain.kzg import Sidecar
from aligned.core.errors import InvariantError

BLOB_TX_TYPE = 3
_WRAPPER_VERSION = b"\x01"
_SHORT_STRING, _SHORT_LIST = 0x80, 0xC0
_LONGEST_SHORT = 55


def network_form(signed: bytes, sidecar: Sidecar) -> bytes:
    """Bytes to broadcast.

    Args:
        signed: 0x03 ‖ rlp(signed body), whose hash is the transaction's.

    Raises:
        InvariantError: not_a_blob_transaction.
    """
    if signed[:1] != bytes([BLOB_TX_TYPE]):
        raise InvariantError("not_a_blob_transaction", f"type {signed[:1].hex()}")
    parts = (
        signed[1:],
        _string(_WRAPPER_VERSION),
        _strings(sidecar.blobs),
        _strings(sidecar.commitments),
        _strings(sidecar.cell_proofs),
    )
    return bytes([BLOB_TX_TYPE]) + _list(b"".join(parts))


def _strings(items: Sequence[bytes]) -> bytes:
    return _list(b"".join(_string(item) for item in items))


def _string(item: bytes) -> bytes:
    if len(item) == 1 and item[0] < _SHORT_STRING:
        return item
    return _header(len(item), _SHORT_STRING) + item


def _list(payload: bytes) -> bytes:
    return _header(len(payload), _SHORT_LIST) + payload


def _header(length: int, offset: int) -> bytes:
    if length <= _LONGEST_SHORT:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + _LONGEST_SHORT + len(size)]) + size
