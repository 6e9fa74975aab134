"""Proofs that are aggregated: their kinds, and how a verifier gets them. Recursion takes no Groth16 or PLONK."""

from __future__ import annotations

import aligned_native

from aligned.core.aggregation import SP1_KEY_BYTES, AggregationSystem
from aligned.core.errors import KEY_IS_ELF, MALFORMED_KEY, ProofError
from aligned.core.types import ADDRESS_BYTES, HASH_BYTES
from aligned.verifiers.base import AggregatedProof

# The tag of a saved SP1 proof, and that of a RISC Zero receipt: 32 bits, little-endian (tag of a bincode enum).
_SP1_KINDS = {0: "Core", 1: "Compressed", 2: "PLONK", 3: "Groth16"}
_RISC0_KINDS = {0: "Composite", 1: "Succinct", 2: "Groth16"}
_TAG_BYTES = 4
# First bytes of the proofs for SP1's on-chain verifiers of v6.1.0.
_SP1_SELECTORS = {bytes.fromhex("4388a21c"): "Groth16", bytes.fromhex("5a093a2f"): "PLONK"}
_PROGRAMS = (b"\x7fELF", b"R0BF")
_KEYS = {
    AggregationSystem.SP1: (
        SP1_KEY_BYTES,
        f"expected the {SP1_KEY_BYTES} bytes of `bincode::serialize(&vk)` of sp1-sdk 6, not their hash",
    ),
    AggregationSystem.RISC0: (
        HASH_BYTES,
        f"expected the {HASH_BYTES} bytes of the image id (`Digest::from(YOUR_ID).as_bytes()`)",
    ),
}
_NO_GENERATOR = bytes(ADDRESS_BYTES)
_AGGREGATED = {AggregationSystem.SP1: ("Compressed",), AggregationSystem.RISC0: ("Composite", "Succinct")}


def unaggregated_kind(system: AggregationSystem, head: bytes) -> str | None:
    """The kind of a proof that cannot be aggregated; None for others, and for what the verifier must look at.

    Args:
        head: the first 4 bytes of the proof.
    """
    if len(head) < _TAG_BYTES:
        return None
    tag = int.from_bytes(head[:_TAG_BYTES], "little")
    if system is AggregationSystem.SP1:
        kind = _SP1_KINDS.get(tag) or _SP1_SELECTORS.get(head[:4])
    else:
        kind = _RISC0_KINDS.get(tag)
    return None if kind is None or kind in aggregated_kinds(system) else kind


def program_id_of(system: AggregationSystem, key: bytes) -> bytes:
    """What a commitment calls the program, from the whole key that an aggregating program needs (32 bytes).

    Raises:
        ProofError: key_is_elf, malformed_key.
    """
    length, wanted = _KEYS[system]
    if key.startswith(_PROGRAMS):
        raise ProofError(KEY_IS_ELF, f"key: this is the program itself, {wanted}")
    if len(key) != length:
        given = f"this is {kind}" if (kind := aligned_native.file_kind(key)) else f"got {len(key)} bytes"
        raise ProofError(MALFORMED_KEY, f"key: {given}, {wanted}")
    if system is AggregationSystem.RISC0:
        return key
    try:
        return aligned_native.sp1_vkey_hash(key)
    except ValueError as error:
        raise ProofError(MALFORMED_KEY, f"key: {error}") from error


def aggregated_kinds(system: AggregationSystem) -> tuple[str, ...]:
    """Kinds that are aggregated."""
    return _AGGREGATED[system]


def aggregated_data(
    system: AggregationSystem, proof: bytes, program_key: bytes, public_inputs: bytes
) -> AggregatedProof:
    """What the verifier is asked about such a proof."""
    # SP1's key is the verification key, RISC Zero's the image id.
    key, image = (program_key, None) if system is AggregationSystem.SP1 else (None, program_key)
    return AggregatedProof(system.proving_system, proof, public_inputs, key, image, _NO_GENERATOR)
