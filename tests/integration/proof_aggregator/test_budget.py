"""The budget of a day, counted from the rows: over restarts, over several aggregators, over both systems."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aligned.chain.fees import Prices
from aligned.chain.prices import read_prices
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError
from aligned.proof_aggregator.budget import Costs, cost_wei
from aligned.proof_aggregator.status import Status
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import POLICY, RISC0, SP1, AggregationRig, Parts, prove
from tests.integration.storage.aggregation.rows import payment, record

_PAID = (
    "UPDATE proofs SET source = 'gateway', address = %s, nonce = number, quota_id = (SELECT min(id) FROM quotas),"
    " signature = %s, deadline_s = 2000000000, batch_root = NULL, batch_index = NULL WHERE source = 'batch'"
    " RETURNING id"
)
PROVING_WEI = 10**15


async def costs_with(parts: Parts, budget_in_runs: float) -> tuple[Costs, Prices]:
    """A budget for so many aggregations of one proof at the prices of the test's chain."""
    plain = replace(POLICY.costs, proving_wei=PROVING_WEI)
    prices = await read_prices(parts.context.client, with_blobs=True)
    budget_wei = round(budget_in_runs * cost_wei(plain, prices, 1))
    return replace(plain, daily_budget_wei=budget_wei), prices


async def pay_for_all(parts: Parts) -> None:
    """The proofs that wait are of an account that paid."""
    await parts.rows(_PAID, b"\xaa" * 20, bytes(65))


async def an_hour_later(parts: Parts) -> None:
    """All rows are an hour older."""
    await parts.rows("UPDATE proofs SET received_at = received_at - interval '1 hour' RETURNING id")
    await parts.rows("UPDATE aggregations SET created_at = created_at - interval '1 hour' RETURNING id")


async def go_on(parts: Parts, **policy: object) -> None:
    """From the queue to an aggregation, as far as the policy lets it."""
    await parts.plan(**policy)
    await parts.prove_chunks()
    await parts.plan(**policy)


async def test_budget__one_subscription_one_proof_an_hour__spending_is_bounded_and_nobody_waits_for_ever(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    """Two aggregators in turn, each with a planner that has just been started."""
    both = make(shared_rig), make(shared_rig)
    costs, _prices = await costs_with(both[0], 3)
    # What one payment of the example for mainnet buys: 0.0035 ETH for 100 proofs.
    await record(both[0].db, payment(amount_wei=35 * 10**14, proofs=100))
    for hour in range(100):
        parts = both[hour % 2]
        await parts.add(1)
        await pay_for_all(parts)
        await go_on(parts, costs=costs, min_proofs=1_000, max_age_s=0.0)
        await an_hour_later(parts)
    rows = await parts.rows("SELECT cost_wei, paid_wei FROM aggregations")
    spent_wei = sum(int(row["cost_wei"]) for row in rows if row["cost_wei"] > row["paid_wei"])
    assert 0 < spent_wei <= costs.daily_budget_wei * (1 + 100 / 24)
    assert 4 <= len(rows) < 40
    assert (
        await parts.count("proofs", "aggregation_id IS NULL AND received_at < now() - interval '26 hours'")
        == 0
    )


async def test_budget__used_up__waits_says_so_and_goes_on_the_next_day(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    costs, _prices = await costs_with(parts, 1.5)
    metrics = parts.context.metrics
    for expected in (1, 1):
        await parts.add(1)
        await go_on(parts, costs=costs)
        assert await parts.count("aggregations") == expected
    assert 'deferred{system="sp1"} 1.0' in metrics.render().decode()
    assert parts.engine.jobs == [1]  # nothing is proved that has to wait
    await parts.rows("UPDATE aggregations SET created_at = created_at - interval '1 day' RETURNING id")
    await go_on(parts, costs=costs)
    assert await parts.count("aggregations") == 2
    assert 'deferred{system="sp1"} 0.0' in metrics.render().decode()


async def test_budget__dearer_than_that_of_a_day__goes_when_it_has_waited_long_enough(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    costs, _prices = await costs_with(parts, 0.4)
    await parts.add(1)
    for days, expected in ((0, 0), (2, 0), (1, 1)):
        await parts.rows(
            "UPDATE proofs SET received_at = received_at - make_interval(days => %s) RETURNING id", days
        )
        await go_on(parts, costs=costs)
        assert await parts.count("aggregations") == expected


async def test_budget__its_proofs_pay_for_it__neither_waits_nor_takes_from_the_budget(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    parts = make(shared_rig)
    costs, prices = await costs_with(parts, 1)
    await record(parts.db, payment(amount_wei=2 * cost_wei(costs, prices, 2), proofs=4))
    for count in (1, 2):
        await parts.add(2)
        await pay_for_all(parts)
        await go_on(parts, costs=costs)
        assert await parts.count("aggregations", "cost_wei <= paid_wei") == count
    await parts.add(1)
    await go_on(parts, costs=costs)
    assert await parts.count("aggregations", "cost_wei > paid_wei") == 1


async def test_budget__both_systems_at_once__one_budget(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig)
    costs, _prices = await costs_with(parts, 1.5)
    await parts.add(1)
    await parts.add(1, system=RISC0)
    await parts.plan()
    await parts.prove_chunks()
    planners = [parts.planner(costs=costs) for _ in range(4)]
    await asyncio.gather(*(planner.step() for planner in planners))
    assert await parts.count("aggregations") == 1


async def test_budget__no_prices__nothing_begins(
    shared_rig: AggregationRig, make: MakeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = make(shared_rig)
    costs, _prices = await costs_with(parts, 100)
    await parts.add(1)

    async def silence() -> int:
        raise DependencyError(CHAIN_UNAVAILABLE, "no answer")

    monkeypatch.setattr(parts.context.client, "base_fee", silence)
    await parts.plan(costs=costs)
    assert (await parts.count("chunks"), await parts.states()) == (0, ["pending"])


async def test_mined__what_it_cost_is_written_and_shown(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig, costs=replace(POLICY.costs, proving_wei=PROVING_WEI))
    await record(parts.db, payment(amount_wei=30, proofs=10))
    await parts.add(3)
    await pay_for_all(parts)
    await prove(parts, 0)
    await parts.publish_until_settled(SP1)
    (row,) = await parts.rows("SELECT cost_wei, paid_wei, tx_hash FROM aggregations")
    receipt = await parts.context.client.get_receipt(row["tx_hash"])
    assert receipt is not None
    assert (row["cost_wei"], row["paid_wei"]) == (receipt.fee_wei + PROVING_WEI, 9)
    await Status(parts.context, [], 60, 0).show()
    names, cost_wei_now = {"system": "sp1"}, float(row["cost_wei"])
    sample = parts.context.metrics.registry.get_sample_value
    assert sample("aligned_proof_aggregator_cost_per_proof_wei", names) == cost_wei_now / 3
    assert sample("aligned_proof_aggregator_paid_per_proof_wei", names) == 3
    assert sample("aligned_proof_aggregator_unpaid_spending_wei") == cost_wei_now
