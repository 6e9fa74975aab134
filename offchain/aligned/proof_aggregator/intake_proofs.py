"""Which proofs of a fast-mode batch can be aggregated, as rows of the queue. Pure but for the hashing."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from aligned_native import keccak256

from aligned.core.aggregation import AggregationSystem, commitment, leaf_of
from aligned.core.errors import ProofError
from aligned.core.types import VerificationData
from aligned.storage.aggregation.intake import BatchProof
from aligned.verifiers.kinds import aggregated_data, program_id_of, unaggregated_kind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proof of a supported kind whose verdict is not known yet.

    Attributes:
        row: what is written if it is valid.
        data: what the verifier is asked: just what the row says, not what else the batch had.
    """

    row: BatchProof
    data: VerificationData


def candidate(
    root: bytes,
    index: int,
    found: VerificationData,
    systems: Container[AggregationSystem],
    max_bytes: int,
    max_public_input_bytes: int,
) -> Candidate | None:
    """Proof `index` of batch `root`; None if it is of another system or kind, too large, or has no whole key.

    Recursion needs the key itself, where the fast mode is content with its hash, and the public inputs, which the
    aggregating program hashes: long ones would take it for ever.
    """
    system = _system(found)
    if system is None or system not in systems or len(found.proof) > max_bytes or found.pub_input is None:
        return None
    if len(found.pub_input) > max_public_input_bytes:
        return None
    key = _key(system, found)
    program_id = None if key is None else _program_id(system, key)
    if key is None or program_id is None or unaggregated_kind(system, found.proof[:4]) is not None:
        return None
    inputs = found.pub_input
    proof_commitment = commitment(inputs, program_id)
    row = BatchProof(
        batch_root=root,
        batch_index=index,
        system=system,
        program_id=program_id,
        commitment=proof_commitment,
        leaf=leaf_of(system, proof_commitment),
        proof_hash=keccak256(found.proof),
        key_hash=keccak256(key),
        public_input_hash=keccak256(inputs),
        # Its own name even for the same bytes: an object goes when its one row is done with it.
        proof_object=f"batch-{root.hex()}-{index}.proof",
        program_key=key,
        public_inputs=inputs,
        size_bytes=max(1, len(found.proof)),
    )
    return Candidate(row, aggregated_data(system, found.proof, key, inputs))


def _system(found: VerificationData) -> AggregationSystem | None:
    for system in AggregationSystem:
        if system.proving_system is found.proving_system:
            return system
    return None


def _key(system: AggregationSystem, found: VerificationData) -> bytes | None:
    if system is AggregationSystem.RISC0:
        return found.vm_program_code
    return found.verification_key or found.vm_program_code


def _program_id(system: AggregationSystem, key: bytes) -> bytes | None:
    try:
        return program_id_of(system, key)
    except ProofError:
        return None
