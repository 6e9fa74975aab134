"""Makes the final proof of an aggregation: proving → proved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from aligned.core.errors import AlignedError, ConflictError, DependencyError, ProtocolError
from aligned.proof_aggregator.anew import prove_anew
from aligned.proof_aggregator.blobs import Expected, expect
from aligned.proof_aggregator.chunk_prover import RESULT_DIR
from aligned.proof_aggregator.context import Context, Line
from aligned.proof_aggregator.folders import remove_folder
from aligned.proof_aggregator.held import held
from aligned.provers.base import ChunkResult, FinalResult
from aligned.provers.errors import (
    PROVER_START,
    RESULT_DAMAGED,
    BadProof,
    JobMalformed,
    ProverFailed,
    UnsupportedLevel,
)
from aligned.provers.results import load_chunk
from aligned.storage.aggregation import aggregations, chunks, leases
from aligned.storage.aggregation.aggregations import AggregationJob

WRONG_OUTPUT = "wrong_output"
log = structlog.get_logger(__name__)


class FinalProver:
    """Takes one aggregation of a system at a time."""

    def __init__(self, context: Context, line: Line) -> None:
        self._context = context
        self._line = line

    async def step(self) -> bool:
        """Proves the next aggregation; False when none is due."""
        lease_s = self._context.patience.lease_s
        async with self._context.db.transaction() as conn:
            job = await aggregations.lease(conn, "proving", [int(self._line.system)], lease_s)
        if job is None:
            return False
        if job.lease.taken_over:
            self._context.metrics.lease_expiries.labels(aggregations.TABLE).inc()
        try:
            await held(self._context.db, aggregations.TABLE, job.lease, lease_s, self._work(job))
        except ConflictError as error:
            log.warning("aggregation_lost", aggregation=job.id, message=error.message)
        return True

    async def _work(self, job: AggregationJob) -> None:
        async with self._context.db.transaction() as conn:
            parts = await aggregations.chunks_of(conn, job.id)
            commitments = await chunks.commitments(conn, [chunk_id for chunk_id, _result in parts])
        loaded = [_load(result) for _chunk, result in parts]
        damaged = [chunk for (chunk, _result), found in zip(parts, loaded, strict=True) if found is None]
        if damaged:
            await self._give_up(job, f"results of chunks {damaged} are gone", damaged)
            return
        results = [found for found in loaded if found is not None]
        try:
            await self._prove(job, results, commitments)
        except (BadProof, JobMalformed, ProtocolError, ProverFailed) as error:
            await self._failed(job, error, _suspects([chunk_id for chunk_id, _result in parts], error))
        except (UnsupportedLevel, DependencyError) as error:
            await self._postpone(job, error, failed=False)
        except OSError as error:
            await self._postpone(job, DependencyError(RESULT_DIR, str(error)), failed=False)

    async def _prove(
        self, job: AggregationJob, results: Sequence[ChunkResult], commitments: Sequence[Sequence[bytes]]
    ) -> None:
        flat = [each for part in commitments for each in part]
        expected = await asyncio.to_thread(expect, job.system, flat)
        result = await self._line.engine.chunk(job.system, results, commitments, expected.versioned_hashes)
        try:
            _check(job, result, expected)
        except JobMalformed:
            # Otherwise the next attempt gets the same result again.
            await remove_folder(result.directory)
            raise
        async with self._context.db.transaction() as conn:
            await aggregations.record_proof(
                conn,
                job,
                result.public_values,
                result.proof,
                result.cycles or None,
                "; ".join(result.not_checked),
                expected.rows,
            )
        # All of it is in the database now.
        await remove_folder(result.directory)
        self._context.metrics.succeeded("final_proofs")
        log.info("aggregation_proved", aggregation=job.id, level=result.level, not_proved=result.not_checked)

    async def _failed(self, job: AggregationJob, error: AlignedError, suspects: Sequence[int]) -> None:
        """Tries again some times; then the suspects are proved anew, because one of their results may be bad."""
        counts = error.code != PROVER_START
        if counts and job.attempts + 1 >= self._context.patience.max_attempts:
            await self._give_up(job, str(error), suspects)
        else:
            await self._postpone(job, error, failed=counts)

    async def _postpone(self, job: AggregationJob, error: AlignedError, *, failed: bool) -> None:
        self._context.metrics.failed(job.system, "chunk", error.code)
        log.warning("aggregation_waits", aggregation=job.id, code=error.code, message=error.message)
        delay_s = self._context.patience.backoff.after(job.attempts + 1)
        async with self._context.db.transaction() as conn:
            await leases.postpone(conn, aggregations.TABLE, job.lease, str(error), delay_s, failed=failed)

    async def _give_up(self, job: AggregationJob, reason: str, again: Sequence[int]) -> None:
        """The aggregation fails; the chunks in `again` are proved anew."""
        async with self._context.db.transaction() as conn:
            await aggregations.failed(conn, job, reason)
            await prove_anew(conn, again, reason)
        self._context.metrics.failed(job.system, "chunk", RESULT_DAMAGED)
        log.error("aggregation_failed", aggregation=job.id, reason=reason)


def _suspects(chunk_ids: Sequence[int], error: AlignedError) -> Sequence[int]:
    """The chunk that the engine names, or all of them."""
    index = error.index if isinstance(error, BadProof) else None
    return chunk_ids if index is None or not 0 <= index < len(chunk_ids) else [chunk_ids[index]]


def _check(job: AggregationJob, result: FinalResult, expected: Expected) -> None:
    """Root, count, blobs and their values must be those of the commitments, whatever the engine says."""
    if expected.tree.root != job.root or result.public_values != expected.public_values:
        raise JobMalformed(f"{WRONG_OUTPUT}: aggregation {job.id}: 0x{result.public_values[:64].hex()}…")
    if result.program_id != job.program_id:
        raise JobMalformed(f"{WRONG_OUTPUT}: proof of program 0x{result.program_id.hex()}")


def _load(result: str) -> ChunkResult | None:
    try:
        return load_chunk(Path(result))
    except DependencyError as error:
        log.warning("result_gone", result=result, message=error.message)
        return None
