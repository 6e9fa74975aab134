"""The engine `process`: one worker process per system on this machine, started when it is first needed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from aligned.core.aggregation import AggregationSystem, ChunkOutput, tree_of, user_proofs_output
from aligned.provers.base import ChunkResult, FinalResult, OnProgress, Progress, UserProof
from aligned.provers.errors import JobMalformed, UnsupportedLevel
from aligned.provers.inputs import write_commitments, write_proofs
from aligned.provers.levels import LEVELS, ProvingLevel
from aligned.provers.results import FINAL_JOB, is_finished, job_digest, load_chunk, load_final
from aligned.provers.worker import Worker, WorkerCommand
from aligned.watchdog import waiting

log = structlog.get_logger(__name__)
# For the watchdog: a worker takes one job at a time, and so many may wait before ours.
_MOST_JOBS_AHEAD = 8

Commands = Callable[[AggregationSystem, ProvingLevel], WorkerCommand]


def log_progress(progress: Progress) -> None:
    """Writes a step to the log."""
    log.info("proving", job=progress.job, step=progress.step, seconds=round(progress.seconds, 1))


class ProcessEngine:
    """A `ProvingEngine` with supervised workers. Use as an async context manager.

    Args:
        level: of the results.
        folder: where results are kept; a job that is in there is not done again.
        commands: gives the worker of a system for a level.
        timeout_s: for one job; its worker is killed then.
        on_progress: is told each step.
    """

    def __init__(
        self,
        level: ProvingLevel,
        folder: Path,
        commands: Commands,
        *,
        timeout_s: float = 4 * 3600.0,
        on_progress: OnProgress = log_progress,
    ) -> None:
        self.level = level
        self._folder = folder
        self._commands = commands
        self._timeout_s = timeout_s
        self._on_progress = on_progress
        self._workers: dict[AggregationSystem, Worker] = {}
        self._locks = {system: asyncio.Lock() for system in AggregationSystem}

    async def __aenter__(self) -> ProcessEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            await worker.kill()

    async def user_proofs(
        self, system: AggregationSystem, proofs: Sequence[UserProof], commitments: Sequence[bytes]
    ) -> ChunkResult:
        """See `ProvingEngine`."""
        level = self._level_of_chunks(system)
        if not 0 < len(proofs) == len(commitments):
            raise JobMalformed(f"{len(proofs)} proofs and {len(commitments)} commitments")
        content = [part for proof in proofs for part in (proof.proof, proof.key, proof.public_inputs)]
        out = self._directory("user_proofs", system, level, content)
        if not is_finished(out):
            with _inputs(out) as inputs:
                request = {"op": "user_proofs", "level": level, "proofs": write_proofs(inputs, proofs)}
                await self._do(system, level, out, request)
        result = load_chunk(out)
        root = tree_of(system, commitments).root
        if result.public_values != user_proofs_output(root, len(commitments)):
            shutil.rmtree(out)
            raise JobMalformed("the proofs have other commitments than those given")
        return result

    async def chunk(
        self,
        system: AggregationSystem,
        chunks: Sequence[ChunkResult],
        commitments: Sequence[Sequence[bytes]],
        versioned_hashes: Sequence[bytes],
    ) -> FinalResult:
        """See `ProvingEngine`."""
        self._level_of_chunks(system)
        if not 0 < len(chunks) == len(commitments):
            raise JobMalformed(f"{len(chunks)} chunks and commitments of {len(commitments)}")
        content = [chunk.directory.name.encode() for chunk in chunks]
        content += [commitment for part in commitments for commitment in part] + list(versioned_hashes)
        out = self._directory(FINAL_JOB, system, self.level, content)
        if not is_finished(out):
            with _inputs(out) as inputs:
                parts = zip(chunks, write_commitments(inputs, commitments), strict=True)
                request = {
                    "op": "chunk",
                    "level": self.level,
                    "chunks": [
                        {"result": str(chunk.directory), "commitments": path} for chunk, path in parts
                    ],
                    "versioned_hashes": ["0x" + each.hex() for each in versioned_hashes],
                }
                await self._do(system, self.level, out, request)
        result = load_final(out)
        if not _is_about(result, system, [each for part in commitments for each in part], versioned_hashes):
            shutil.rmtree(out)
            raise JobMalformed("the chunk program's output is not about these commitments and blobs")
        return result

    async def prove_example(self, system: AggregationSystem, n: int) -> ChunkResult:
        """Proves the Fibonacci guest for `n`: a user proof for fixtures. Raises as `user_proofs`."""
        level = self._level_of_chunks(system)
        out = self._directory("fibonacci", system, level, [n.to_bytes(4, "big")])
        if not is_finished(out):
            await self._do(system, level, out, {"op": "prove_example", "n": n})
        return load_chunk(out)

    def _level_of_chunks(self, system: AggregationSystem) -> ProvingLevel:
        if self.level not in LEVELS[system]:
            raise UnsupportedLevel(f"{system.name} has no level {self.level}")
        return self.level.of_chunks(system)

    def _directory(
        self, operation: str, system: AggregationSystem, level: ProvingLevel, content: Sequence[bytes | Path]
    ) -> Path:
        program = self._commands(system, level).identity
        return self._folder / f"{system.wire_name}-{operation}-{level}-{job_digest([program, *content])}"

    async def _do(
        self, system: AggregationSystem, level: ProvingLevel, out: Path, request: dict[str, Any]
    ) -> None:
        started = time.monotonic()

        def on_step(step: str, at: float) -> None:
            self._on_progress(Progress(out.name, step, at - started))

        with waiting(_MOST_JOBS_AHEAD * self._timeout_s):
            async with self._locks[system]:
                worker = await self._worker(system, level)
                await worker.ask({"id": out.name, **request, "out": str(out)}, self._timeout_s, on_step)

    async def _worker(self, system: AggregationSystem, level: ProvingLevel) -> Worker:
        worker = self._workers.get(system)
        if worker is None or not worker.is_alive:
            worker = self._workers[system] = await Worker.start(self._commands(system, level))
            log.info("prover_started", system=system.wire_name, levels=worker.ready.get("levels"))
        return worker


@contextmanager
def _inputs(out: Path) -> Iterator[Path]:
    """A folder for the inputs of one attempt: whoever took the job over has his own beside it."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="inputs-", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty: there is a result
            out.rmdir()


def _is_about(
    result: FinalResult,
    system: AggregationSystem,
    commitments: Sequence[bytes],
    versioned_hashes: Sequence[bytes],
) -> bool:
    output = ChunkOutput.decode(result.public_values)
    blobs = [blob.versioned_hash for blob in output.blobs]
    return output.root == tree_of(system, commitments).root and blobs == list(versioned_hashes)
