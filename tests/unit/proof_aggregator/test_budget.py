"""What an aggregation costs, and how the budget of a day holds lonely ones back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.chain.fees import Prices
from aligned.proof_aggregator.budget import (
    DAY_S,
    Bill,
    Costs,
    cost_wei,
    fee_wei,
    is_affordable,
    limit,
    transaction_wei,
    window_s,
)
from aligned.proof_aggregator.service import policy_of
from aligned.proof_aggregator.triggers import Decision, Moment, Policy, decide
from aligned.settings import ProofAggregatorSettings
from aligned.storage.aggregation.queue import Waiting

GWEI = 10**9
HOUR_S = 3_600
COSTS = Costs(execution_gas=250_000, blob_execution_gas=60_000, proving_wei=7, daily_budget_wei=1_000)
DEFAULTS = policy_of(ProofAggregatorSettings())
# One payment of the devnet and of the example for mainnet: 0.0035 ETH for 100 proofs.
SUBSCRIPTION_WEI, SUBSCRIBED = 35 * 10**14, 100
MIDNIGHT_S = 1_700_000_000 - 1_700_000_000 % DAY_S


def test_cost__gas_blob_gas_and_proving() -> None:
    prices = Prices(GWEI, 2, 3 * GWEI)
    assert fee_wei(COSTS, prices, 3_968) == 310_000 * (GWEI + 2) + 131_072 * 3 * GWEI
    assert fee_wei(COSTS, prices, 3_969) == 370_000 * (GWEI + 2) + 2 * 131_072 * 3 * GWEI
    assert cost_wei(COSTS, prices, 1) == fee_wei(COSTS, prices, 1) + 7
    # The price of a blob is never below 1 wei, whether the chain says it or not.
    assert fee_wei(COSTS, Prices(0, 0, None), 1) == 131_072


@pytest.mark.parametrize(
    ("cost", "paid", "spent", "window", "expected"),
    [
        (1_000, 0, 0, DAY_S, True),
        (1_001, 0, 0, DAY_S, False),
        (400, 0, 600, DAY_S, True),
        (401, 0, 600, DAY_S, False),
        (401, 400, 600, DAY_S, False),  # what is not wholly paid for counts in full
        (401, 401, 600, DAY_S, True),
        (10**9, 10**9, 10**9, DAY_S, True),
        (2_000, 0, 0, 2 * DAY_S, True),
        (2_001, 0, 0, 2 * DAY_S, False),
        (1_400, 0, 600, 2 * DAY_S, True),
    ],
)
def test_is_affordable__exact_limits(cost: int, paid: int, spent: int, window: float, expected: bool) -> None:
    assert is_affordable(COSTS, Bill(cost, paid, spent, window)) is expected


def test_is_affordable__no_prices__not_now() -> None:
    assert not is_affordable(COSTS, None)
    assert is_affordable(replace(COSTS, daily_budget_wei=0), None)


@given(st.integers(0, 10**20), st.integers(0, 10**20))
def test_is_affordable__anything__is_not_put_off_for_ever(cost: int, spent: int) -> None:
    days = 2 + (cost + spent) // COSTS.daily_budget_wei
    assert is_affordable(COSTS, Bill(cost, 0, spent, window_s(days * DAY_S)))
    assert window_s(0) == window_s(DAY_S) == DAY_S


def test_decide__over_the_budget__full_chunks_only() -> None:
    policy = replace(DEFAULTS, costs=COSTS, min_proofs=300)
    poor = Moment(MIDNIGHT_S, None, None, Bill(1_001, 0, 0, DAY_S))
    rich = replace(poor, bill=Bill(1_000, 0, 0, DAY_S))
    waiting = Waiting(pending=44, proving=0, ready=256, proving_chunks=0, has_partial=False, age_s=1.0)
    assert decide(policy, waiting, poor) == Decision(0, False, "count", deferred=True)
    assert decide(policy, waiting, rich) == Decision(44, False, "count")
    ready = replace(waiting, pending=0, ready=300, has_partial=True)
    assert decide(policy, ready, poor) == Decision(0, False, "count", deferred=True)
    assert decide(policy, ready, rich) == Decision(0, True, "count")
    full = replace(waiting, pending=256)
    assert decide(policy, full, poor) == Decision(256, False, "count", deferred=True)


def test_defaults__once_a_day_by_count_and_within_a_budget() -> None:
    assert (DEFAULTS.daily_at_s, DEFAULTS.max_age_s, DEFAULTS.min_proofs) == (0, DAY_S, 1_024)
    assert DEFAULTS.costs.daily_budget_wei == 2 * 10**16
    assert DEFAULTS.costs.proving_wei > 0


@dataclass
class Simulated:
    """An aggregator in which proving and sending take no time; what it decides is what counts."""

    policy: Policy
    prices: Prices
    waiting_since_s: list[float] = field(default_factory=list)
    begun: list[tuple[float, int, int]] = field(default_factory=list)
    longest_wait_s: float = 0.0

    def step(self, now_s: float) -> None:
        """One decision with what a planner would know."""
        count = len(self.waiting_since_s)
        age_s = now_s - self.waiting_since_s[0] if count else None
        paid = count * SUBSCRIPTION_WEI // SUBSCRIBED
        window = window_s(age_s or 0.0)
        spent = sum(cost for at_s, cost, its in self.begun if at_s > now_s - window and cost > its)
        cost = cost_wei(self.policy.costs, self.prices, max(1, count))
        last_s = self.begun[-1][0] if self.begun else None
        moment = Moment(now_s, last_s, self.prices, Bill(cost, paid, spent, window))
        ready = Waiting(0, 0, count, 0, True, age_s)
        if decide(self.policy, ready, moment).join:
            self.begun.append((now_s, cost, paid))
            self.longest_wait_s = max(self.longest_wait_s, age_s or 0.0)
            self.waiting_since_s.clear()

    def run(self, hours: int) -> None:
        """One proof an hour, a decision every ten minutes."""
        for minute in range(0, hours * 60, 10):
            now_s = MIDNIGHT_S + 60.0 * minute
            if minute % 60 == 0:
                self.waiting_since_s.append(now_s)
            self.step(now_s)

    @property
    def loss_wei(self) -> int:
        """Cost of what was not paid for."""
        return sum(cost for _at_s, cost, paid in self.begun if cost > paid)


@pytest.mark.parametrize(("gwei", "hours"), [(1, 100), (10, 100), (100, 100), (500, 500)])
@pytest.mark.parametrize("max_age_s", [DEFAULTS.max_age_s, HOUR_S])
def test_economics__one_subscription_one_proof_an_hour__spending_is_within_the_budget(
    gwei: int, hours: int, max_age_s: float
) -> None:
    """Without a budget this was 100 aggregations: 9 times what was paid at 1 gwei, 90 times at 10."""
    budget_wei = DEFAULTS.costs.daily_budget_wei
    prices = Prices(gwei * GWEI, 0, gwei * GWEI // 16)
    run = Simulated(replace(DEFAULTS, max_age_s=max_age_s), prices)
    run.run(hours)
    assert run.begun
    assert run.loss_wei <= budget_wei * (1 + hours / 24)
    if max_age_s == DEFAULTS.max_age_s:
        assert len(run.begun) <= 1 + hours / 24
    # The longest wait is a day, or as many days as one aggregation costs budgets of a day, and the one before it.
    days = 2 + 2 * cost_wei(DEFAULTS.costs, prices, 1) / budget_wei
    assert run.longest_wait_s <= days * DAY_S


def test_economics__without_a_budget_and_quick__what_it_was() -> None:
    free = replace(DEFAULTS.costs, daily_budget_wei=0)
    run = Simulated(replace(DEFAULTS, costs=free, max_age_s=600), Prices(10 * GWEI, 0, GWEI))
    run.run(100)
    assert len(run.begun) == 100
    assert run.loss_wei > 90 * SUBSCRIPTION_WEI


@given(
    base_fee_wei=st.integers(0, 10**13),
    tip_wei=st.integers(0, 10**11),
    blob_fee_wei=st.none() | st.integers(0, 10**12),
    count=st.integers(1, 23_808),
    most_wei=st.integers(-(10**18), 10**19),
)
def test_limit__both_prices_at_it__cost_no_more_than_that(
    base_fee_wei: int, tip_wei: int, blob_fee_wei: int | None, count: int, most_wei: int
) -> None:
    prices = Prices(base_fee_wei, tip_wei, blob_fee_wei)
    found = limit(COSTS, prices, count, most_wei, 1.0)
    assert found.max_fee_wei is not None
    assert found.max_blob_fee_wei is not None
    assert min(found.max_fee_wei, found.max_blob_fee_wei) >= 1
    at_it = fee_wei(COSTS, Prices(found.max_fee_wei, 0, found.max_blob_fee_wei), count)
    one_more_wei = fee_wei(COSTS, Prices(1, 0, 1), count)  # nothing is offered below 1 wei
    assert at_it <= max(most_wei, 0) + one_more_wei
    if fee_wei(COSTS, prices, count) <= most_wei:
        assert found.max_fee_wei >= base_fee_wei + tip_wei
        assert found.max_blob_fee_wei >= (blob_fee_wei or 0)


def test_transaction__what_was_paid_or_what_the_window_has_left__less_the_proving() -> None:
    assert transaction_wei(COSTS, 5_000, 400, DAY_S) == 5_000 - 7
    assert transaction_wei(COSTS, 0, 400, DAY_S) == 1_000 - 400 - 7
    assert transaction_wei(COSTS, 0, 400, 2 * DAY_S) == 2_000 - 400 - 7
    assert transaction_wei(COSTS, 0, 3_000, DAY_S) < 0
