"""Brings proved aggregations on chain: proved → submitted → mined. One key a row, so that each is paid for once."""

from __future__ import annotations

import asyncio

import structlog

from aligned.chain.errors import FEES_ABOVE_CAP, TxCancelled, TxReverted
from aligned.chain.fees import Limit
from aligned.chain.outcome import Receipt
from aligned.chain.sender import Done
from aligned.core.errors import AlignedError, ConflictError, DependencyError, PaymentError
from aligned.proof_aggregator.anew import prove_anew
from aligned.proof_aggregator.blobs import Expected, expect
from aligned.proof_aggregator.context import Context, Line
from aligned.proof_aggregator.held import held
from aligned.proof_aggregator.records import RootRevoked, find_record, is_recorded
from aligned.proof_aggregator.spending import limit_of
from aligned.storage.aggregation import aggregations, chunks, leases, setbacks
from aligned.storage.aggregation.aggregations import AggregationJob, Mined

# Reverts that say "not now" and nothing about the proof.
_CLOSED = frozenset({"VerificationPaused", "ProgramNotAllowed"})
SENT_BY_ANOTHER = "sent_by_another_account"
log = structlog.get_logger(__name__)


def request_key(aggregation_id: int) -> str:
    """The sender's key of an aggregation."""
    return f"aggregate:{aggregation_id}"


