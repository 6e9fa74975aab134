"""The leaf of the fast mode, on pycryptodome's keccak."""

from __future__ import annotations

from Crypto.Hash import keccak

ABSENT = bytes(32)


def keccak256(data: bytes) -> bytes:
    """keccak-256 with the original padding."""
    return keccak.new(digest_bits=256, data=data).digest()


def leaf(
    system_id: int,
    proof: bytes,
    pub_input: bytes | None,
    verification_key: bytes | None,
    vm_program_code: bytes | None,
    generator: bytes,
) -> tuple[bytes, bytes, bytes, bytes]:
    """Commitments to proof, public input and program, and the leaf."""
    identity = vm_program_code if vm_program_code is not None else verification_key
    parts = (
        keccak256(proof),
        ABSENT if pub_input is None else keccak256(pub_input),
        ABSENT if identity is None else keccak256(identity + system_id.to_bytes(1, "big")),
    )
    return (*parts, keccak256(b"".join(parts) + generator))
