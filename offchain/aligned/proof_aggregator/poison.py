"""What to do with a chunk that an engine cannot prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from aligned.core.aggregation import tree_of
from aligned.core.errors import DependencyError
from aligned.proof_aggregator.context import Context
from aligned.storage.aggregation import chunks, leases, submissions
from aligned.storage.aggregation.chunks import ChunkJob, ChunkProof
from aligned.storage.postgres import Connection

INVALID_PROOF = "invalid_proof"
UNPROVABLE = "unprovable"
# An engine that calls so many proofs in a row bad, and none good, is not believed any more; nor is an empty store.
MAX_REJECTED_IN_A_ROW = 8
# So many times max_attempts until a success before the last failure counts as well: the pauses double meanwhile.
_PATIENCE = 2
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Blame:
    """Why a chunk could not be proved.

    Attributes:
        index: the proof that is to blame, None where nobody knows.
        is_verdict: the engine says that a proof is bad; otherwise it merely failed.
    """

    code: str
    reason: str
    index: int | None = None
    is_verdict: bool = False


class Poison:
    """Splits chunks until the bad proof is alone, then rejects it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def found(self, job: ChunkJob, proofs: Sequence[ChunkProof], blame: Blame) -> None:
        """The engine says that a proof is bad."""
        if len(proofs) > 1:
            await self.split(job, proofs, blame)
        else:
            await self._judge(job, proofs[0], blame)

    async def suspected(self, job: ChunkJob, proofs: Sequence[ChunkProof], blame: Blame) -> None:
        """The engine failed and does not say why: perhaps a proof, perhaps not."""
        if job.attempts + 1 < self._context.patience.max_attempts:
            await self.try_again(job, blame)
        else:
            await self.found(job, proofs, blame)

    async def split(self, job: ChunkJob, proofs: Sequence[ChunkProof], blame: Blame) -> None:
        """Puts the suspect alone, or makes halves."""
        parts = _parts(proofs, blame.index)
        async with self._context.db.transaction() as conn:
            for part in parts:
                root = tree_of(job.system, [proof.commitment for proof in part]).root
                await chunks.create(conn, job.system, job.level, root, [proof.id for proof in part])
            await chunks.close_split(conn, job, f"{blame.code}: {blame.reason}")
        self._context.metrics.splits.labels(job.system.wire_name).inc()
        log.warning(
            "chunk_split", chunk=job.lease.row_id, parts=[len(part) for part in parts], reason=blame.reason
        )

    async def _judge(self, job: ChunkJob, proof: ChunkProof, blame: Blame) -> None:
        async with self._context.db.transaction() as conn:
            if not await self._engine_works(conn, job, blame):
                await self._postpone(conn, job, blame)
                return
            code = INVALID_PROOF if blame.is_verdict else UNPROVABLE
            await submissions.reject(conn, proof.id, code, blame.reason, states=("proving",))
            await chunks.close_split(conn, job, f"{code}: {blame.reason}")
        self._context.metrics.rejected.labels(job.system.wire_name, code).inc()
        log.error("proof_rejected", proof=str(proof.id), code=code, reason=blame.reason)
        await self.drop(proof)

    async def _engine_works(self, conn: Connection, job: ChunkJob, blame: Blame) -> bool:
        if blame.is_verdict and await chunks.rejected_in_a_row(conn, job) < MAX_REJECTED_IN_A_ROW:
            return True
        if job.attempts > 0 and await chunks.worked_since(conn, job, job.updated_at):
            return True
        # Nothing else may be left to prove: then it is enough that others were proved since it is alone.
        patient = job.attempts + 1 >= _PATIENCE * self._context.patience.max_attempts
        return patient and await chunks.worked_since(conn, job, job.created_at)

    async def try_again(self, job: ChunkJob, blame: Blame) -> None:
        """Later; the pauses grow."""
        async with self._context.db.transaction() as conn:
            await self._postpone(conn, job, blame)

    async def _postpone(self, conn: Connection, job: ChunkJob, blame: Blame) -> None:
        delay_s = self._context.patience.backoff.after(job.attempts + 1)
        error = f"{blame.code}: {blame.reason}"
        await leases.postpone(conn, chunks.TABLE, job.lease, error, delay_s, failed=True)
        self._context.metrics.failed(job.system, "user_proofs", blame.code)
        log.warning("chunk_failed", chunk=job.lease.row_id, reason=blame.reason, attempts=job.attempts + 1)

    async def drop(self, proof: ChunkProof) -> None:
        """Removes the object of a rejected proof."""
        try:
            await self._context.store.delete(proof.proof_object)
        except DependencyError as error:
            log.warning("object_not_deleted", object=proof.proof_object, message=error.message)


def _parts(proofs: Sequence[ChunkProof], index: int | None) -> list[Sequence[ChunkProof]]:
    """The suspect alone and the others, or two halves."""
    if index is None or not 0 <= index < len(proofs):
        middle = len(proofs) // 2
        return [proofs[:middle], proofs[middle:]]
    others = [*proofs[:index], *proofs[index + 1 :]]
    return [others, proofs[index : index + 1]]
