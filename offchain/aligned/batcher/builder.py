"""Builds the next batch out of the queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from aligned.batcher import batches, queue, selection
from aligned.batcher.accounts import AccountBook
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.model import Account, Market, QueuedProof
from aligned.batcher.planner import Planner
from aligned.batcher.ports import TaskChain
from aligned.batcher.selection import BatchLimits, Candidate, Dropped, Gaps, Patience
from aligned.batcher.subscriptions import ProofKey, Subscriptions
from aligned.core.errors import DEADLINE_PASSED, FEE_TOO_LOW, VERIFIER_DISABLED, DependencyError, PaymentError
from aligned.storage.postgres import Database
from aligned.wire.batch_file import HEAD_BYTES

log = structlog.get_logger(__name__)
_PARALLEL_ACCOUNTS = 16
_GAP_BLOCKS = 12


@dataclass(frozen=True, slots=True)
class BuildPolicy:
    """What goes into batches.

    Attributes:
        disabled_systems: ids switched off here, whatever the chain says.
        assumed_batch: batch size whose price is the least max_fee.
        patience_blocks: how long a lower offer is kept.
    """

    limits: BatchLimits
    disabled_systems: frozenset[int]
    assumed_batch: int
    patience_blocks: int


class BatchBuilder:
    """Drops what cannot be paid any more, chooses a batch and takes it out of the queue."""

    def __init__(
        self,
        db: Database,
        chain: TaskChain,
        accounts: AccountBook,
        subscriptions: Subscriptions,
        metrics: BatcherMetrics,
        payment_service: bytes,
        policy: BuildPolicy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._limits = BatchLimits(policy.limits.max_proofs, policy.limits.max_bytes - HEAD_BYTES)
        self._planner = Planner(db, chain, self._limits, payment_service)
        self._policy = policy
        self._patience = Patience(policy.patience_blocks)
        self._gaps = Gaps(_GAP_BLOCKS)
        self._clock = clock

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
            allowed, dropped = selection.cut(own, lambda proof: self._obstacle(proof, market))
            try:
                async with slots:
                    look = await self._accounts.look(sender)
                    kept, unpaid = self._payable(allowed, look.account, market)
                    if unpaid and not look.is_fresh:
                        # Nothing is given up for what was known of the account.
                        await look.refresh()
                        kept, unpaid = self._payable(allowed, look.account, market)
            except DependencyError:
                raise
            except Exception:
                # Whatever is odd about one account, the others' proofs go on.
                log.exception("account_unreadable", sender=sender)
                return [], dropped
            return kept, dropped + unpaid

        groups = [(sender, list(own)) for sender, own in groupby(waiting, key=lambda proof: proof.sender)]
        self._gaps.keep(sender for sender, _ in groups)
        results = await asyncio.gather(*(of_sender(*group) for group in groups))
        await self._drop([item for _, dropped in results for item in dropped])
        return await self._without_cheap([candidate for kept, _ in results for candidate in kept], market)

    def _payable(
        self, proofs: Sequence[QueuedProof], account: Account, market: Market
    ) -> tuple[list[Candidate], list[Dropped]]:
        start = self._gaps.start(proofs, account, market.block) if proofs else None
        return selection.payable(proofs, account, start)

    def is_disabled(self, system: int, market: Market) -> bool:
        """Whether proofs of a system are not posted."""
        return system in self._policy.disabled_systems or market.is_disabled(system)

    def _obstacle(self, proof: QueuedProof, market: Market) -> str | None:
        """Why a proof can never be in a batch."""
        if self.is_disabled(proof.system, market):
            return VERIFIER_DISABLED
        return DEADLINE_PASSED if proof.deadline_s < self._clock() else None

    async def _without_cheap(self, candidates: list[Candidate], market: Market) -> list[Candidate]:
        """Drops what has offered less than is admitted for so long that it only takes others' room."""
        least_wei = market.min_max_fee_wei(self._policy.assumed_batch)
        cheap = self._patience.exhausted(candidates, least_wei, market.block)
        if not cheap:
            return candidates
        dropped: list[Dropped] = []
        for _, own in groupby((item.proof for item in candidates), key=lambda proof: proof.sender):
            dropped += selection.cut(list(own), lambda proof: FEE_TOO_LOW if proof.id in cheap else None)[1]
        await self._drop(dropped)
        gone = {item.proof.id for item in dropped}
        return [item for item in candidates if item.proof.id not in gone]

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
