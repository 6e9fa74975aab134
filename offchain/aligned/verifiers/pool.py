"""Verification in a pool of child processes: a crash or a hang of one proof is a verdict, not an outage."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from aligned.core.errors import SERVER_BUSY, DependencyError, ProofError
from aligned.core.types import VerificationData
from aligned.verifiers.base import Verdict, refused
from aligned.verifiers.child import Child
from aligned.verifiers.fair_queue import FairQueue

_RESTART_DELAY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Job:
    data: VerificationData
    verdict: asyncio.Future[Verdict]


class VerifierPool:
    """Worker processes that verify proofs in parallel. Use as an async context manager.

    Args:
        workers: processes; None for one per available core.
        timeout_s: for one proof; its worker is killed and replaced when it takes longer.
        memory_bytes: address space of a worker.
        max_waiting: proofs that may wait.
    """

    def __init__(
        self,
        workers: int | None = None,
        timeout_s: float = 30.0,
        memory_bytes: int = 2 * 1024**3,
        max_waiting: int = 10_000,
    ) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
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

    async def verify(self, data: VerificationData, lane: object = None) -> Verdict:
        """The verdict on one proof. Callers with different `lane` values are served in turn.

        Raises:
            DependencyError: server_busy, when too many proofs wait or the pool stops.
        """
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        if not self._queue.put(lane, _Job(data, verdict)):
            raise DependencyError(SERVER_BUSY, f"{len(self._queue)} proofs wait for verification already")
        return await verdict

    async def verify_all(self, proofs: Sequence[VerificationData]) -> list[Verdict]:
        """The verdicts on many proofs, in their order; they queue up a few per worker at a time."""
        slots = asyncio.Semaphore(4 * self.workers)
        lane = object()

        async def one(data: VerificationData) -> Verdict:
            async with slots:
                return await self.verify(data, lane)

        return list(await asyncio.gather(*(one(data) for data in proofs)))

    async def _run(self, child: Child) -> None:
        """Serves proofs with one worker, replacing it when it dies."""
        try:
            while True:
                job = await self._queue.get()
                if job.verdict.done():
                    continue
                try:
                    self._settle(job, await child.verify(job.data, self._timeout_s))
                except ProofError as error:
                    self._settle(job, refused(error.code, error.message))
                    child = await self._replacement()
                except asyncio.CancelledError:
                    self._abandon(job)
                    raise
        finally:
            with suppress(ProcessLookupError):
                await child.kill()

    @staticmethod
    def _abandon(job: _Job) -> None:
        if not job.verdict.done():
            job.verdict.set_exception(DependencyError(SERVER_BUSY, "the verifier pool is stopping"))

    @staticmethod
    def _settle(job: _Job, verdict: Verdict) -> None:
        if not job.verdict.done():
            job.verdict.set_result(verdict)

    async def _replacement(self) -> Child:
        while True:
            try:
                return await Child.start(self._memory_bytes)
            except DependencyError:
                await asyncio.sleep(_RESTART_DELAY_S)
