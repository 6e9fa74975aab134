"""What an aggregation may cost now: asked afresh each time that it goes to the sender, also while it is pending."""

from __future__ import annotations

from aligned.chain.fees import UNLIMITED, Limit
from aligned.chain.prices import read_prices
from aligned.proof_aggregator.budget import limit, transaction_wei, window_s
from aligned.proof_aggregator.context import Context
from aligned.storage.aggregation import summary
from aligned.storage.aggregation.aggregations import AggregationJob


async def limit_of(context: Context, job: AggregationJob) -> Limit:
    """From what its proofs paid, and from what the others left of the budget. No budget: the account's caps only.

    Raises:
        DependencyError: the chain does not say its prices.
    """
    costs = context.costs
    if not costs.daily_budget_wei:
        return UNLIMITED
    prices = await read_prices(context.client, with_blobs=True)
    async with context.db.transaction() as conn:
        window = window_s(await summary.oldest_age_s(conn, job.id))
        spent_wei = await summary.spent_wei(conn, window, but_for=job.id) + job.cancelled_wei
    most_wei = transaction_wei(costs, job.paid_wei, spent_wei, window)
    return limit(costs, prices, job.leaf_count, most_wei, context.patience.give_up_after_s)
