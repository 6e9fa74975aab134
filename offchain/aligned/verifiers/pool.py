"""Verification in a pool of child processes: a crash or a hang of one proof is a verdict, not an outage."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType

import structlog

from aligned.core.errors import SERVER_BUSY, DependencyError, ProofError
from aligned.core.types import VerificationData
from aligned.verifiers.base import Verdict, refused
from aligned.verifiers.child import Child
from aligned.verifiers.fair_queue import FairQueue
from aligned.watchdog import waiting

log = structlog.get_logger(__name__)
_RESTART_DELAY_S = 1.0
_MAX_RESTART_DELAY_S = 15.0


@dataclass(frozen=True, slots=True)
class _Job:
    data: VerificationData
    proof_file: Path | None
    verdict: asyncio.Future[Verdict]


class VerifierPool:
    """Worker processes that verify proofs in parallel. Use as an async context manager.

    Args:
        workers: processes; None for one more than the available cores, so that no core waits while a worker is
            handed its next proof (bench/bench_operator.py: 88-90 % of the bare rate instead of 84-87 %).
        timeout_s: for one proof; its worker is killed and replaced when it takes longer.
        memory_bytes: address space of a worker.
        max_waiting: proofs that may wait.
        max_wait_s: for a verdict, the wait for a free worker included.
    """

    def __init__(
        self,
        workers: int | None = None,
        timeout_s: float = 30.0,
        memory_bytes: int = 2 * 1024**3,
        max_waiting: int = 10_000,
        max_wait_s: float = 600.0,
    ) -> None:
        self.workers = workers or len(os.sched_getaffinity(0)) + 1
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._max_wait_s = max_wait_s
        self._running = 0
        self._queue: FairQueue[_Job] = FairQueue(max_waiting)
        self._runners: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> VerifierPool:
        starts = (Child.start(self._memory_bytes) for _ in range(self.workers))
        children = await asyncio.gather(*starts, return_exceptions=True)
        running = [child for child in children if isinstance(child, Child)]
        if failures := [child for child in children if isinstance(child, BaseException)]:
            await asyncio.gather(*(child.kill() for child in running))
            raise failures[0]
        self._runners = [asyncio.create_task(self._run(child)) for child in running]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self._runners:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        while len(self._queue):
            self._abandon(await self._queue.get())

    async def verify(
        self, data: VerificationData, lane: object = None, proof_file: Path | None = None
    ) -> Verdict:
        """The verdict on one proof. Callers with different `lane` values are served in turn.

        Args:
            proof_file: holds the proof, instead of `data.proof`: a large one then does not pass through this
                process. The verdict's code is proof_unreadable when the file is gone.

        Raises:
            DependencyError: server_busy, when too many proofs wait, it takes too long, or the pool stops.
        """
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        if not self._queue.put(lane, _Job(data, proof_file, verdict)):
            raise DependencyError(SERVER_BUSY, f"{len(self._queue)} proofs wait for verification already")
        try:
            with waiting(self._max_wait_s):
                return await asyncio.wait_for(verdict, self._max_wait_s)
        except TimeoutError as error:
            text = f"no verifier got to it within {self._max_wait_s:g} s"
            raise DependencyError(SERVER_BUSY, text) from error

    async def verify_all(self, proofs: Sequence[VerificationData]) -> list[Verdict]:
        """The verdicts on many proofs, in their order; they queue up a few per worker at a time."""
        slots = asyncio.Semaphore(4 * self.workers)
        lane = object()

        async def one(data: VerificationData) -> Verdict:
            async with slots:
                return await self.verify(data, lane)

        return list(await asyncio.gather(*(one(data) for data in proofs)))

    def check(self) -> None:
        """Says whether proofs can be verified at this moment.

        Raises:
            DependencyError: verifier_start, while no worker runs.
        """
        if not self._running:
            raise DependencyError("verifier_start", "no verifier process runs at this moment")

    async def _run(self, child: Child | None) -> None:
        """Serves proofs with one worker after the other; nothing but the end of the pool ends it."""
        while True:
            child = child or await self._replacement()
            self._running += 1
            try:
                await self._serve(child)
            except Exception:
                log.exception("verifier_worker_failed", pid=child.pid)
            finally:
                self._running -= 1
                with suppress(ProcessLookupError):
                    await child.kill()
            child = None

    async def _serve(self, child: Child) -> None:
        """Serves proofs until the worker dies."""
        while True:
            job = await self._queue.get()
            if job.verdict.done():
                continue
            try:
                self._settle(job, await child.verify(job.data, self._timeout_s, job.proof_file))
            except ProofError as error:
                self._settle(job, refused(error.code, error.message))
                return
            except BaseException:
                self._abandon(job)
                raise

    @staticmethod
    def _abandon(job: _Job) -> None:
        if not job.verdict.done():
            job.verdict.set_exception(
                DependencyError(SERVER_BUSY, "the verifier pool is stopping, or failed")
            )

    @staticmethod
    def _settle(job: _Job, verdict: Verdict) -> None:
        if not job.verdict.done():
            job.verdict.set_result(verdict)

    async def _replacement(self) -> Child:
        for attempt in count():
            try:
                return await Child.start(self._memory_bytes)
            except Exception:
                log.exception("verifier_not_started", attempt=attempt)
                await asyncio.sleep(min(_RESTART_DELAY_S * 2 ** min(attempt, 10), _MAX_RESTART_DELAY_S))
        raise AssertionError("unreachable")
