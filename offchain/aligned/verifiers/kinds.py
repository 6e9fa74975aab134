"""Proofs that are aggregated: their kinds, and how a verifier gets them. Recursion takes no Groth16 or PLONK."""

from __future__ import annotations

from aligned.core.aggregation import AggregationSystem
from aligned.core.types import ADDRESS_BYTES
from aligned.verifiers.base import AggregatedProof

# The tag of a saved SP1 proof, and that of a RISC Zero receipt: 32 bits, little-endian (tag of a bincode enum).
_SP1_KINDS = {0: "Core", 1: "Compressed", 2: "PLONK", 3: "Groth16"}
_RISC0_KINDS = {0: "Composite", 1: "Succinct", 2: "Groth16"}
# First bytes of the proofs for SP1's on-chain verifiers of v6.1.0.
_SP1_SELECTORS = {bytes.fromhex("4388a21c"): "Groth16", bytes.fromhex("5a093a2f"): "PLONK"}
_NO_GENERATOR = bytes(ADDRESS_BYTES)
_AGGREGATED = {AggregationSystem.SP1: ("Compressed",), AggregationSystem.RISC0: ("Composite", "Succinct")}


def unaggregated_kind(system: AggregationSystem, head: bytes) -> str | None:
    """The kind of a proof that cannot be aggregated; None for others, and for what the verifier must look at.

    Args:
        head: the first 4 bytes of the proof.
    """
    tag = int.from_bytes(head[:4], "little")
    if system is AggregationSystem.SP1:
        kind = _SP1_KINDS.get(tag) or _SP1_SELECTORS.get(head[:4])
    else:
        kind = _RISC0_KINDS.get(tag)
    return None if kind is None or kind in aggregated_kinds(system) else kind


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
