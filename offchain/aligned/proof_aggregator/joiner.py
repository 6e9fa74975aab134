"""Joins proved chunks to an aggregation: within the budget, and with a root that nobody has revoked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import structlog

from aligned.core.aggregation import MAX_LEAVES, AggregationSystem, AggregationTree, tree_of
from aligned.core.errors import DependencyError
from aligned.loops import Backoff
from aligned.proof_aggregator.budget import Bill, cost_wei, is_affordable, window_s
from aligned.proof_aggregator.context import Context, Line
from aligned.proof_aggregator.market import PriceLook
from aligned.proof_aggregator.triggers import Policy
from aligned.storage.aggregation import aggregations, chunks, income, queue, summary
from aligned.storage.aggregation.aggregations import NewAggregation, Parts
from aligned.storage.postgres import Connection

# After aggregations that failed one after the other, the next waits so long.
_AFTER_FAILURES = Backoff(60.0, 3_600.0)
# So many revoked roots in a row over the same proofs are no accident.
_MAX_FILLERS = 8
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Chunks for an aggregation, the last one once more for each filler, and their tree."""

    chunk_ids: list[int]
    commitments: list[list[bytes]]
    fillers: int
    tree: AggregationTree

    @property
    def leaf_count(self) -> int:
        """Leaves, with those of the fillers."""
        return sum(len(part) for part in self.commitments)

    @property
    def parts(self) -> Parts:
        """As rows."""
        starts = [0, *accumulate(len(part) for part in self.commitments)][: len(self.chunk_ids)]
        return Parts(self.chunk_ids, starts, self.fillers)


class Joiner:
    """Begins aggregations, one at a time for each system, whoever else runs."""

    def __init__(self, context: Context, policy: Policy, prices: PriceLook) -> None:
        self._context = context
        self._policy = policy
        self._prices = prices

    async def join(self, line: Line, reason: str, age_s: float) -> bool:
        """Joins what is ready; whether there may be more to do.

        The chain is asked without any lock held; what was chosen is looked at again before it is written.
        """
        async with self._context.db.transaction() as conn:
            found = None if await self._pauses(conn, line) else await self._ready(conn, line)
        choice = None if found is None else await self._choose(line.system, *found)
        if choice is None:
            return False
        async with self._context.db.transaction() as conn:
            await queue.lock(conn, line.system)
            if await self._ready(conn, line) != found:
                return True
            known = await aggregations.same_root(conn, choice.tree.root)
            if known is not None:
                return await self._repeat(conn, known, choice)
            return await self._begin(conn, line, choice, reason, age_s)

    async def _pauses(self, conn: Connection, line: Line) -> bool:
        failures, age_s = await summary.failures(conn, line.system)
        return failures > 0 and age_s < _AFTER_FAILURES.after(failures)

    async def _ready(self, conn: Connection, line: Line) -> tuple[list[int], list[list[bytes]]] | None:
        chunk_ids = await chunks.ready(conn, line.system, line.level, self._policy.of(line.system).max_proofs)
        return (chunk_ids, await chunks.commitments(conn, chunk_ids)) if chunk_ids else None

    async def _choose(
        self, system: AggregationSystem, chunk_ids: list[int], commitments: list[list[bytes]]
    ) -> Choice | None:
        """The first root that is not revoked: of the chunks, else with fillers, else of fewer chunks."""
        try:
            for choice in _choices(system, chunk_ids, commitments):
                if not await self._is_revoked(choice.tree.root):
                    return choice
                log.warning("root_is_revoked", root=choice.tree.root, proofs=choice.leaf_count)
        except DependencyError as error:
            log.warning("root_not_looked_up", code=error.code, message=error.message)
            return None
        log.critical("all_roots_revoked", system=system.wire_name, chunks=chunk_ids)
        return None

    async def _is_revoked(self, root: bytes) -> bool:
        """What was once seen counts, whatever a node says that lags behind."""
        async with self._context.db.transaction() as conn:
            if await summary.is_revoked(conn, root):
                return True
        record = await self._context.service.aggregated_root(root)
        return record is not None and record.revoked

    async def _begin(self, conn: Connection, line: Line, choice: Choice, reason: str, age_s: float) -> bool:
        paid_wei = await income.of_chunks(conn, choice.chunk_ids)
        cost = await self._cost_wei(choice.leaf_count)
        await queue.lock_budget(conn)
        if not await self._is_affordable(conn, cost, paid_wei, age_s):
            self._context.metrics.deferred.labels(line.system.wire_name).set(1)
            return False
        created = await aggregations.create(
            conn,
            NewAggregation(
                line.system,
                line.level,
                line.program_id,
                choice.tree.root,
                choice.leaf_count,
                choice.parts,
                cost,
                paid_wei,
            ),
        )
        log.info(
            "aggregation_begun",
            aggregation=created,
            proofs=choice.leaf_count,
            fillers=choice.fillers,
            root=choice.tree.root,
            trigger=reason,
            cost_wei=cost,
            paid_wei=paid_wei,
        )
        return True

    async def _cost_wei(self, leaf_count: int) -> int | None:
        """An estimate; without a budget nobody needs one."""
        costs = self._policy.costs
        prices = await self._prices.read() if costs.daily_budget_wei else None
        return None if prices is None else cost_wei(costs, prices, leaf_count)

    async def _is_affordable(self, conn: Connection, cost: int | None, paid_wei: int, age_s: float) -> bool:
        window = window_s(age_s)
        spent_wei = await summary.spent_wei(conn, window)
        bill = None if cost is None else Bill(cost, paid_wei, spent_wei, window)
        return is_affordable(self._policy.costs, bill)

    async def _repeat(self, conn: Connection, known: tuple[int, str], choice: Choice) -> bool:
        """The very same commitments are on their way already: what is on chain once is enough for all of them."""
        aggregation_id, state = known
        if state in {"proving", "proved"}:
            return False
        paths = [choice.tree.path(index) for index in range(choice.leaf_count)]
        await aggregations.repeat(conn, aggregation_id, state, choice.parts, paths)
        log.info("aggregation_repeated", aggregation=aggregation_id, proofs=choice.leaf_count)
        return True


def _choices(
    system: AggregationSystem, chunk_ids: list[int], commitments: list[list[bytes]]
) -> Iterator[Choice]:
    """Every list of leaves that may be aggregated now, the plain one first."""
    for taken in range(len(chunk_ids), 0, -1):
        plain = commitments[:taken]
        room = MAX_LEAVES - sum(len(part) for part in plain)
        for fillers in range(1 + min(_MAX_FILLERS, room // len(plain[-1]))):
            listed = plain + plain[-1:] * fillers
            tree = tree_of(system, [each for part in listed for each in part])
            yield Choice(chunk_ids[:taken], listed, fillers, tree)
