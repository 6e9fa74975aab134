"""From a reserved row to its verdict: proofs wait in a fair queue and are loaded when a verifier is near.

Every row in state verifying is leased by the process that works on it. What a killed gateway leaves is taken over when
its lease ends, by whichever gateway looks first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import (
    INTERNAL_ERROR,
    PROOF_UNREADABLE,
    SERVER_BUSY,
    VERIFIER_CRASHED,
    DependencyError,
)
from aligned.core.types import VerificationData
from aligned.gateway.metrics import GatewayMetrics
from aligned.gateway.spool import Spool
from aligned.loops import repeat
from aligned.storage.aggregation import submissions
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.storage.proof_objects import ProofLost, read_proof
from aligned.storage.statements import Statements
from aligned.verifiers.base import Verdict, refused
from aligned.verifiers.fair_queue import FairQueue
from aligned.verifiers.kinds import aggregated_data
from aligned.verifiers.pool import VerifierPool
from aligned.watchdog import watched

log = structlog.get_logger(__name__)
# A proof about which verifiers were asked so often since it was taken over, without a verdict, is not tried again.
_MAX_ATTEMPTS = 5
_TAKEN_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Job:
    """A row in state verifying.

    Attributes:
        lane: jobs of different lanes are served in turn.
        path: a local copy of the proof, if there is one.
        attempts: after the process that took the proof in was gone; None in that process.
    """

    id: UUID
    system: AggregationSystem
    proof_object: str
    proof_hash: bytes
    size_bytes: int
    program_key: bytes
    public_inputs: bytes
    lane: object
    path: Path | None = None
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class _Ticket:
    job: Job
    outcome: asyncio.Future[Verdict]


class Verification:
    """The rows that this process verifies."""

    def __init__(
        self,
        db: Database,
        statements: Statements,
        store: ObjectStore,
        pool: VerifierPool,
        spool: Spool,
        metrics: GatewayMetrics,
        lease_s: float,
        max_waiting: int,
    ) -> None:
        self._db = db
        self._statements = statements
        self._store = store
        self._pool = pool
        self._spool = spool
        self._metrics = metrics
        self._lease_s = lease_s
        self._max_waiting = max_waiting
        self._queue: FairQueue[_Ticket] = FairQueue(2 * max_waiting)
        self._working: set[UUID] = set()
        self._counted: set[UUID] = set()
        self._not_to_blame: set[UUID] = set()

    @property
    def waiting(self) -> int:
        """Proofs without a verdict that this process works on."""
        return len(self._working)

    def check_room(self) -> None:
        """Raises DependencyError server_busy when no further proof should be charged to anybody."""
        if self.waiting >= self._max_waiting:
            raise DependencyError(SERVER_BUSY, f"{self.waiting} proofs wait for verification already")

    def start(self, job: Job) -> asyncio.Future[Verdict]:
        """Queues a job; the future has its verdict once the row says the same.

        The future raises DependencyError when there is no verdict yet: the row stays, and is verified later.
        """
        outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_look_at)
        if self._queue.put(job.lane, _Ticket(job, outcome)):
            self._working.add(job.id)
        else:
            outcome.set_exception(DependencyError(SERVER_BUSY, "too many proofs wait for verification"))
        return outcome

    def loops(self, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        """What must run: twice as many workers as verifiers, so that the next proof is loaded in time."""
        workers = [self._work(stop) for _ in range(2 * self._pool.workers)]
        takeover = repeat("take_over", self._take_over, stop, self._lease_s / 3)
        return [*workers, takeover, self._keep_leases(stop)]

    async def _work(self, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            turn = asyncio.ensure_future(self._queue.get())
            await asyncio.wait((turn, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                turn.cancel()
                return
            with watched("verify", 0.0):
                await self._serve(turn.result())

    async def _serve(self, ticket: _Ticket) -> None:
        job = ticket.job
        try:
            verdict = await self._verdict(job)
            await self._settle(job, verdict)
            if not ticket.outcome.done():  # whoever waited may have given up
                ticket.outcome.set_result(verdict)
        except DependencyError as error:
            log.warning("verification_put_off", proof=str(job.id), code=error.code, message=error.message)
            self._not_to_blame |= self._counted & {job.id}
            _fail(ticket, error)
        except Exception as error:
            log.exception("verification_broke", proof=str(job.id))
            _fail(ticket, DependencyError(INTERNAL_ERROR, type(error).__name__))
        finally:
            self._working.discard(job.id)
            self._counted.discard(job.id)

    async def _verdict(self, job: Job) -> Verdict:
        if job.attempts is not None and job.attempts >= _MAX_ATTEMPTS:
            return refused(VERIFIER_CRASHED, f"no verdict in {job.attempts} attempts")
        try:
            verdict = await self._ask(job)
            if verdict.code == VERIFIER_CRASHED:  # by this proof, or by what was wrong with the machine
                verdict = await self._ask(job)
        except ProofLost as error:
            return refused(error.code, error.message)
        self._metrics.verified(job.system, verdict)
        return verdict

    async def _ask(self, job: Job) -> Verdict:
        """The verifier reads the upload itself, if it is still there: the stored proof is fetched otherwise."""
        if job.path is not None:
            verdict = await self._pool.verify(_data(job, b""), job.lane, job.path)
            if verdict.code != PROOF_UNREADABLE:
                return verdict
        proof = await read_proof(self._store, job.proof_object, job.proof_hash, job.size_bytes)
        await self._count(job)
        return await self._pool.verify(_data(job, proof), job.lane)

    async def _count(self, job: Job) -> None:
        """Before the verifier is asked, as the proof may end this very process."""
        if job.attempts is not None and job.id not in self._counted:
            await self._statements.write(lambda conn: submissions.count_attempt(conn, job.id))
            self._counted.add(job.id)

    async def _settle(self, job: Job, verdict: Verdict) -> None:
        if verdict.valid:
            await self._accept(job)
            return
        with self._spool.hold(job.id):
            self._spool.keep(job.id)
            await self._reject(job, verdict)

    async def _reject(self, job: Job, verdict: Verdict) -> None:
        """A refusal that comes late changes nothing: another process had the verdict, and the proof is needed."""
        async with self._db.transaction() as conn:
            rejected = await submissions.reject(conn, job.id, verdict.code, verdict.reason)
            needed = await submissions.needs_object(conn, job.id)
        if rejected:
            log.info("proof_rejected", proof=str(job.id), code=verdict.code, reason=verdict.reason)
        if not needed:
            try:
                await self._store.delete(job.proof_object)
            except DependencyError:  # it is tried again later
                return
        self._spool.drop(job.id)

    async def _accept(self, job: Job) -> None:
        if not await self._statements.write(lambda conn: submissions.accept(conn, job.id)):
            async with self._db.transaction() as conn:
                await submissions.accept_orphaned(conn, job.id)

    async def _take_over(self) -> bool:
        """Queues rows whose process is gone, or that were put off."""
        if self._max_waiting <= self.waiting:
            return False
        forgiven = list(self._not_to_blame)
        async with self._db.transaction() as conn:
            await submissions.take_back_attempts(conn, forgiven)
            found = await submissions.take_over(conn, self._lease_s, _TAKEN_AT_ONCE)
        self._not_to_blame.difference_update(forgiven)
        for row in found:
            if row.id in self._working:
                continue
            log.info("verification_taken_over", proof=str(row.id), attempts=row.attempts)
            self._metrics.taken_over.inc()
            self.start(
                Job(
                    row.id, row.system, row.proof_object, row.proof_hash, row.size_bytes, row.program_key,
                    row.public_inputs, None, attempts=row.attempts,
                )
            )  # fmt: skip
        return len(found) == _TAKEN_AT_ONCE

    async def _keep_leases(self, stop: asyncio.Event) -> None:
        await repeat("keep_leases", self._renew, stop, self._lease_s / 3)
        with suppress(
            DependencyError
        ):  # at the end another gateway, or the next start, shall not have to wait
            async with self._db.transaction() as conn:
                await submissions.take_back_attempts(conn, list(self._not_to_blame | self._counted))
                await submissions.renew(conn, list(self._working), 0.0)

    async def _renew(self) -> bool:
        if self._working:
            async with self._db.transaction() as conn:
                await submissions.renew(conn, list(self._working), self._lease_s)
        return False


def _fail(ticket: _Ticket, error: DependencyError) -> None:
    if not ticket.outcome.done():
        ticket.outcome.set_exception(error)


def _look_at(outcome: asyncio.Future[Verdict]) -> None:
    """Nobody may be waiting any more: the client went, or there never was one."""
    if not outcome.cancelled():
        outcome.exception()


def _data(job: Job, proof: bytes) -> VerificationData:
    return aggregated_data(job.system, proof, job.program_key, job.public_inputs)
