"""The fast mode's leaf (docs/spec/commitments.md): the Python implementation.

leaf = keccak(keccak(proof) ‖ pub_input_commitment ‖ aux_commitment ‖ generator), 116 bytes in.
"""

from __future__ import annotations

from dataclasses import dataclass

from aligned_native import keccak256

from aligned.core.types import HASH_BYTES, ProvingSystem, VerificationData

ZERO_HASH = bytes(HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Commitments:
    """The parts of a leaf, as `verifyBatchInclusion` takes them, and the leaf (32 bytes each, generator 20)."""

    proof: bytes
    pub_input: bytes
    aux: bytes
    generator: bytes
    leaf: bytes


def aux_commitment(
    system: ProvingSystem, verification_key: bytes | None, vm_program_code: bytes | None
) -> bytes:
    """Commitment to program or key: the program wins when both are given, zero when neither is."""
    identity = verification_key if vm_program_code is None else vm_program_code
    return ZERO_HASH if identity is None else keccak256(identity + bytes([system]))


def leaf_hash(proof: bytes, pub_input: bytes, aux: bytes, generator: bytes) -> bytes:
    """The leaf over its three commitments and the generator's address."""
    return keccak256(proof + pub_input + aux + generator)


def commit(data: VerificationData) -> Commitments:
    """Commitments and leaf of one proof. A present but empty public input hashes as empty, an absent one is zero."""
    proof = keccak256(data.proof)
    pub_input = ZERO_HASH if data.pub_input is None else keccak256(data.pub_input)
    aux = aux_commitment(data.proving_system, data.verification_key, data.vm_program_code)
    generator = data.proof_generator_addr
    return Commitments(proof, pub_input, aux, generator, leaf_hash(proof, pub_input, aux, generator))
