"""How a proving job can end without a result."""

from __future__ import annotations

from typing import Final

from aligned.core.errors import AlignedError, DependencyError, InvariantError, ProofError

BAD_PROOF: Final = "bad_proof"
UNSUPPORTED_LEVEL: Final = "unsupported_level"
PROVER_START: Final = "prover_start"
PROVER_TIMEOUT: Final = "prover_timeout"
PROVER_CRASHED: Final = "prover_crashed"
PROVER_OUT_OF_MEMORY: Final = "prover_out_of_memory"
PROVER_PROTOCOL: Final = "prover_protocol"
PROVER_FAILED: Final = "prover_failed"
JOB_MALFORMED: Final = "job_malformed"
RESULT_DAMAGED: Final = "result_damaged"


class BadProof(ProofError):
    """A proof that the job is about does not verify.

    Attributes:
        index: its position in the job (user proof or chunk), None where the prover does not say.
    """

    def __init__(self, message: str, index: int | None) -> None:
        super().__init__(BAD_PROOF, message, index=index)
        self.index = index


class UnsupportedLevel(AlignedError):
    """This machine cannot do the level; the message says what is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(UNSUPPORTED_LEVEL, message)


class ProverFailed(DependencyError):
    """The prover crashed, hung, ran out of memory or answered nonsense: the job failed, not the proofs in it."""


class JobMalformed(InvariantError):
    """The job itself is wrong: public values that do not follow from the commitments, a chunk without its proof."""

    def __init__(self, message: str) -> None:
        super().__init__(JOB_MALFORMED, message)
