"""What a verifier is. Systems that this package does not know plug in through the entry point group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aligned.core.errors import OK, PROOF_TOO_LARGE
from aligned.core.types import ProvingSystem, VerificationData

ENTRY_POINT_GROUP = "aligned.verifiers"


@dataclass(frozen=True, slots=True)
class AggregatedProof(VerificationData):
    """A proof of aggregation mode: valid only if an aggregating program can verify it in turn.

    The type says so, and not an argument beside the proof, because nobody can forget the type.
    """


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one proof.

    Attributes:
        code: "ok", or a verdict code of `core.errors`.
        reason: for people; empty when valid.
        seconds: how long the verifier took.
    """

    valid: bool
    code: str
    reason: str = ""
    seconds: float = 0.0


class ProofVerifier(Protocol):
    """Verifies proofs of one system. Instances are created once a process and may keep decoded keys."""

    @property
    def system(self) -> ProvingSystem:
        """The id: its byte in the leaf, its bit in the disabled bitmap."""

    @property
    def name(self) -> str:
        """For logs and metrics."""

    @property
    def max_proof_bytes(self) -> int:
        """No more is looked at, proof, public input, key and program together (`core.sizes` for ours)."""

    def verify(self, data: VerificationData) -> Verdict:
        """Whether the proof holds for its key and public input. A wrong proof is a verdict, never an exception.

        The leaf commits to `vm_program_code`, and to `verification_key` only where there is no program: verify against
        the one that it commits to, and refuse the other unless it says the same.
        """


def valid() -> Verdict:
    """The verdict on a valid proof."""
    return Verdict(True, OK)


def refused(code: str, reason: str) -> Verdict:
    """The verdict on a proof that is not accepted."""
    return Verdict(False, code, reason)


def check_size(verifier: ProofVerifier, data: VerificationData) -> Verdict | None:
    """A refusal for a proof that its verifier would not look at."""
    if data.size_bytes > verifier.max_proof_bytes:
        parts = "proof, public input, key and program together"
        reason = (
            f"{data.size_bytes} bytes ({parts}), {verifier.name} takes at most {verifier.max_proof_bytes}"
        )
        return refused(PROOF_TOO_LARGE, reason)
    return None
