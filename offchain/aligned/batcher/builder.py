"""Builds the next batch out of the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

import structlog

from aligned.batcher import batches, queue, selection
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.model import Market, QueuedProof
from aligned.batcher.planner import Planner
from aligned.batcher.ports import TaskChain
from aligned.batcher.selection import BatchLimits, Candidate, Dropped
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.core.errors import VERIFIER_DISABLED, PaymentError
from aligned.storage.postgres import Database
from aligned.wire.batch_file import HEAD_BYTES

log = structlog.get_logger(__name__)
_PARALLEL_ACCOUNTS = 16


class BatchBuilder:
    """Drops what cannot be paid any more, chooses a batch and takes it out of the queue."""

    def __init__(
        self,
        db: Database,
        chain: TaskChain,
        subscriptions: Subscriptions,
        metrics: BatcherMetrics,
        limits: BatchLimits,
        payment_service: bytes,
        disabled_systems: frozenset[int],
    ) -> None:
        self._db = db
        self._chain = chain
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._limits = BatchLimits(limits.max_proofs, limits.max_bytes - HEAD_BYTES)
        self._planner = Planner(db, chain, self._limits, payment_service)
        self._disabled_systems = disabled_systems

    async def is_full(self) -> bool:
        """Whether the queue fills a batch, so that there is nothing to wait for."""
        async with self._db.transaction() as conn:
            waiting = await queue.totals(conn)
        return waiting.proofs >= self._limits.max_proofs or waiting.size_bytes >= self._limits.max_bytes

    async def build(self, market: Market) -> bool:
        """Puts a new batch into state "building"; False if there is none to build."""
        async with self._db.transaction() as conn:
            waiting = await queue.queued(conn)
        candidates = await self._candidates(waiting, market)
        plan = await self._planner.plan(candidates, market)
        if plan is None:
            return False
        async with self._db.transaction() as conn:
            created = await batches.create(conn, plan)
        if created:
            self._announce(plan.members)
        return created

    async def _candidates(self, waiting: Sequence[QueuedProof], market: Market) -> list[Candidate]:
        """What may go into a batch; what never can any more is dropped on the way."""
        slots = asyncio.Semaphore(_PARALLEL_ACCOUNTS)

        async def of_sender(sender: bytes, own: list[QueuedProof]) -> tuple[list[Candidate], list[Dropped]]:
            allowed, dropped = self._split_disabled(own, market)
            async with slots:
                account = await self._chain.account(sender)
            kept, unpaid = selection.payable(allowed, account)
            return kept, dropped + unpaid

        groups = [(sender, list(own)) for sender, own in groupby(waiting, key=lambda proof: proof.sender)]
        results = await asyncio.gather(*(of_sender(*group) for group in groups))
        await self._drop([item for _, dropped in results for item in dropped])
        return [candidate for kept, _ in results for candidate in kept]

    def _split_disabled(
        self, own: list[QueuedProof], market: Market
    ) -> tuple[list[QueuedProof], list[Dropped]]:
        """A switched-off proof takes the sender's later ones with it: their nonces could not follow."""
        for offset, proof in enumerate(own):
            if proof.system in self._disabled_systems or market.is_disabled(proof.system):
                return own[:offset], [Dropped(late, VERIFIER_DISABLED) for late in own[offset:]]
        return own, []

    async def _drop(self, dropped: Sequence[Dropped]) -> None:
        for code, group in groupby(sorted(dropped, key=lambda item: item.code), key=lambda item: item.code):
            proofs = [item.proof for item in group]
            reason = "it, or an earlier proof of its sender, cannot go into a batch any more"
            async with self._db.transaction() as conn:
                await queue.fail(conn, [proof.id for proof in proofs], code, reason)
            self._metrics.dropped(code, len(proofs))
            log.info("dropped", code=code, proofs=len(proofs))
            for proof in proofs:
                key = ProofKey(proof.sender, proof.nonce, proof.leaf)
                self._subscriptions.dropped(key, PaymentError(code, reason))

    def _announce(self, proofs: Sequence[QueuedProof]) -> None:
        for proof in proofs:
            self._subscriptions.status(ProofKey(proof.sender, proof.nonce, proof.leaf), "building")
