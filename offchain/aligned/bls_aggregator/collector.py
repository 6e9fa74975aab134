"""Moves tasks on: from votes to a quorum to an answer on chain."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from aligned.bls_aggregator.ballots import BallotBox, Tally
from aligned.bls_aggregator.metrics import AggregatorMetrics
from aligned.bls_aggregator.preparer import Chain, prepare
from aligned.bls_aggregator.tasks import Task, TaskStore
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxCancelled, TxReverted
from aligned.chain.rpc import RpcError
from aligned.chain.sender import Receipt, TxSender
from aligned.core.eip712 import task_digest
from aligned.core.errors import INTERNAL_ERROR, DependencyError, InvariantError, PaymentError
from aligned.core.quorum import build_quorum
from aligned.loops import Backoff, keep_claim

log = structlog.get_logger(__name__)

_AT_ONCE_S = 0.0
_NEXT_BLOCK_S = 0.5
_PERCENT = 100
_WINDOW_CLOSED = "ResponseWindowClosed"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what (seconds); see AggregatorSettings."""

    late_signer_wait_s: float
    recheck_s: float
    lease_s: float
    respond_timeout_s: float
    backoff: Backoff
    answer_min_fee_percent: int
    give_up_after_s: float


class Collector:
    """Works on claimed tasks; several `step`s may run at a time."""

    def __init__(
        self,
        tasks: TaskStore,
        ballots: BallotBox,
        chain: Chain,
        sender: TxSender,
        patience: Patience,
        metrics: AggregatorMetrics,
    ) -> None:
        self._tasks = tasks
        self._ballots = ballots
        self._chain = chain
        self._sender = sender
        self._patience = patience
        self._metrics = metrics

    async def step(self) -> bool:
        """Moves one task on; False when none is due."""
        task = await self._tasks.claim(self._patience.lease_s)
        if task is None:
            return False
        async with keep_claim(
            lambda: self._tasks.renew(task, self._patience.lease_s), self._patience.lease_s / 3
        ):
            due_s = await self._attempt(task)
        await self._tasks.release(task, due_s)
        return True

    async def _attempt(self, task: Task) -> float:
        """Seconds until the task is due again. What one task makes go wrong never ends the role."""
        try:
            return await self._advance(task)
        except (DependencyError, PaymentError) as error:
            log.warning(
                "task_waits", **task.names(), state=task.state, code=error.code, message=error.message
            )
        except InvariantError:
            raise
        except Exception:
            held_s = self._patience.backoff.after(task.failures + 1)
            log.exception("task_broke", **task.names(), state=task.state, code=INTERNAL_ERROR, retry_s=held_s)
            await self._tasks.hold(task, INTERNAL_ERROR, held_s)
        return self._patience.recheck_s

    async def _advance(self, task: Task) -> float:
        """Does what the task's state asks for; seconds until it is due again."""
        if task.state == "new":
            await prepare(task, self._chain, self._tasks)
            return _AT_ONCE_S
        if task.state == "responding":
            return await self._respond(task)
        if await self._is_over(task):
            return _AT_ONCE_S
        tally = await self._ballots.tally(task.batch_id, task.task_block)
        if task.state == "open":
            return await self._count(task, tally)
        return await self._wait_for_late_signers(task, tally)

    async def _is_over(self, task: Task) -> bool:
        if task.last_response_block is None:
            raise InvariantError("open_task_without_window", str(task.names()))
        head = await self._chain.client.block_number()
        # An answer is mined in a later block than the head.
        if head < task.last_response_block:
            return False
        self._end(task, "expired")
        return await self._tasks.move(task, "expired", "window_over")

    async def _count(self, task: Task, tally: Tally) -> float:
        config = await self._chain.manager.config()
        if tally.has_quorum(config.threshold_bps, config.min_signers, config.min_total_stake):
            log.info(
                "quorum_reached", **task.names(), signed=str(tally.signed_stake), total=str(tally.total_stake)
            )
            await self._tasks.reach_quorum(task)
            return _AT_ONCE_S
        if tally.is_hopeless(config.threshold_bps):
            reasons = sorted({str(refusal.reason) for refusal in tally.refusals.values()})
            log.error(
                "batch_refused_by_quorum", **task.names(), reasons=reasons, refused=str(tally.refused_stake)
            )
            self._end(task, "refused")
            await self._tasks.move(task, "refused", ",".join(reasons)[:200])
            return _AT_ONCE_S
        return self._patience.recheck_s

    async def _wait_for_late_signers(self, task: Task, tally: Tally) -> float:
        remaining_s = self._patience.late_signer_wait_s - (task.quorum_age_s or 0.0)
        if remaining_s > 0 and not tally.is_complete:
            return remaining_s
        calldata = await asyncio.to_thread(self._answer, task, tally)
        await self._tasks.fix_answer(task, calldata)
        log.info("answer_fixed", **task.names(), signers=len(tally.signatures), of=len(tally.operators))
        return _AT_ONCE_S

    def _answer(self, task: Task, tally: Tally) -> bytes:
        if task.snapshot_index is None:
            raise InvariantError("open_task_without_snapshot", str(task.names()))
        manager = self._chain.manager
        digest = task_digest(task.batch_id, task.task_block, self._chain.client.chain_id, manager.address)
        quorum = build_quorum(tally.operators, tally.signatures, digest, task.snapshot_index)
        return manager.encode_respond_to_task(task.batch_root, task.sender, quorum)

    async def _respond(self, task: Task) -> float:
        if task.respond_calldata is None:
            raise InvariantError("answer_without_calldata", str(task.names()))
        # The contract takes only blocks before the current one as reference.
        if await self._chain.client.block_number() <= task.task_block:
            return _NEXT_BLOCK_S
        most_wei = await self._most_per_gas(task, task.respond_calldata)
        if most_wei is not None and await self._is_too_dear(task, most_wei):
            return _AT_ONCE_S if await self._is_over(task) else self._patience.recheck_s
        started = time.monotonic()
        try:
            receipt = await self._sender.send(
                _sender_key(task),
                self._chain.manager.address,
                task.respond_calldata,
                done=lambda: self._is_settled(task),
                timeout_s=self._patience.respond_timeout_s,
                max_fee_wei=most_wei,
                give_up_after_s=None if most_wei is None else self._patience.give_up_after_s,
            )
        except TxCancelled as error:
            # Looked at again like an answer that was never sent, until its window is over.
            log.warning("answer_given_up", **task.names(), most_wei=str(most_wei), fee_wei=str(error.fee_wei))
            return self._patience.recheck_s
        except TxReverted as error:
            return await self._on_revert(task, error)
        self._metrics.respond_seconds.observe(time.monotonic() - started)
        return await self._on_receipt(task, receipt)

    async def _most_per_gas(self, task: Task, calldata: bytes) -> int | None:
        """Highest gas price at which the task's fee pays its part of the answer; None where nothing bounds it."""
        least_percent = self._patience.answer_min_fee_percent
        if not least_percent:
            return None
        client, manager = self._chain.client, self._chain.manager
        try:
            gas = await client.estimate_gas(manager.address, calldata, sender=self._sender.address)
        except (TxReverted, RpcError):
            # Answered already, refused, or no money for it: the sender finds out which.
            return None
        fee_wei = (await manager.batches_state(task.batch_id)).fee_limit_wei
        return fee_wei * _PERCENT // (gas * least_percent)

    async def _is_too_dear(self, task: Task, most_wei: int) -> bool:
        price_wei = await self._chain.client.gas_price()
        if price_wei <= most_wei:
            return False
        log.warning("answer_too_dear", **task.names(), most_wei=str(most_wei), price_wei=str(price_wei))
        return True

    async def _is_settled(self, task: Task) -> bool:
        return await self._chain.manager.batch_status(task.batch_root, task.sender) is not BatchStatus.PENDING

    async def _on_receipt(self, task: Task, receipt: Receipt) -> float:
        status = await self._chain.manager.batch_status(task.batch_root, task.sender)
        if status in (BatchStatus.VERIFIED, BatchStatus.REVOKED):
            # The event of the answer ends the task; until it is read there is nothing to do.
            self._metrics.respond_gas.inc(receipt.gas_used)
            log.info(
                "task_answered",
                **task.names(),
                tx_hash=receipt.tx_hash,
                gas_used=receipt.gas_used,
                by=receipt.state,
            )
            self._end(task, "answered")
            return self._patience.recheck_s
        if status in (BatchStatus.PENDING, BatchStatus.UNKNOWN):
            # The chain took it back in this moment, or this node is behind the one that had it: the same key again
            # waits for the answer, or sends it again, while the window is open.
            log.warning("answer_not_there", **task.names(), status=status.name)
            return _AT_ONCE_S if await self._is_over(task) else self._patience.recheck_s
        log.warning("task_ended", **task.names(), status=status.name)
        await self._tasks.move(task, "expired", status.name.lower())
        self._end(task, "expired")
        return _AT_ONCE_S

    async def _on_revert(self, task: Task, error: TxReverted) -> float:
        log.error("answer_reverted", **task.names(), reason=error.reason, tx_hash=error.tx_hash)
        code = error.error_name or "reverted"
        if code == _WINDOW_CLOSED:
            await self._tasks.move(task, "expired", code)
            self._end(task, "expired")
        else:
            held_s = self._patience.backoff.after(task.failures + 1)
            await self._tasks.abandon_answer(task, code, held_s, was_sent=error.tx_hash is not None)
        return self._patience.recheck_s

    def _end(self, task: Task, outcome: str) -> None:
        self._metrics.tasks.labels(outcome).inc()
        self._metrics.succeeded("collector")
        log.debug("task_end", **task.names(), outcome=outcome)


def _sender_key(task: Task) -> str:
    key = f"respond:0x{task.batch_id.hex()}:{task.task_block}"
    return key if task.respond_round == 0 else f"{key}:{task.respond_round}"
