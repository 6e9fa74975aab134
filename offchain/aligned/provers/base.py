"""What the aggregator asks of a proving engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aligned.core.aggregation import AggregationSystem
from aligned.provers.levels import ProvingLevel


@dataclass(frozen=True, slots=True)
class UserProof:
    """A user's proof as it was uploaded, in memory or in files.

    Attributes:
        key: SP1 the saved verifying key (104 bytes), RISC0 the image id (32 bytes).
    """

    proof: bytes | Path
    key: bytes | Path
    public_inputs: bytes | Path


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """A finished run of `user_proofs`; `aligned.provers.results.load_chunk(directory)` gives it again.

    Attributes:
        public_values: root ‖ count, 64 bytes.
        checked: what was verified on the way.
        not_checked: what the next level would prove and this one does not; empty for a whole proof.
        cycles: of the guest, 0 at the native level.
        seconds: that the job took.
    """

    directory: Path
    system: AggregationSystem
    level: ProvingLevel
    program_id: bytes
    public_values: bytes
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    cycles: int
    seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class FinalResult(ChunkResult):
    """A finished run of `chunk`; `aligned.provers.results.load_final(directory)` gives it again.

    Attributes:
        public_values: the public inputs of `verifySP1` and `verifyRisc0`.
        proof: what the on-chain verifier takes: a Groth16 proof, or DevVerifier's stand-in below that level.
    """

    proof: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a job begins."""

    job: str
    step: str
    seconds: float


OnProgress = Callable[[Progress], None]


class ProvingEngine(Protocol):
    """Makes chunk proofs and final proofs. A job that was finished before returns its stored result at once."""

    @property
    def level(self) -> ProvingLevel:
        """The level of its results."""

    async def user_proofs(
        self, system: AggregationSystem, proofs: Sequence[UserProof], commitments: Sequence[bytes]
    ) -> ChunkResult:
        """Verifies the proofs of one chunk in the `user_proofs` program.

        Args:
            commitments: of the same proofs, in their order, 32 bytes each.

        Raises:
            BadProof: a proof does not verify; names it where that is known.
            UnsupportedLevel: the level is not to be had here.
            ProverFailed: the prover crashed, hung, or ran out of memory.
            JobMalformed: the commitments are not those of the proofs.
        """

    async def chunk(
        self,
        system: AggregationSystem,
        chunks: Sequence[ChunkResult],
        commitments: Sequence[Sequence[bytes]],
        versioned_hashes: Sequence[bytes],
    ) -> FinalResult:
        """Joins chunks in the `chunk` program.

        Args:
            commitments: of each chunk.
            versioned_hashes: of the blobs that hold all commitments in this order.

        Raises:
            The same; BadProof then names a chunk.
        """
