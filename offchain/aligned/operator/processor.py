"""Turns a task into a vote: check, fetch, verify, sign once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container
from dataclasses import dataclass

import structlog

from aligned.chain.client import ChainClient
from aligned.chain.contracts import BatchStatus, OperatorRegistry, ServiceManager
from aligned.core.bls import SecretKey
from aligned.core.eip712 import refusal_digest, task_digest
from aligned.core.errors import INTERNAL_ERROR, DependencyError, InvariantError
from aligned.loops import Backoff, keep_claim
from aligned.operator.judge import VerdictInDoubt, Verifier, judge_batch
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.tasks import Task, TaskStore, Vote
from aligned.storage.batch_files import Batch, BatchUnavailable, DownloadLimits, Refusal, fetch_batch
from aligned.wire.aggregator import DATA_UNAVAILABLE

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chain:
    """What the processor reads from the chain."""

    client: ChainClient
    manager: ServiceManager
    registry: OperatorRegistry


@dataclass(frozen=True, slots=True)
class Identity:
    """Who votes: BLS key, operator address (20 bytes), and the contract that the votes are for."""

    secret: SecretKey
    operator_id: bytes
    address: bytes
    chain_id: int
    service_manager: bytes

    def signature(self, task: Task, proofs: int) -> Vote:
        """The vote for a good batch."""
        digest = task_digest(task.batch_id, task.task_block, self.chain_id, self.service_manager)
        return Vote(self.secret.sign(digest), proofs=proofs)

    def refusal(self, task: Task, refusal: Refusal, proofs: int | None) -> Vote:
        """The vote against a bad one."""
        evidence = (refusal.leaf_index, refusal.leaf, refusal.reason)
        digest = refusal_digest(
            task.batch_id, task.task_block, *evidence, self.chain_id, self.service_manager
        )
        return Vote(self.secret.sign(digest), *evidence, proofs=proofs)


class Slots:
    """How many batches are downloaded, and how many verified, at a time.

    Apart, so that servers that trickle hold up no verification; and what one sender may hold is a matter of claims.
    """

    def __init__(self, downloads: int, verifications: int) -> None:
        self.steps = downloads + verifications
        self.download = asyncio.Semaphore(downloads)
        self.verify = asyncio.Semaphore(verifications)


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds and patience.

    Attributes:
        supported: ids of the proving systems that this operator verifies.
        parallel: proofs on their way to the verifier pool at a time.
        lease_s: a task is taken over by another worker so long after its worker died.
        sender_tasks: most tasks of one sender in work at a time.
        give_up_blocks: a batch that cannot be had so shortly before its window ends is refused.
    """

    limits: DownloadLimits
    supported: Container[int]
    parallel: int
    lease_s: float
    backoff: Backoff
    give_up_blocks: int
    slots: Slots
    sender_tasks: int


class Processor:
    """Works on claimed tasks; several `step`s may run at a time."""

    def __init__(
        self,
        tasks: TaskStore,
        chain: Chain,
        identity: Identity,
        verifier: Verifier,
        policy: Policy,
        metrics: OperatorMetrics,
    ) -> None:
        self._tasks = tasks
        self._chain = chain
        self._identity = identity
        self._verifier = verifier
        self._policy = policy
        self._metrics = metrics
        # One claim sees the other's lease: the limit for a sender counts them.
        self._claiming = asyncio.Lock()

    async def step(self) -> bool:
        """Processes one task; False when none is due."""
        async with self._claiming:
            task = await self._tasks.claim(self._policy.lease_s, self._policy.sender_tasks)
        if task is None:
            return False
        async with keep_claim(
            lambda: self._tasks.renew(task, self._policy.lease_s), self._policy.lease_s / 3
        ):
            await self._attempt(task)
        return True

    async def _attempt(self, task: Task) -> None:
        """Whatever a stranger's task makes go wrong is this task's failure; only a broken invariant ends the role."""
        retry_s = self._policy.backoff.after(task.attempts)
        try:
            await self._process(task)
        except DependencyError as error:
            log.warning(
                "task_failed", **_names(task), code=error.code, message=error.message, retry_s=retry_s
            )
            await self._tasks.fail(task, error.code, retry_s)
        except InvariantError:
            raise
        except Exception:
            log.exception("task_broke", **_names(task), code=INTERNAL_ERROR, retry_s=retry_s)
            await self._tasks.fail(task, INTERNAL_ERROR, retry_s)

    async def _process(self, task: Task) -> None:
        reason = await self._why_skip(task)
        if reason is not None:
            log.info("task_skipped", **_names(task), reason=reason)
            await self._tasks.skip(task, reason)
            self._metrics.tasks.labels("skipped").inc()
            return
        vote = await self._decide(task)
        if await self._tasks.save_vote(task, vote):
            outcome = "signed" if vote.reason is None else "refused"
            self._metrics.tasks.labels(outcome).inc()
            self._metrics.succeeded("processor")
            log.info(
                "task_voted", **_names(task), outcome=outcome, reason=vote.reason, leaf_index=vote.leaf_index
            )

    async def _why_skip(self, task: Task) -> str | None:
        manager, root, sender = self._chain.manager, task.batch_root, task.sender
        status = await manager.batch_status(root, sender)
        if status is not BatchStatus.PENDING:
            return status.name.lower()
        if (await manager.batches_state(task.batch_id)).task_block != task.task_block:
            return "superseded"
        if not await self._chain.registry.is_registered(self._identity.address, block=task.task_block):
            return "not_registered_at_task_block"
        return None

    async def _decide(self, task: Task) -> Vote:
        policy = self._policy
        try:
            async with policy.slots.download:
                batch = await fetch_batch(task.pointer, task.batch_root, policy.limits)
        except BatchUnavailable as error:
            if not await self._is_last_chance(task):
                raise
            batch = Refusal.of_batch(DATA_UNAVAILABLE, f"{error.code}: {error.message}")
        if isinstance(batch, Refusal):
            return self._refuse(task, batch, None)
        disabled = await self._chain.manager.disabled_verifiers(block=task.task_block)
        async with policy.slots.verify:
            started = time.perf_counter()
            try:
                refusal = await judge_batch(
                    batch, self._verifier, policy.supported, disabled, policy.parallel
                )
            except VerdictInDoubt as doubt:
                if not await self._is_last_chance(task):
                    raise
                refusal = doubt.refusal
        return self._vote(task, batch, refusal, time.perf_counter() - started)

    def _vote(self, task: Task, batch: Batch, refusal: Refusal | None, seconds: float) -> Vote:
        proofs = len(batch.proofs)
        self._metrics.verify_seconds.observe(seconds)
        self._metrics.proofs.inc(proofs)
        log.info(
            "batch_verified", **_names(task), proofs=proofs, valid=refusal is None, seconds=round(seconds, 3)
        )
        return (
            self._identity.signature(task, proofs) if refusal is None else self._refuse(task, refusal, proofs)
        )

    def _refuse(self, task: Task, refusal: Refusal, proofs: int | None) -> Vote:
        names = _names(task) | {"reason": refusal.reason, "leaf_index": refusal.leaf_index}
        log.warning("batch_refused", **names, detail=refusal.detail[:500])
        return self._identity.refusal(task, refusal, proofs)

    async def _is_last_chance(self, task: Task) -> bool:
        last = await self._chain.manager.last_response_block(task.batch_id)
        return await self._chain.client.block_number() + self._policy.give_up_blocks >= last


def _names(task: Task) -> dict[str, object]:
    return {
        "batch_root": "0x" + task.batch_root.hex(),
        "task_block": task.task_block,
        "attempt": task.attempts,
    }
