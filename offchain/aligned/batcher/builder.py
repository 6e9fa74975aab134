"""Builds the next batch out of the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

import structlog
from aligned_native import merkle_paths, merkle_root

from aligned.batcher import batches, queue, selection
from aligned.batcher.batches import Plan
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.model import Market, QueuedProof
from aligned.batcher.ports import TaskChain
from aligned.batcher.selection import BatchLimits, Candidate, Dropped, Selection
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.chain.contracts import BatchStatus
from aligned.core.batch import batch_id, fresh_order
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
        self._payment_service = payment_service
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
        chosen = selection.select(candidates, self._limits, market.fee_per_proof_wei)
        if chosen is None:
            return False
        plan = await self._plan(chosen, market)
        async with self._db.transaction() as conn:
            created = await batches.create(conn, plan)
        if created:
            self._announce(chosen.proofs)
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

    async def _plan(self, chosen: Selection, market: Market) -> Plan:
        leaves = [proof.leaf for proof in chosen.proofs]
        order = await self._fresh_order(leaves)
        ordered = b"".join(leaves[i] for i in order)
        members = [chosen.proofs[i] for i in order[: len(leaves)]]
        root = merkle_root(ordered)
        return Plan(
            batch_id=batch_id(root, self._payment_service),
            root=root,
            ids=tuple(proof.id for proof in members),
            paths=tuple(merkle_paths(ordered)[: len(members)]),
            leaf_count=len(order),
            size_bytes=HEAD_BYTES + sum(chosen.proofs[i].size_bytes for i in order),
            fee_per_proof_wei=chosen.fee_per_proof_wei,
            answer_fee_wei=market.answer_fee_wei(),
        )

    async def _fresh_order(self, leaves: list[bytes]) -> list[int]:
        """An order of the leaves whose root neither we nor the chain have seen."""
        taken: set[bytes] = set()
        while True:
            order = fresh_order(leaves, taken.__contains__)
            root = merkle_root(b"".join(leaves[i] for i in order))
            async with self._db.transaction() as conn:
                known = await batches.has_root(conn, root)
            if not known and await self._chain.task_status(root) is BatchStatus.UNKNOWN:
                return order
            taken.add(root)

    def _announce(self, proofs: Sequence[QueuedProof]) -> None:
        for proof in proofs:
            self._subscriptions.status(ProofKey(proof.sender, proof.nonce, proof.leaf), "building")
