"""Brings one batch at a time on chain, from wherever it stands: also after a crash in the middle."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from aligned.batcher import batches, outcomes, queue
from aligned.batcher.batches import Batch
from aligned.batcher.builder import BatchBuilder
from aligned.batcher.market import MarketFeed
from aligned.batcher.members import charged
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.model import PostedTask, Task, TxBounds
from aligned.batcher.ports import FeesAboveBounds, TaskChain
from aligned.batcher.queue import Stored
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.batcher.watch import PostingWatch
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxReverted
from aligned.core import fees
from aligned.core.errors import InvariantError
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.wire.batch_file import join_items

log = structlog.get_logger(__name__)
_PARALLEL_ACCOUNTS = 16
_MAX_PAUSE_BLOCKS = 50


@dataclass(frozen=True, slots=True)
class PostingPolicy:
    """How often, and at what price, batches are posted; see BatcherSettings."""

    interval_blocks: int
    max_cost_percent: int
    give_up_after_s: float


class BatchPoster:
    """The state machine building → uploaded → posted. `step` may be repeated after any failure."""

    def __init__(  # noqa: PLR0913 - one for each thing that it works with
        self,
        *,
        db: Database,
        chain: TaskChain,
        store: ObjectStore,
        builder: BatchBuilder,
        market: MarketFeed,
        subscriptions: Subscriptions,
        metrics: BatcherMetrics,
        watch: PostingWatch,
        policy: PostingPolicy,
    ) -> None:
        self._db = db
        self._chain = chain
        self._store = store
        self._builder = builder
        self._market = market
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._watch = watch
        self._policy = policy
        # Batches that were taken apart since the last one that reached the chain.
        self._failures = 0
        self._next_block = 0
        self._looked_block = -1

    async def step(self) -> bool:
        """Moves the batch in flight one state on, or builds one when it is time. Whether it did something."""
        async with self._db.transaction() as conn:
            batch = await batches.unposted(conn)
        self._watch.see(batch)
        if batch is None:
            return await self._build_if_due()
        if not batch.sending and (obstacle := await self._obstacle(batch)):
            await self._dissolve(batch, obstacle)
        elif batch.state == "building":
            await self._upload(batch)
        else:
            await self._post(batch)
        return True

    async def _build_if_due(self) -> bool:
        """Looks at the queue once a block: every few blocks, or at once while it fills a batch."""
        block = self._market.current().block
        is_due = block >= self._next_block or (not self._failures and await self._builder.is_full())
        if not is_due or block == self._looked_block:
            return False
        # A price that is a moment old is one that the batch may fail at once it is uploaded.
        await self._market.refresh()
        market = self._market.current()
        built = await self._builder.build(market)
        if built:
            self._next_block = market.block + self._policy.interval_blocks
        self._looked_block = -1 if built else block
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
        # Before the upload it is the price that changes most, and the accounts were read a moment ago.
        if batch.state == "building" or await self._can_all_pay(batch):
            return None
        return "a sender cannot pay any more"

    async def _can_all_pay(self, batch: Batch) -> bool:
        """Time may have passed since the batch was built; whoever cannot pay would be skipped, at our cost."""
        owed = Counter(stored.sender for stored in await self._members(batch))
        slots = asyncio.Semaphore(_PARALLEL_ACCOUNTS)

        async def can_pay(sender: bytes, proofs: int) -> bool:
            async with slots:
                account = await self._chain.account(sender)
            owed_wei = proofs * batch.fee_per_proof_wei
            is_funded = not account.unlock_time_s and account.balance_wei >= owed_wei
            return is_funded and account.fee_cap_wei >= batch.fee_per_proof_wei

        return all(await asyncio.gather(*(can_pay(sender, proofs) for sender, proofs in owed.items())))

    async def _post(self, batch: Batch) -> None:
        if batch.pointer is None:
            raise InvariantError("batch_without_pointer", f"batch {batch.number}")
        submitters = tuple(stored.sender for stored in await self._members(batch))
        task = Task(batch.root, batch.pointer, submitters, batch.answer_fee_wei, batch.fee_per_proof_wei)
        async with self._db.transaction() as conn:
            if not await batches.set_sending(conn, batch.number):
                return
        try:
            with self._metrics.timed("create_task"):
                posted = await self._chain.create_task(batch.task_key, task, self._bounds(batch))
        except FeesAboveBounds as error:
            await self._dissolve(
                batch, error.message, was_sent=error.was_sent or batch.task_block is not None
            )
            return
        except TxReverted as error:
            if await self._chain.task_status(batch.root) is BatchStatus.UNKNOWN:
                was_sent = error.tx_hash is not None or batch.task_block is not None
                await self._dissolve(batch, error.reason, was_sent=was_sent)
                return
            # This form of the transaction failed because another one was there first.
            posted = await self._chain.posted_task(batch.root)
        await self._finish(batch, posted, submitters)

    def _bounds(self, batch: Batch) -> TxBounds:
        """What the proofs pay for it, and a little more: a cancel costs something too."""
        paid_wei = fees.posting_gas_price_wei(
            batch.proof_count, batch.fee_per_proof_wei, batch.answer_fee_wei
        )
        return TxBounds(max(1, paid_wei * self._policy.max_cost_percent // 100), self._policy.give_up_after_s)

    async def _finish(self, batch: Batch, posted: PostedTask, submitters: tuple[bytes, ...]) -> None:
        async with self._db.transaction() as conn:
            payers = charged(submitters, posted.skipped)
            if not await outcomes.set_posted(conn, batch.number, posted, payers):
                return
        self._failures = 0
        self._metrics.posted(batch.proof_count, posted.gas_used)
        log.info(
            "batch_posted", number=batch.number, root=batch.root, proofs=batch.proof_count, tx=posted.tx_hash
        )
        self._subscriptions.included(await self._members(batch))

    async def _dissolve(self, batch: Batch, reason: str, *, was_sent: bool = False) -> None:
        block = self._market.latest_block()
        members = await self._members(batch)
        async with self._db.transaction() as conn:
            if not await batches.dissolve(conn, batch.number, reason, block if was_sent else None):
                return
        self._failures += 1
        self._next_block = block + self._pause_blocks()
        self._metrics.batch("failed")
        log.warning(
            "batch_failed", number=batch.number, root=batch.root, reason=reason, in_a_row=self._failures
        )
        for stored in members:
            self._subscriptions.status(ProofKey(stored.sender, stored.nonce, stored.leaf), "queued")

    def _pause_blocks(self) -> int:
        """None after the first failure, then longer and longer: each attempt uploads a file."""
        if self._failures == 1:
            return 0
        return min(self._policy.interval_blocks << min(self._failures - 2, 16), _MAX_PAUSE_BLOCKS)

    async def _members(self, batch: Batch) -> list[Stored]:
        async with self._db.transaction() as conn:
            return await queue.by_batch(conn, batch.number)
