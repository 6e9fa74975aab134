"""ECDSA over secp256k1, as Ethereum uses it (through libsecp256k1)."""

from __future__ import annotations

from aligned_native import keccak256
from coincurve import PrivateKey, PublicKey

from aligned.core.errors import INVALID_SIGNATURE, ProtocolError

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """65 bytes r ‖ s ‖ v with low s and v 27 or 28, deterministic (RFC 6979)."""
    signature = PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([signature[64] + 27])


def recover_address(digest: bytes, r: int, s: int, v: int) -> bytes:
    """The 20-byte address that signed `digest`.

    Raises:
        ProtocolError: invalid_signature for v other than 27/28, r or s out of range, s in the upper half (malleable),
            or values that recover no key.
    """
    if v not in (27, 28) or not 0 < r < SECP256K1_ORDER or not 0 < s <= SECP256K1_ORDER // 2:
        raise ProtocolError(INVALID_SIGNATURE, f"r, s or v out of range (v = {v})")
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v - 27])
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception as error:
        raise ProtocolError(INVALID_SIGNATURE, f"no key recovers from it ({error})") from error
    return public_key_address(key.format(compressed=False))


def public_key_address(uncompressed: bytes) -> bytes:
    """Address of a 65-byte uncompressed public key."""
    return keccak256(uncompressed[1:])[12:]


def address_of(private_key: bytes) -> bytes:
    """Address of a 32-byte private key."""
    return public_key_address(PrivateKey(private_key).public_key.format(compressed=False))
