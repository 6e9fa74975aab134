"""Proves chunks. A proof that cannot be proved is found by halving its chunk, and rejected; the rest goes on.

Only a chunk of one proof can be rejected, and only where the engine is known to work: one that fails on everything
must not be taken for a queue full of bad proofs. A stored proof that is lost is told from a bad one by its hash.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from aligned.core.aggregation import user_proofs_output
from aligned.core.errors import AlignedError, ConflictError, DependencyError
from aligned.proof_aggregator.context import Context, Line
from aligned.proof_aggregator.folders import remove_folder
from aligned.proof_aggregator.held import held
from aligned.proof_aggregator.losses import Losses
from aligned.proof_aggregator.poison import Blame, Poison
from aligned.provers.base import ChunkResult, UserProof
from aligned.provers.errors import PROVER_START, BadProof, JobMalformed, ProverFailed, UnsupportedLevel
from aligned.storage.aggregation import chunks, leases
from aligned.storage.aggregation.chunks import ChunkJob, ChunkProof
from aligned.storage.proof_objects import ProofLost, read_proof

RESULT_DIR = "result_dir_unusable"
log = structlog.get_logger(__name__)


class ChunkProver:
    """Takes one chunk at a time; several may run, here and elsewhere."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._poison = Poison(context)
        self._losses = Losses(context, self._poison)
        self._systems = [int(system) for system in context.lines]

    async def step(self) -> bool:
        """Proves the next chunk; False when none is due."""
        patience = self._context.patience
        async with self._context.db.transaction() as conn:
            job = await chunks.lease(conn, self._systems, patience.lease_s)
        if job is None:
            return False
        if job.lease.taken_over:
            self._context.metrics.lease_expiries.labels(chunks.TABLE).inc()
        work = self._work(job)
        try:
            await held(self._context.db, chunks.TABLE, job.lease, patience.lease_s, work)
        except ConflictError as error:
            log.warning("chunk_lost", chunk=job.lease.row_id, message=error.message)
        return True

    async def _work(self, job: ChunkJob) -> None:
        async with self._context.db.transaction() as conn:
            proofs = await chunks.proofs_of(conn, job.lease.row_id)
        try:
            result = await self._prove(job, proofs)
        except BadProof as error:
            await self._poison.found(
                job, proofs, Blame(error.code, error.message, error.index, is_verdict=True)
            )
        except (ProverFailed, JobMalformed) as error:
            if error.code == PROVER_START:
                await self._postpone(job, error)
            else:
                await self._poison.suspected(job, proofs, Blame(error.code, error.message))
        except _ProofsLost as error:
            await self._losses.found(job, proofs, error.lost)
        except (UnsupportedLevel, DependencyError) as error:
            await self._postpone(job, error)
        except OSError as error:
            await self._postpone(job, DependencyError(RESULT_DIR, str(error)))
        else:
            await self._finish(job, result)

    async def _prove(self, job: ChunkJob, proofs: Sequence[ChunkProof]) -> ChunkResult:
        line = self._context.lines[job.system]
        folder = self._context.input_dir / f"chunk-{job.lease.row_id}-{job.lease.token}"
        await asyncio.to_thread(_remove_older, folder)
        try:
            inputs = await self._inputs(folder, proofs)
            result = await line.engine.user_proofs(job.system, inputs, [proof.commitment for proof in proofs])
        finally:
            await remove_folder(folder)
        return _checked(line, job, result)

    async def _inputs(self, folder: Path, proofs: Sequence[ChunkProof]) -> list[UserProof]:
        """All proofs as files; whether some are lost is known before anything is proved."""
        inputs: list[UserProof] = []
        lost: dict[int, ProofLost] = {}
        for index, proof in enumerate(proofs):
            path = folder / f"{index}.proof"
            try:
                await self._load(path, proof)
            except ProofLost as error:
                lost[index] = error
            inputs.append(UserProof(path, proof.program_key, proof.public_inputs))
        if lost:
            raise _ProofsLost(lost)
        return inputs

    async def _load(self, path: Path, proof: ChunkProof) -> None:
        store, most = self._context.store, self._context.max_proof_bytes
        data = await read_proof(store, proof.proof_object, proof.proof_hash, proof.size_bytes, most)
        await asyncio.to_thread(_write, path, data)

    async def _finish(self, job: ChunkJob, result: ChunkResult) -> None:
        async with self._context.db.transaction() as conn:
            await chunks.finish(conn, job, str(result.directory))
        self._context.metrics.succeeded("chunks")
        log.info("chunk_proved", chunk=job.lease.row_id, proofs=job.leaf_count, seconds=result.seconds)

    async def _postpone(self, job: ChunkJob, error: AlignedError) -> None:
        """An outage: no fault of the chunk's."""
        self._context.metrics.failed(job.system, "user_proofs", error.code)
        log.warning("chunk_waits", chunk=job.lease.row_id, code=error.code, message=error.message)
        delay_s = self._context.patience.backoff.first_s
        async with self._context.db.transaction() as conn:
            await leases.postpone(conn, chunks.TABLE, job.lease, str(error), delay_s, failed=False)


class _ProofsLost(Exception):
    """Stored proofs of a chunk are gone or damaged, by their place in it."""

    def __init__(self, lost: Mapping[int, ProofLost]) -> None:
        super().__init__(f"{len(lost)} proofs")
        self.lost = lost


def _checked(line: Line, job: ChunkJob, result: ChunkResult) -> ChunkResult:
    """An engine's word is not taken for the root."""
    if result.public_values != user_proofs_output(job.root, job.leaf_count):
        raise JobMalformed(
            f"chunk {job.lease.row_id}: {line.level} engine says 0x{result.public_values.hex()}"
        )
    return result


def _remove_older(folder: Path) -> None:
    """What former holders of the lease could not remove, because they were killed."""
    name, token = folder.name.rsplit("-", 1)
    for other in folder.parent.glob(f"{name}-*"):
        if int(other.name.rsplit("-", 1)[1]) < int(token):
            shutil.rmtree(other, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
