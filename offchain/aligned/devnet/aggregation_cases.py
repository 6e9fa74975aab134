"""The proofs that the demo has aggregated, and what the gateway must refuse."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice

from aligned.core import errors
from aligned.core.aggregation import AggregationSystem
from aligned.core.types import VerificationData
from aligned.devnet.cases import bad_proofs, good_proofs
from aligned.sdk.aggregation_submission import ProofFiles
from aligned.wire.gateway import UNSUPPORTED_PROOF_KIND

# Recursion takes these; a Groth16 proof is checked on chain directly.
_KINDS = ("Compressed", "Composite", "Succinct")
# Tag 3 of an InnerReceipt, with a pruned claim.
_FAKE_RECEIPT = (3).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(32)


@dataclass(frozen=True, slots=True)
class NamedProof:
    """A real proof and its name, for people."""

    file: str
    files: ProofFiles


@dataclass(frozen=True, slots=True)
class BadSubmission:
    """Something that the gateway must refuse; any of `codes` is the right answer."""

    file: str
    files: ProofFiles
    codes: frozenset[str]


def aggregation_proofs(system: AggregationSystem, count: int) -> list[NamedProof]:
    """So many real proofs of one system; what is at hand is repeated."""
    found = [
        NamedProof(proof.file, proof_files(system, proof.data))
        for proof in good_proofs()
        if proof.data.proving_system == system.proving_system and proof.mode in _KINDS
    ]
    return list(islice(cycle(found), count))


def bad_submissions(system: AggregationSystem) -> list[BadSubmission]:
    """Each real proof of a system damaged in every way, and kinds and versions that are not taken."""
    kinds = frozenset({UNSUPPORTED_PROOF_KIND})
    bad = [
        BadSubmission(case.file, proof_files(system, case.data), case.codes)
        for case in bad_proofs()
        if case.data.proving_system == system.proving_system and "groth16" not in case.file
    ]
    bad += [
        BadSubmission(f"{proof.file}: Groth16", proof_files(system, proof.data), kinds)
        for proof in good_proofs()
        if proof.data.proving_system == system.proving_system and proof.file.startswith("risc0/groth16")
    ]
    if system is AggregationSystem.RISC0:
        first = aggregation_proofs(system, 1)[0].files
        fake = ProofFiles(system, _FAKE_RECEIPT, first.key, first.public_inputs)
        bad.append(BadSubmission("risc0 fake receipt", fake, frozenset({errors.FAKE_RECEIPT})))
    return bad


def proof_files(system: AggregationSystem, data: VerificationData) -> ProofFiles:
    """The same proof as the gateway takes it."""
    key = data.verification_key if system is AggregationSystem.SP1 else data.vm_program_code
    return ProofFiles(system, data.proof, key or b"", data.pub_input or b"")
