"""When to make a chunk, and when to begin an aggregation. Pure: what waits, prices and clock come as values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aligned.chain.fees import Prices
from aligned.core.aggregation import AggregationSystem
from aligned.proof_aggregator.budget import Bill, Costs, fee_wei, is_affordable
from aligned.proof_aggregator.schedule import last_time_s
from aligned.storage.aggregation.queue import Waiting


@dataclass(frozen=True, slots=True)
class Policy:
    """The triggers; each alone is enough, as far as the budget goes.

    Attributes:
        chunk_proofs: size of a full chunk, which is proved without waiting for a trigger.
        max_proofs: most proofs of an aggregation; risc0_max_proofs: of one of RISC Zero.
        min_proofs: trigger by count.
        max_age_s: trigger by age of the oldest proof.
        join_wait_s: how much longer proved chunks wait for others that are being proved.
        max_fee_wei_per_proof: trigger by cost; 0 switches it off.
        costs: of an aggregation, and the budget for them.
        daily_at_s: trigger by schedule, seconds after midnight UTC; None switches it off.
    """

    chunk_proofs: int
    max_proofs: int
    risc0_max_proofs: int
    min_proofs: int
    max_age_s: float
    join_wait_s: float
    max_fee_wei_per_proof: int
    costs: Costs
    daily_at_s: int | None

    def of(self, system: AggregationSystem) -> Policy:
        """With the limits of one system: no chunk is larger than an aggregation."""
        most = (
            self.max_proofs
            if system is AggregationSystem.SP1
            else min(self.max_proofs, self.risc0_max_proofs)
        )
        return replace(self, max_proofs=most, chunk_proofs=min(self.chunk_proofs, most))


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision depends on beside the queue.

    Attributes:
        now_s: Unix seconds.
        last_s: when the system's last aggregation began, None before the first.
        prices: None when the chain does not answer.
        bill: of what would begin now; None when it is not known.
    """

    now_s: float
    last_s: float | None
    prices: Prices | None
    bill: Bill | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now; at most one of both.

    Attributes:
        claim: proofs to put into a new chunk.
        join: whether to begin an aggregation of the proved chunks.
        reason: the trigger, "" if none fired.
        deferred: a trigger fired, and the budget has to grow first.
    """

    claim: int
    join: bool
    reason: str
    deferred: bool = False


def decide(policy: Policy, waiting: Waiting, moment: Moment) -> Decision:
    """Full chunks at once; the rest, and an aggregation, when a trigger says so and the budget allows it."""
    reason = trigger(policy, waiting, moment)
    if reason and not is_affordable(policy.costs, moment.bill):
        full = waiting.pending >= policy.chunk_proofs
        return Decision(policy.chunk_proofs if full else 0, False, reason, deferred=True)
    if waiting.pending >= policy.chunk_proofs:
        return Decision(policy.chunk_proofs, False, reason)
    # A chunk that is not full is the rest of this trigger already: proofs that come later wait for the next one.
    if reason and waiting.pending and not waiting.has_partial:
        return Decision(waiting.pending, False, reason)
    return Decision(0, _may_join(policy, waiting, reason), reason)


def _may_join(policy: Policy, waiting: Waiting, reason: str) -> bool:
    if not waiting.ready or not reason:
        return False
    overdue = (waiting.age_s or 0.0) >= policy.max_age_s + policy.join_wait_s
    return waiting.proving_chunks == 0 or waiting.ready >= policy.max_proofs or overdue


def trigger(policy: Policy, waiting: Waiting, moment: Moment) -> str:
    """The first trigger that fires for all that waits, or ""."""
    count = min(waiting.total, policy.max_proofs)
    if count == 0 or waiting.age_s is None:
        return ""
    if count >= min(policy.min_proofs, policy.max_proofs):
        return "count"
    if waiting.age_s >= policy.max_age_s:
        return "age"
    if _is_scheduled(policy, waiting.age_s, moment):
        return "schedule"
    if moment.prices is None or policy.max_fee_wei_per_proof == 0:
        return ""
    return "cost" if fee_per_proof_wei(policy, moment.prices, count) <= policy.max_fee_wei_per_proof else ""


def fee_per_proof_wei(policy: Policy, prices: Prices, count: int) -> int:
    """Share of one of `count` proofs in the fee of their aggregation at today's base fees, rounded up."""
    return -(-fee_wei(policy.costs, prices, count) // count)


def _is_scheduled(policy: Policy, age_s: float, moment: Moment) -> bool:
    """Whether the last hour of the schedule has passed since the last aggregation, for proofs that were there then."""
    if policy.daily_at_s is None:
        return False
    at_s = last_time_s(policy.daily_at_s, moment.now_s)
    return (moment.last_s is None or moment.last_s < at_s) and moment.now_s - age_s <= at_s
