"""Stored proofs that are gone or damaged: their users are told to send them again, and the others go on.

Bytes that do not have the hash of the row are damaged for certain. An object that is not there may also be an outage (a
folder that is not mounted, another bucket), so that one is believed only beside proofs that are there, or alone, again
and again, and not many in a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from aligned.core.aggregation import tree_of
from aligned.proof_aggregator.context import Context
from aligned.proof_aggregator.poison import MAX_REJECTED_IN_A_ROW, Blame, Poison
from aligned.storage.aggregation import chunks, payments, submissions
from aligned.storage.aggregation.chunks import ChunkJob, ChunkProof
from aligned.storage.postgres import Connection
from aligned.storage.proof_objects import PROOF_LOST, ProofLost

log = structlog.get_logger(__name__)


class Losses:
    """Takes lost proofs out of a chunk."""

    def __init__(self, context: Context, poison: Poison) -> None:
        self._context = context
        self._poison = poison

    async def found(self, job: ChunkJob, proofs: Sequence[ChunkProof], lost: Mapping[int, ProofLost]) -> None:
        """Some proofs of the chunk, by their place in it, cannot be read."""
        self._note(proofs, lost)
        believed = {place: error for place, error in lost.items() if error.damaged or len(lost) < len(proofs)}
        if not believed and await self._is_patient(job, proofs):
            believed = dict(lost)
        if believed:
            await self._reject(job, proofs, believed)
        elif len(proofs) > 1 and job.attempts + 1 >= self._context.patience.max_attempts:
            await self._poison.split(job, proofs, Blame(PROOF_LOST, "none of its proofs is in the store"))
        else:
            await self._poison.try_again(
                job, Blame(PROOF_LOST, f"{len(lost)} of {len(proofs)} are not in the store")
            )

    async def _is_patient(self, job: ChunkJob, proofs: Sequence[ChunkProof]) -> bool:
        """Whether the only proof of a chunk was missed often enough, and few others before it."""
        if len(proofs) > 1 or job.attempts + 1 < self._context.patience.max_attempts:
            return False
        async with self._context.db.transaction() as conn:
            return await chunks.rejected_in_a_row(conn, job) < MAX_REJECTED_IN_A_ROW

    async def _reject(
        self, job: ChunkJob, proofs: Sequence[ChunkProof], lost: Mapping[int, ProofLost]
    ) -> None:
        async with self._context.db.transaction() as conn:
            await payments.lock_quotas_of(conn, [proofs[place].id for place in lost])
            for place, error in lost.items():
                await submissions.reject(
                    conn, proofs[place].id, error.code, error.message, states=("proving",)
                )
            await self._go_on_with(
                conn, job, [proof for place, proof in enumerate(proofs) if place not in lost]
            )
            await chunks.close_split(conn, job, f"{PROOF_LOST}: {len(lost)} of {len(proofs)}")
        self._context.metrics.rejected.labels(job.system.wire_name, PROOF_LOST).inc(len(lost))
        for place, error in lost.items():
            log.critical(
                "proof_lost",
                proof=str(proofs[place].id),
                object=proofs[place].proof_object,
                reason=error.message,
            )
            await self._poison.drop(proofs[place])

    async def _go_on_with(self, conn: Connection, job: ChunkJob, proofs: Sequence[ChunkProof]) -> None:
        if proofs:
            root = tree_of(job.system, [proof.commitment for proof in proofs]).root
            await chunks.create(conn, job.system, job.level, root, [proof.id for proof in proofs])

    def _note(self, proofs: Sequence[ChunkProof], lost: Mapping[int, ProofLost]) -> None:
        for place, error in lost.items():
            kind = "damaged" if error.damaged else "missing"
            self._context.metrics.store_damaged.labels(kind).inc()
            log.error("stored_proof_unusable", object=proofs[place].proof_object, kind=kind)
