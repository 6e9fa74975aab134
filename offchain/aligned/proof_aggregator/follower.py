"""Watches roots on chain until they are final: mined → final, back to submitted, or revoked."""

from __future__ import annotations

import structlog

from aligned.core.errors import CHAIN_UNAVAILABLE, ConflictError, DependencyError
from aligned.proof_aggregator.context import Context
from aligned.proof_aggregator.records import RootRevoked, find_record
from aligned.storage.aggregation import aggregations, leases, setbacks
from aligned.storage.aggregation.aggregations import AggregationJob, Mined

REVOKED = "the root was revoked on chain"
log = structlog.get_logger(__name__)


class Follower:
    """Looks at one aggregation at a time; each look is short."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._systems = [int(system) for system in context.lines]

    async def step(self) -> bool:
        """Looks at the next root; False when none is due."""
        async with self._context.db.transaction() as conn:
            lease_s = self._context.patience.lease_s
            job = await aggregations.lease(conn, "mined", self._systems, lease_s)
        if job is None:
            return False
        try:
            await self._look(job)
        except DependencyError as error:
            log.warning("root_not_seen", aggregation=job.id, code=error.code, message=error.message)
            await self._later(job)
        except RootRevoked:  # between two questions
            await self._later(job)
        except ConflictError as error:
            log.warning("aggregation_lost", aggregation=job.id, message=error.message)
        return True

    async def _look(self, job: AggregationJob) -> None:
        record = await self._context.service.aggregated_root(job.root)
        if record is None:
            await self._gone(job)
        elif record.revoked:
            await self._revoked(job)
        elif not await self._is_where_we_saw_it(job):
            await self._moved(job)
        elif await self._is_final(job):
            await self._final(job)
        else:
            await self._later(job)

    async def _is_where_we_saw_it(self, job: AggregationJob) -> bool:
        assert job.block_number is not None
        block = await self._context.client.get_block(job.block_number)
        return block is not None and block.hash == job.block_hash

    async def _is_final(self, job: AggregationJob) -> bool:
        assert job.block_number is not None
        depth, client = self._context.final_blocks, self._context.client
        if depth:
            return await client.block_number() >= job.block_number + depth
        finalized = await client.get_block("finalized")
        return finalized is not None and finalized.number >= job.block_number

    async def _final(self, job: AggregationJob) -> None:
        async with self._context.db.transaction() as conn:
            await aggregations.final(conn, job)
        self._context.metrics.succeeded("finality")
        log.info("aggregation_final", aggregation=job.id, root=job.root)

    async def _moved(self, job: AggregationJob) -> None:
        where: Mined = await find_record(self._context, job.root)
        self._note_reorganised(job)
        async with self._context.db.transaction() as conn:
            await aggregations.mined(conn, job, where)

    async def _gone(self, job: AggregationJob) -> None:
        """The sender has its transaction still, and brings the same one back; it also knows a node that is behind."""
        if job.tx_hash is not None and await self._context.client.get_receipt(job.tx_hash) is not None:
            raise DependencyError(CHAIN_UNAVAILABLE, "answers about a root are of different chains")
        self._note_reorganised(job)
        async with self._context.db.transaction() as conn:
            await aggregations.unmined(conn, job, "its block left the chain")

    async def _revoked(self, job: AggregationJob) -> None:
        async with self._context.db.transaction() as conn:
            await setbacks.revoked(conn, job.root, REVOKED)
        self._context.metrics.revoked.inc()
        log.critical("root_revoked", aggregation=job.id, root=job.root)

    async def _later(self, job: AggregationJob) -> None:
        async with self._context.db.transaction() as conn:
            delay_s = self._context.patience.poll_s
            await leases.postpone(conn, aggregations.TABLE, job.lease, None, delay_s, failed=False)

    def _note_reorganised(self, job: AggregationJob) -> None:
        self._context.metrics.reorganised.labels(job.system.wire_name).inc()
        log.warning("root_reorganised", aggregation=job.id, root=job.root, block=job.block_number)