class Publisher:
    """Sends one aggregation of a system at a time."""

    def __init__(self, context: Context, line: Line) -> None:
        self._context = context
        self._line = line

    async def step(self) -> bool:
        """Sends the next aggregation; False when none is due."""
        job = await self._take("submitted") or await self._take("proved")
        if job is None:
            return False
        if job.lease.taken_over:
            self._context.metrics.lease_expiries.labels(aggregations.TABLE).inc()
        lease_s = self._context.patience.lease_s
        try:
            await held(self._context.db, aggregations.TABLE, job.lease, lease_s, self._work(job))
        except ConflictError as error:
            log.warning("aggregation_lost", aggregation=job.id, message=error.message)
        return True

    async def _take(self, state: str) -> AggregationJob | None:
        async with self._context.db.transaction() as conn:
            lease_s = self._context.patience.lease_s
            return await aggregations.lease(conn, state, [int(self._line.system)], lease_s)

    async def _work(self, job: AggregationJob) -> None:
        expected = await self._checked(job)
        if expected is None:
            await self._discard(job)
            return
        try:
            limit = await limit_of(self._context, job)
            if job.state == "proved":
                await self._submit(job, expected, limit)
            await self._record(job, await self._send(job, expected, limit))
        except RootRevoked as error:
            await self._begin_anew(job, error)
        except TxCancelled as error:
            await self._take_back(job, error)
        except TxReverted as error:
            await self._refused(job, error)
        except (DependencyError, PaymentError) as error:
            await self._postpone(job, error)

    async def _submit(self, job: AggregationJob, expected: Expected, limit: Limit) -> None:
        """Its users see it as submitted only when it goes to the chain: not while that asks for too much."""
        if not await is_recorded(self._context, job.root):
            await self._context.sender.refuse_dear(request_key(job.id), limit, with_blobs=True)
        paths = [expected.tree.path(index) for index in range(job.leaf_count)]
        async with self._context.db.transaction() as conn:
            await aggregations.submitted(conn, job, paths)
        log.info("aggregation_submitted", aggregation=job.id, root=job.root)

    async def _checked(self, job: AggregationJob) -> Expected | None:
        """Nothing is sent that does not follow from the commitments in the database: None then."""
        async with self._context.db.transaction() as conn:
            parts = await aggregations.chunks_of(conn, job.id)
            listed = await chunks.commitments(conn, [chunk_id for chunk_id, _result in parts])
            openings = await aggregations.openings(conn, job.id)
        flat = [each for part in listed for each in part]
        expected = await asyncio.to_thread(expect, job.system, flat)
        found = (job.root, job.leaf_count, job.public_values, openings)
        wanted = (expected.tree.root, len(flat), expected.public_values, expected.openings)
        return expected if found == wanted else None

    async def _discard(self, job: AggregationJob) -> None:
        reason = "wrong_public_values: they do not follow from the commitments"
        async with self._context.db.transaction() as conn:
            await prove_anew(conn, await aggregations.failed(conn, job, reason), reason)
        self._context.metrics.failed(job.system, "send", "wrong_public_values")
        log.critical("aggregation_not_of_its_commitments", aggregation=job.id)

    async def _send(self, job: AggregationJob, expected: Expected, limit: Limit) -> Receipt:
        assert job.public_values is not None
        assert job.proof is not None
        service = self._context.service

        async def done() -> bool:
            return await is_recorded(self._context, job.root)

        await self._refuse_second_payer(job, done)
        calldata = service.encode_verify(
            job.system, job.program_id, job.public_values, job.proof, expected.openings
        )
        return await self._context.sender.send(
            request_key(job.id),
            service.address,
            calldata,
            done=done,
            timeout_s=self._context.patience.send_timeout_s,
            blobs=expected.blobs,
            max_fee_wei=limit.max_fee_wei,
            give_up_after_s=limit.give_up_after_s,
            max_blob_fee_wei=limit.max_blob_fee_wei,
        )

    async def _refuse_second_payer(self, job: AggregationJob, done: Done) -> None:
        """An aggregator with another account has sent it: only that one can raise its fees, and two would pay."""
        recorded = await done()
        other = await self._context.sender.pending_elsewhere(request_key(job.id))
        if other is not None and not recorded:
            raise DependencyError(SENT_BY_ANOTHER, f"aggregation {job.id} is with account 0x{other.hex()}")

    async def _record(self, job: AggregationJob, receipt: Receipt) -> None:
        if receipt.tx is not None and receipt.state == "mined":
            where = Mined(receipt.tx.tx_hash, receipt.tx.block_number, receipt.tx.block_hash)
        else:
            where = await find_record(self._context, job.root)
            log.info("root_of_another_sender", aggregation=job.id, tx_hash=where.tx_hash)
        spent_wei = self._context.costs.proving_wei + job.cancelled_wei
        cost_wei = None if receipt.tx is None else receipt.tx.fee_wei + spent_wei
        async with self._context.db.transaction() as conn:
            await aggregations.mined(conn, job, where, cost_wei)
        name, metrics = job.system.wire_name, self._context.metrics
        metrics.blocked.labels(name).set(0)
        metrics.mined(job.system, job.leaf_count, job.age_s, receipt.tx)
        metrics.paid_per_proof.labels(name).set(job.paid_wei / job.leaf_count)
        if cost_wei is not None:
            metrics.cost_per_proof.labels(name).set(cost_wei / job.leaf_count)
        metrics.succeeded("aggregations")
        log.info("aggregation_mined", aggregation=job.id, tx_hash=where.tx_hash, block=where.block_number)

    async def _refused(self, job: AggregationJob, error: TxReverted) -> None:
        """Closed for now: wait. Otherwise this proof will never be taken: its chunks go into another aggregation."""
        if error.tx_hash is None and error.error_name in _CLOSED:
            await self._postpone(job, error)
            return
        try:
            await is_recorded(self._context, job.root)
        except RootRevoked as revoked:
            await self._begin_anew(job, revoked)
            return
        except DependencyError as outage:
            await self._postpone(job, outage)
            return
        self._context.metrics.failed(job.system, "send", error.error_name or error.code)
        log.error("aggregation_refused", aggregation=job.id, reason=error.reason, tx_hash=error.tx_hash)
        async with self._context.db.transaction() as conn:
            await aggregations.failed(conn, job, f"refused: {error.reason}")

    async def _begin_anew(self, job: AggregationJob, error: RootRevoked) -> None:
        """This root will never count. Its chunks, which are good, go into another one with a filler."""
        self._context.metrics.failed(job.system, "send", error.code)
        log.error("aggregation_root_is_revoked", aggregation=job.id, root=job.root)
        async with self._context.db.transaction() as conn:
            await aggregations.failed(conn, job, error.message, root_revoked=True)

    async def _take_back(self, job: AggregationJob, error: TxCancelled) -> None:
        """The chain asked for more than it may cost for too long. It waits, proved, until that is not so any more."""
        self._context.metrics.blocked.labels(job.system.wire_name).set(1)
        self._context.metrics.failed(job.system, "send", error.code)
        log.warning("aggregation_cancelled", aggregation=job.id, fee_wei=str(error.fee_wei))
        delay_s = self._context.patience.backoff.after(1)
        async with self._context.db.transaction() as conn:
            await setbacks.cancelled(conn, job, str(error), error.tx_hash, error.fee_wei, delay_s)

    async def _postpone(self, job: AggregationJob, error: AlignedError) -> None:
        patience = self._context.patience
        waits = error.code in {FEES_ABOVE_CAP, SENT_BY_ANOTHER} or isinstance(
            error, TxReverted | PaymentError
        )
        self._context.metrics.blocked.labels(job.system.wire_name).set(int(waits))
        self._context.metrics.failed(job.system, "send", error.code)
        log.warning("aggregation_not_sent", aggregation=job.id, code=error.code, message=error.message)
        delay_s = patience.backoff.after(1 if waits else job.attempts + 1)
        async with self._context.db.transaction() as conn:
            await leases.postpone(conn, aggregations.TABLE, job.lease, str(error), delay_s, failed=not waits)
