"""Follows batches that are on chain until they are verified or expired, and returns what they did not cost."""

from __future__ import annotations

import structlog

from aligned.batcher import batches, queue
from aligned.batcher.batches import Batch
from aligned.batcher.guard import for_each
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.ports import TaskChain
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxReverted
from aligned.core.errors import BATCH_EXPIRED, ConflictError
from aligned.storage.postgres import Database

log = structlog.get_logger(__name__)
# settle(): its base, and one more payer.
_SETTLE_GAS = 70_000
_SETTLE_GAS_PER_PAYER = 9_000
_SETTLES_PER_STEP = 20
# A task that the chain forgot comes back by itself when its transaction is mined again in another block.
_REPOST_AFTER_BLOCKS = 12


class BatchFollower:
    """Keeps batches equal to what the chain says about them."""

    def __init__(
        self,
        db: Database,
        chain: TaskChain,
        market: MarketFeed,
        subscriptions: Subscriptions,
        metrics: BatcherMetrics,
        settle_min_percent: int,
    ) -> None:
        self._db = db
        self._chain = chain
        self._market = market
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._settle_min_percent = settle_min_percent
        self._missing_since: dict[int, int] = {}

    async def step(self) -> bool:
        """Looks at every posted batch once. Returns False: there is nothing to do at once again."""
        async with self._db.transaction() as conn:
            waiting = await batches.posted(conn)
        await for_each(waiting, self._follow)
        return False

    async def _follow(self, batch: Batch) -> None:
        status = await self._chain.task_status(batch.root)
        if status is BatchStatus.UNKNOWN:
            await self._missing(batch)
            return
        self._missing_since.pop(batch.number, None)
        if status is BatchStatus.VERIFIED:
            await self._verified(batch)
        elif status is not BatchStatus.PENDING:
            await self._expired(batch, status)

    async def settle(self) -> bool:
        """Returns what expired tasks cost, and surpluses that are worth their transaction. Returns False."""
        async with self._db.transaction() as conn:
            waiting = await batches.unsettled(conn, _SETTLES_PER_STEP)
        await for_each(waiting, self._settle_if_worth)
        return False

    async def _settle_if_worth(self, batch: Batch) -> None:
        if batch.state == "expired" or await self._is_worth_settling(batch):
            await self._settle(batch)

    async def _verified(self, batch: Batch) -> None:
        async with self._db.transaction() as conn:
            members = await queue.by_batch(conn, batch.number)
            await batches.set_verified(conn, batch.number)
        self._metrics.batch("verified")
        log.info("batch_verified", number=batch.number, root=batch.root)
        for stored in members:
            self._subscriptions.verified(ProofKey(stored.sender, stored.nonce, stored.leaf))

    async def _expired(self, batch: Batch, status: BatchStatus) -> None:
        reason = f"its batch is {status.name.lower()} on chain; send it again with the next nonce"
        async with self._db.transaction() as conn:
            members = await queue.by_batch(conn, batch.number)
            await batches.set_expired(conn, batch.number, BATCH_EXPIRED, reason)
        self._metrics.batch("expired")
        log.error("batch_expired", number=batch.number, root=batch.root, status=status.name)
        for stored in members:
            key = ProofKey(stored.sender, stored.nonce, stored.leaf)
            self._subscriptions.dropped(key, ConflictError(BATCH_EXPIRED, reason))

    async def _missing(self, batch: Batch) -> None:
        """Posts a batch again that a reorganisation removed for good. Its root is unique, so never twice."""
        block = self._market.current().block
        since = self._missing_since.setdefault(batch.number, block)
        if block - since < _REPOST_AFTER_BLOCKS:
            return
        del self._missing_since[batch.number]
        log.warning("batch_missing", number=batch.number, root=batch.root)
        async with self._db.transaction() as conn:
            await batches.repost(conn, batch.number)

    async def _is_worth_settling(self, batch: Batch) -> bool:
        surplus_wei = batch.held_wei + await self._chain.unspent_fee_wei(batch.root)
        gas = _SETTLE_GAS + _SETTLE_GAS_PER_PAYER * len(set(batch.payers))
        cost_wei = gas * self._market.current().gas_price_wei
        return surplus_wei * 100 >= cost_wei * self._settle_min_percent

    async def _settle(self, batch: Batch) -> None:
        try:
            await self._chain.settle(batch.settle_key, batch.settlement)
        except TxReverted as error:
            log.warning("settle_refused", number=batch.number, root=batch.root, reason=error.reason)
        async with self._db.transaction() as conn:
            await batches.set_settled(conn, batch.number)
