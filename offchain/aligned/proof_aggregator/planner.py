"""Puts waiting proofs into chunks, and proved chunks into aggregations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate

import structlog

from aligned.chain.fees import Prices
from aligned.chain.prices import read_prices
from aligned.core.aggregation import AggregationTree, tree_of
from aligned.core.errors import DependencyError
from aligned.loops import Backoff
from aligned.proof_aggregator.context import Context, Line
from aligned.proof_aggregator.triggers import Moment, Policy, decide
from aligned.storage.aggregation import aggregations, chunks, queue
from aligned.storage.aggregation.aggregations import Parts
from aligned.storage.aggregation.queue import Waiting
from aligned.storage.postgres import Connection

# After aggregations that failed one after the other, the next waits so long.
_AFTER_FAILURES = Backoff(60.0, 3_600.0)
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

    async def step(self) -> bool:
        """One decision for each system; whether there may be more to decide."""
        prices = await self._prices()
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
        async with self._context.db.transaction() as conn:
            await queue.lock(conn, line.system)
            waiting = await queue.waiting(conn, line.system, self._policy.chunk_proofs)
            self._show(line, waiting)
            last_s = await aggregations.last_created_s(conn, line.system)
            decision = decide(self._policy, waiting, Moment(self._clock(), last_s, prices))
            if decision.claim:
                return await self._claim(conn, line, decision.claim, decision.reason)
            return decision.join and await self._join(conn, line, decision.reason)

    async def _claim(self, conn: Connection, line: Line, limit: int, reason: str) -> bool:
        claimed = await queue.claim(conn, line.system, limit)
        if not claimed:
            return False
        root = tree_of(line.system, [proof.commitment for proof in claimed]).root
        chunk_id = await chunks.create(conn, line.system, line.level, root, [proof.id for proof in claimed])
        log.info("chunk_made", chunk=chunk_id, proofs=len(claimed), trigger=reason or "full")
        return True

    async def _join(self, conn: Connection, line: Line, reason: str) -> bool:
        failures, age_s = await aggregations.failures(conn, line.system)
        if failures and age_s < _AFTER_FAILURES.after(failures):
            return False
        chunk_ids = await chunks.ready(conn, line.system, line.level, self._policy.max_proofs)
        if not chunk_ids:
            return False
        commitments = await chunks.commitments(conn, chunk_ids)
        tree = tree_of(line.system, [each for part in commitments for each in part])
        parts = Parts(chunk_ids, _starts(commitments))
        count = sum(len(part) for part in commitments)
        known = await aggregations.same_root(conn, tree.root)
        if known is not None:
            return await self._repeat(conn, known, parts, tree, count)
        created = await aggregations.create(
            conn, line.system, line.level, line.program_id, tree.root, count, parts
        )
        log.info("aggregation_begun", aggregation=created, proofs=count, root=tree.root, trigger=reason)
        return True

    async def _repeat(
        self, conn: Connection, known: tuple[int, str], parts: Parts, tree: AggregationTree, count: int
    ) -> bool:
        """The very same commitments are on their way already: what is on chain once is enough for all of them."""
        aggregation_id, state = known
        if state in {"proving", "proved"}:
            return False
        paths = [tree.path(index) for index in range(count)]
        await aggregations.repeat(conn, aggregation_id, state, parts, paths)
        log.info("aggregation_repeated", aggregation=aggregation_id, proofs=count)
        return True

    async def _prices(self) -> Prices | None:
        if self._policy.max_fee_wei_per_proof == 0:
            return None
        try:
            return await read_prices(self._context.client, with_blobs=True)
        except DependencyError as error:
            log.warning("no_prices", code=error.code, message=error.message)
            return None

    def _show(self, line: Line, waiting: Waiting) -> None:
        name, metrics = line.system.wire_name, self._context.metrics
        for state in ("pending", "proving", "ready"):
            metrics.queue_proofs.labels(name, state).set(getattr(waiting, state))
        metrics.oldest_age.labels(name).set(waiting.age_s or 0.0)


def _starts(commitments: Sequence[Sequence[bytes]]) -> list[int]:
    return [0, *accumulate(len(part) for part in commitments)][:-1]
