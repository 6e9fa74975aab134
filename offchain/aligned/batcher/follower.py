"""Follows batches from their task to the moment when no reorganisation changes them any more."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from aligned.batcher import batches, outcomes, queue
from aligned.batcher.batches import Batch
from aligned.batcher.market import MarketFeed
from aligned.batcher.members import charged
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.ports import TaskChain
from aligned.batcher.queue import Stored
from aligned.batcher.rows import Rows
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.chain.contracts import BatchStatus
from aligned.core.errors import BATCH_EXPIRED, ConflictError
from aligned.storage.postgres import Database

log = structlog.get_logger(__name__)
# A task that the chain forgot comes back by itself when its transaction is mined again in another block.
_REPOST_AFTER_BLOCKS = 12
_ANSWERED = {"verified": BatchStatus.VERIFIED, "expired": BatchStatus.EXPIRED}


class BatchFollower:
    """Keeps batches equal to what the chain says about them.

    Args:
        final_depth: blocks above which nothing leaves the chain.
    """

    def __init__(
        self,
        db: Database,
        chain: TaskChain,
        market: MarketFeed,
        subscriptions: Subscriptions,
        metrics: BatcherMetrics,
        final_depth: int,
    ) -> None:
        self._db = db
        self._chain = chain
        self._market = market
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._final_depth = final_depth
        self._looked_block = -1
        self._missing_since: dict[int, int] = {}
        self._rows: Rows[Batch] = Rows(lambda batch: batch.number)

    async def step(self) -> bool:
        """Looks at every batch that is not final, once a block. Returns False: there is nothing to do at once again."""
        block = self._market.current().block
        if block == self._looked_block:
            return False
        async with self._db.transaction() as conn:
            waiting = await outcomes.followed(conn)
        if await self._rows.each(waiting, self._follow):
            self._looked_block = block
        return False

    async def _follow(self, batch: Batch) -> None:
        status = await self._chain.task_status(batch.root)
        if batch.state == "failed":
            await self._follow_dissolved(batch, status)
        elif status is BatchStatus.UNKNOWN:
            await self._missing(batch)
        else:
            self._missing_since.pop(batch.number, None)
            await self._on_chain(batch, status)

    async def _on_chain(self, batch: Batch, status: BatchStatus) -> None:
        if await self._chain.task_block(batch.root) != batch.task_block:
            await self._moved(batch)
        elif _ANSWERED.get(batch.state) is status:
            await self._finish_if_deep(batch, status)
        elif status is BatchStatus.VERIFIED:
            await self._verified(batch)
        elif status is BatchStatus.PENDING:
            await self._unanswered(batch)
        else:
            await self._expired(batch, status)

    async def _moved(self, batch: Batch) -> None:
        """The task was mined again in another block: who was charged, and how much is held, may differ."""
        task = await self._chain.posted_task(batch.root)
        async with self._db.transaction() as conn:
            payers = charged(await batches.submitters(conn, batch.number), task.skipped)
            await outcomes.set_posted(conn, batch.number, task, payers)
        log.warning("batch_moved", number=batch.number, root=batch.root, block=task.task_block)

    async def _finish_if_deep(self, batch: Batch, status: BatchStatus) -> None:
        deep = self._market.current().block - self._final_depth
        if batch.task_block is None or deep < batch.task_block:
            return
        if await self._chain.task_status(batch.root, deep) is status:
            async with self._db.transaction() as conn:
                await outcomes.set_final(conn, batch.number)
            self._metrics.batch("final")
            log.info("batch_final", number=batch.number, root=batch.root)

    async def _verified(self, batch: Batch) -> None:
        async with self._db.transaction() as conn:
            members = await queue.by_batch(conn, batch.number)
            changed = await outcomes.set_verified(conn, batch.number)
        if not changed:
            return
        self._metrics.batch("verified")
        log.info("batch_verified", number=batch.number, root=batch.root)
        self._tell(members, self._subscriptions.verified)

    async def _unanswered(self, batch: Batch) -> None:
        if batch.state == "posted":
            return
        async with self._db.transaction() as conn:
            await outcomes.set_unanswered(conn, batch.number)
        log.warning("batch_answer_reorganised_away", number=batch.number, root=batch.root, was=batch.state)

    async def _expired(self, batch: Batch, status: BatchStatus) -> None:
        reason = f"its batch is {status.name.lower()} on chain; send it again with the next nonce"
        async with self._db.transaction() as conn:
            members = await queue.by_batch(conn, batch.number)
            changed = await outcomes.set_expired(conn, batch.number, BATCH_EXPIRED, reason)
        if not changed:
            return
        self._metrics.batch("expired")
        log.error("batch_expired", number=batch.number, root=batch.root, status=status.name)
        self._tell(
            members, lambda key: self._subscriptions.dropped(key, ConflictError(BATCH_EXPIRED, reason))
        )

    async def _missing(self, batch: Batch) -> None:
        """Posts a batch again that a reorganisation removed for good. Its root is unique, so never twice."""
        block = self._market.current().block
        since = self._missing_since.setdefault(batch.number, block)
        if batch.state == "expired":
            await self._forget_if_gone(batch, block - since)
            return
        if block - since < _REPOST_AFTER_BLOCKS:
            return
        del self._missing_since[batch.number]
        log.warning("batch_missing", number=batch.number, root=batch.root, was=batch.state)
        async with self._db.transaction() as conn:
            await outcomes.repost(conn, batch.number)

    async def _forget_if_gone(self, batch: Batch, missing_blocks: int) -> None:
        """Its senders know that it failed, and sent their proofs again; nobody is charged where it is not on chain."""
        if missing_blocks < self._final_depth:
            return
        del self._missing_since[batch.number]
        log.warning("expired_batch_gone", number=batch.number, root=batch.root)
        async with self._db.transaction() as conn:
            await outcomes.set_final(conn, batch.number, has_money=False)

    async def _follow_dissolved(self, batch: Batch, status: BatchStatus) -> None:
        """Its transaction was handed over once: a reorganisation can remove what stood against it."""
        if status is not BatchStatus.UNKNOWN:
            await self._revive(batch)
        elif (
            batch.dissolved_block is None
            or self._market.current().block - batch.dissolved_block > self._final_depth
        ):
            async with self._db.transaction() as conn:
                await outcomes.set_final(conn, batch.number, has_money=False)

    async def _revive(self, batch: Batch) -> None:
        task = await self._chain.posted_task(batch.root)
        async with self._db.transaction() as conn:
            for other in await outcomes.members_elsewhere(conn, batch.number):
                await batches.dissolve(
                    conn, other, f"its proofs are in batch {batch.number}, which is on chain"
                )
            payers = charged(await outcomes.member_senders(conn, batch.number), task.skipped)
            lost = await outcomes.revive(conn, batch.number, task, payers)
            members = await queue.by_batch(conn, batch.number)
        log.error("dissolved_batch_on_chain", number=batch.number, root=batch.root, charged_twice=lost)
        self._metrics.batch("revived")
        self._subscriptions.included(members)

    @staticmethod
    def _tell(members: list[Stored], tell: Callable[[ProofKey], None]) -> None:
        for stored in members:
            tell(ProofKey(stored.sender, stored.nonce, stored.leaf))
