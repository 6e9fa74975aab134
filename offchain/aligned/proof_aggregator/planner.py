"""Decides when waiting proofs go into chunks, and proved chunks into aggregations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from aligned.chain.fees import Prices
from aligned.core.aggregation import AggregationSystem, tree_of
from aligned.proof_aggregator.budget import Bill, cost_wei, window_s
from aligned.proof_aggregator.context import Context, Line
from aligned.proof_aggregator.joiner import Joiner
from aligned.proof_aggregator.market import PriceLook
from aligned.proof_aggregator.triggers import Decision, Moment, Policy, decide, trigger
from aligned.storage.aggregation import chunks, income, queue, summary
from aligned.storage.aggregation.queue import Waiting
from aligned.storage.postgres import Connection

log = structlog.get_logger(__name__)


class Planner:
    """Decides for one system at a time, under a lock that all aggregators share.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, context: Context, policy: Policy, clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._policy = policy
        self._clock = clock
        self._prices = PriceLook(context)
        self._joiner = Joiner(context, policy, self._prices)
        self._deferred: set[AggregationSystem] = set()

    async def step(self) -> bool:
        """One decision for each system; whether there may be more to decide."""
        wants_prices = self._policy.max_fee_wei_per_proof or self._policy.costs.daily_budget_wei
        prices = await self._prices.read() if wants_prices else None
        return any([await self._plan(line, prices) for line in self._context.lines.values()])

    async def relevel(self) -> None:
        """Chunks that were proved at another level than the settings now name are proved anew."""
        for line in self._context.lines.values():
            async with self._context.db.transaction() as conn:
                await queue.lock(conn, line.system)
                changed = await chunks.relevel(conn, line.system, line.level)
            if changed:
                log.warning("chunks_of_another_level", system=line.system.wire_name, chunks=changed)

    async def _plan(self, line: Line, prices: Prices | None) -> bool:
        policy = self._policy.of(line.system)
        async with self._context.db.transaction() as conn:
            await queue.lock(conn, line.system)
            waiting = await queue.waiting(conn, line.system, policy.chunk_proofs)
            decision = decide(policy, waiting, await self._moment(conn, line, waiting, prices))
            self._show(line, waiting, decision)
            if decision.claim:
                return await self._claim(conn, line, decision.claim, decision.reason)
        return decision.join and await self._joiner.join(line, decision.reason, waiting.age_s or 0.0)

    async def _moment(self, conn: Connection, line: Line, waiting: Waiting, prices: Prices | None) -> Moment:
        """The bill is made only for a trigger that fires and a budget that may be in its way."""
        moment = Moment(self._clock(), await summary.last_created_s(conn, line.system), prices)
        policy = self._policy.of(line.system)
        costs = policy.costs
        if prices is None or not costs.daily_budget_wei or not trigger(policy, waiting, moment):
            return moment
        window = window_s(waiting.age_s or 0.0)
        count = min(waiting.total, policy.max_proofs)
        paid_wei = await income.of_waiting(conn, line.system, policy.max_proofs)
        spent_wei = await summary.spent_wei(conn, window)
        return replace(moment, bill=Bill(cost_wei(costs, prices, count), paid_wei, spent_wei, window))

    async def _claim(self, conn: Connection, line: Line, limit: int, reason: str) -> bool:
        claimed = await queue.claim(conn, line.system, limit)
        if not claimed:
            return False
        root = tree_of(line.system, [proof.commitment for proof in claimed]).root
        chunk_id = await chunks.create(conn, line.system, line.level, root, [proof.id for proof in claimed])
        log.info("chunk_made", chunk=chunk_id, proofs=len(claimed), trigger=reason or "full")
        return True

    def _show(self, line: Line, waiting: Waiting, decision: Decision) -> None:
        name, metrics = line.system.wire_name, self._context.metrics
        for state in ("pending", "proving", "ready"):
            metrics.queue_proofs.labels(name, state).set(getattr(waiting, state))
        metrics.oldest_age.labels(name).set(waiting.age_s or 0.0)
        metrics.deferred.labels(name).set(decision.deferred)
        if decision.deferred and line.system not in self._deferred:
            log.warning("aggregation_deferred", system=name, proofs=waiting.total, trigger=decision.reason)
        self._deferred = self._deferred - {line.system} | ({line.system} if decision.deferred else set())
