"""What an aggregation may cost. Pure: estimates, payments and what was spent come as values."""

from __future__ import annotations

from dataclasses import dataclass

from aligned.chain.fees import Limit, Prices
from aligned.core.aggregation import blob_count

DAY_S = 86_400
BLOB_GAS = 131_072


@dataclass(frozen=True, slots=True)
class Costs:
    """What is known of costs, from the settings.

    Attributes:
        execution_gas: of a transaction without its blobs; blob_execution_gas: of checking one blob.
        proving_wei: estimate of what it costs to prove one aggregation.
        daily_budget_wei: most a day for aggregations that cost more than their proofs paid; 0: no limit.
    """

    execution_gas: int
    blob_execution_gas: int
    proving_wei: int
    daily_budget_wei: int


@dataclass(frozen=True, slots=True)
class Bill:
    """An aggregation that could begin now.

    Attributes:
        cost_wei: gas, blob gas and proving.
        paid_wei: what the users of its proofs paid for them.
        spent_wei: what aggregations that were not paid for cost in the last `window_s` seconds.
    """

    cost_wei: int
    paid_wei: int
    spent_wei: int
    window_s: float


def fee_wei(costs: Costs, prices: Prices, count: int) -> int:
    """Of the transaction of `count` proofs at today's base fees."""
    blobs = blob_count(count)
    gas = costs.execution_gas + costs.blob_execution_gas * blobs
    fee = gas * (prices.base_fee_wei + prices.tip_wei)
    return fee + BLOB_GAS * blobs * max(1, prices.blob_base_fee_wei or 0)


def cost_wei(costs: Costs, prices: Prices, count: int) -> int:
    """Of an aggregation of `count` proofs: its transaction and its proving."""
    return fee_wei(costs, prices, count) + costs.proving_wei


def window_s(age_s: float) -> float:
    """The time over which spending counts for proofs of which the oldest waits so long: never below a day.

    With every day that it waits another day's budget is there, so that nothing waits for ever.
    """
    return max(DAY_S, age_s)


def is_affordable(costs: Costs, bill: Bill | None) -> bool:
    """Whether it may begin: its proofs pay for it, or the budget of its window does. No bill: no prices, not now."""
    if costs.daily_budget_wei == 0:
        return True
    if bill is None:
        return False
    if bill.cost_wei <= bill.paid_wei:
        return True
    return bill.spent_wei + bill.cost_wei <= costs.daily_budget_wei * bill.window_s / DAY_S


def transaction_wei(costs: Costs, paid_wei: int, spent_wei: int, window_s: float) -> int:
    """Most that an aggregation's transaction may cost: what its proofs paid, or what is left of the budget.

    Proving is paid for by then, and comes off.
    """
    left_wei = int(costs.daily_budget_wei * window_s / DAY_S) - spent_wei
    return max(paid_wei, left_wei) - costs.proving_wei


def limit(costs: Costs, prices: Prices, count: int, most_wei: int, give_up_after_s: float) -> Limit:
    """What it may offer per gas and per blob gas, so that both together never cost more than `most_wei`.

    Half of what today's prices leave of it is for a dearer gas, half for a dearer blob gas; where they leave nothing,
    both are bounded below today's prices, in the same ratio.
    """
    blobs = blob_count(count)
    gas, blob_gas = costs.execution_gas + costs.blob_execution_gas * blobs, BLOB_GAS * blobs
    price_wei = max(1, prices.base_fee_wei + prices.tip_wei)
    blob_price_wei = max(1, prices.blob_base_fee_wei or 0)

    cost = gas * price_wei + blob_gas * blob_price_wei
    spare_wei = (most_wei - cost) // 2
    if spare_wei >= 0:
        return Limit(price_wei + spare_wei // gas, give_up_after_s, blob_price_wei + spare_wei // blob_gas)
    most_wei = max(0, most_wei)
    return Limit(
        max(1, price_wei * most_wei // cost), give_up_after_s, max(1, blob_price_wei * most_wei // cost)
    )
