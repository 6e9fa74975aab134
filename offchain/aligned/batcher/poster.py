"""Brings one batch at a time on chain, from wherever it stands: also after a crash in the middle."""

from __future__ import annotations

from collections import Counter

import structlog

from aligned.batcher import batches, queue
from aligned.batcher.batches import Batch
from aligned.batcher.builder import BatchBuilder
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.model import PostedTask, Task
from aligned.batcher.ports import TaskChain
from aligned.batcher.queue import Stored
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxReverted
from aligned.core.errors import InvariantError
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.wire.batch_file import join_items

log = structlog.get_logger(__name__)


class BatchPoster:
    """The state machine building → uploaded → posted. `step` may be repeated after any failure."""

    def __init__(
        self,
        *,
        db: Database,
        chain: TaskChain,
        store: ObjectStore,
        builder: BatchBuilder,
        market: MarketFeed,
        subscriptions: Subscriptions,
        metrics: BatcherMetrics,
        interval_blocks: int,
    ) -> None:
        self._db = db
        self._chain = chain
        self._store = store
        self._builder = builder
        self._market = market
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._interval_blocks = interval_blocks
        self._next_block = 0
        self._looked_block = -1

    async def step(self) -> bool:
        """Moves the batch in flight one state on, or builds one when it is time. Whether it did something."""
        async with self._db.transaction() as conn:
            batch = await batches.unposted(conn)
        if batch is None:
            return await self._build_if_due()
        if batch.state == "building":
            await self._upload(batch)
        elif not batch.sending and (obstacle := await self._obstacle(batch)):
            await self._dissolve(batch, obstacle)
        else:
            await self._post(batch)
        return True

    async def _build_if_due(self) -> bool:
        """Looks at the queue once a block: every few blocks, or at once while it fills a batch."""
        market = self._market.current()
        is_due = market.block >= self._next_block or await self._builder.is_full()
        if not is_due or market.block == self._looked_block:
            return False
        built = await self._builder.build(market)
        if built:
            self._next_block = market.block + self._interval_blocks
        self._looked_block = -1 if built else market.block
        return built

    async def _upload(self, batch: Batch) -> None:
        async with self._db.transaction() as conn:
            items = await batches.items(conn, batch.number)
        key = f"{batch.root.hex()}.cbor"
        with self._metrics.timed("store"):
            await self._store.put(key, join_items(items))
        async with self._db.transaction() as conn:
            await batches.set_uploaded(conn, batch.number, self._store.pointer(key))

    async def _obstacle(self, batch: Batch) -> str | None:
        """Why the batch must not go out as it was built, however long ago that was; None if nothing changed."""
        market = self._market.current()
        async with self._db.transaction() as conn:
            systems = await queue.systems(conn, batch.number)
        if any(self._builder.is_disabled(system, market) for system in systems):
            return "a proving system was switched off"
        if batch.answer_fee_wei < market.min_answer_fee_wei:
            return "the answer fee is below what the service manager takes now"
        if not market.is_covered(batch.proof_count, batch.fee_per_proof_wei):
            return "gas costs more than its proofs pay"
        return None if await self._can_all_pay(batch) else "a sender cannot pay any more"

    async def _can_all_pay(self, batch: Batch) -> bool:
        """Time may have passed since the batch was built; whoever cannot pay would be skipped, at our cost."""
        owed = Counter(stored.sender for stored in await self._members(batch))
        for sender, proofs in owed.items():
            account = await self._chain.account(sender)
            if account.unlock_time_s or account.balance_wei < proofs * batch.fee_per_proof_wei:
                return False
            if account.fee_cap_wei < batch.fee_per_proof_wei:
                return False
        return True

    async def _post(self, batch: Batch) -> None:
        if batch.pointer is None:
            raise InvariantError("batch_without_pointer", f"batch {batch.number}")
        submitters = tuple(stored.sender for stored in await self._members(batch))
        task = Task(batch.root, batch.pointer, submitters, batch.answer_fee_wei, batch.fee_per_proof_wei)
        async with self._db.transaction() as conn:
            await batches.set_sending(conn, batch.number)
        try:
            with self._metrics.timed("create_task"):
                posted = await self._chain.create_task(batch.task_key, task)
        except TxReverted as error:
            if await self._chain.task_status(batch.root) is BatchStatus.UNKNOWN:
                await self._dissolve(batch, error.reason)
                return
            # This form of the transaction failed because another one was there first.
            posted = await self._chain.create_task(f"{batch.task_key}:found", task)
        await self._finish(batch, posted, submitters)

    async def _finish(self, batch: Batch, posted: PostedTask, submitters: tuple[bytes, ...]) -> None:
        async with self._db.transaction() as conn:
            await batches.set_posted(conn, batch.number, posted, charged(submitters, posted.skipped))
        self._metrics.posted(batch.proof_count, posted.gas_used)
        log.info(
            "batch_posted", number=batch.number, root=batch.root, proofs=batch.proof_count, tx=posted.tx_hash
        )
        self._subscriptions.included(await self._members(batch))

    async def _dissolve(self, batch: Batch, reason: str) -> None:
        members = await self._members(batch)
        async with self._db.transaction() as conn:
            await batches.dissolve(conn, batch.number, reason)
        self._next_block = 0
        self._metrics.batch("failed")
        log.warning("batch_failed", number=batch.number, root=batch.root, reason=reason)
        for stored in members:
            self._subscriptions.status(ProofKey(stored.sender, stored.nonce, stored.leaf), "queued")

    async def _members(self, batch: Batch) -> list[Stored]:
        async with self._db.transaction() as conn:
            return await queue.by_batch(conn, batch.number)


def charged(submitters: tuple[bytes, ...], skipped: tuple[bytes, ...]) -> list[bytes]:
    """The submitters that paid: one entry less for each skip."""
    left = Counter(skipped)
    paid: list[bytes] = []
    for submitter in submitters:
        if left[submitter]:
            left[submitter] -= 1
        else:
            paid.append(submitter)
    return paid
