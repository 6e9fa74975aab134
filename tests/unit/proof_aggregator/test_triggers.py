"""When chunks are made and aggregations begin."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.chain.fees import Prices
from aligned.core.aggregation import AggregationSystem
from aligned.proof_aggregator.budget import Costs
from aligned.proof_aggregator.triggers import Decision, Moment, Policy, decide, fee_per_proof_wei, trigger
from aligned.storage.aggregation.queue import Waiting

COSTS = Costs(execution_gas=250_000, blob_execution_gas=60_000, proving_wei=0, daily_budget_wei=0)
POLICY = Policy(
    chunk_proofs=256,
    max_proofs=3_968,
    risc0_max_proofs=256,
    min_proofs=1_000,
    max_age_s=3_600,
    join_wait_s=600,
    max_fee_wei_per_proof=0,
    costs=COSTS,
    daily_at_s=None,
)
NOON_S = 1_700_000_000 - 1_700_000_000 % 86_400 + 43_200
NOW = Moment(NOON_S, None, None)
GWEI = 10**9


def waiting(
    pending: int = 0,
    proving: int = 0,
    ready: int = 0,
    proving_chunks: int | None = None,
    has_partial: bool = False,
    age_s: float | None = 1.0,
) -> Waiting:
    chunks = (1 if proving else 0) if proving_chunks is None else proving_chunks
    return Waiting(pending, proving, ready, chunks, has_partial, age_s)


def test_decide__nothing_waits__nothing_happens() -> None:
    assert decide(POLICY, waiting(age_s=None), NOW) == Decision(0, False, "")


def test_decide__a_full_chunk__at_once_without_a_trigger() -> None:
    assert decide(POLICY, waiting(pending=256), NOW) == Decision(256, False, "")
    assert decide(POLICY, waiting(pending=255), NOW) == Decision(0, False, "")


def test_trigger__count__all_that_waits_is_counted() -> None:
    assert trigger(POLICY, waiting(pending=100, proving=400, ready=500), NOW) == "count"
    assert trigger(POLICY, waiting(pending=99, proving=400, ready=500), NOW) == ""


def test_trigger__least_number_above_the_most__fires_at_the_most() -> None:
    assert trigger(replace(POLICY, min_proofs=10_000, max_proofs=10), waiting(pending=10), NOW) == "count"


def test_trigger__age__at_the_limit() -> None:
    assert trigger(POLICY, waiting(pending=1, age_s=3_600), NOW) == "age"
    assert trigger(POLICY, waiting(pending=1, age_s=3_599), NOW) == ""


def test_trigger__cost__execution_and_blob_gas_shared_among_all() -> None:
    policy = replace(POLICY, max_fee_wei_per_proof=4_500 * GWEI)
    cheap = Moment(NOON_S, None, Prices(GWEI, 0, GWEI))
    # (310,000 + 131,072) gas at 1 gwei
    assert fee_per_proof_wei(policy, Prices(GWEI, 0, GWEI), 100) == 441_072 * GWEI // 100
    assert trigger(policy, waiting(pending=100), cheap) == "cost"
    assert trigger(policy, waiting(pending=98), cheap) == ""
    dear_blobs = Moment(NOON_S, None, Prices(GWEI, 0, 2 * GWEI))
    assert trigger(policy, waiting(pending=100), dear_blobs) == ""
    assert trigger(policy, waiting(pending=100), NOW) == ""
    assert trigger(replace(policy, max_fee_wei_per_proof=0), waiting(pending=100), cheap) == ""


@pytest.mark.parametrize(
    ("daily_at_h", "age_s", "last_s", "expected"),
    [
        (11, 7_200, None, "schedule"),
        (11, 7_200, NOON_S - 86_400, "schedule"),
        (11, 7_200, NOON_S - 1_800, ""),  # today's is done
        (11, 600, None, ""),  # came after today's
        (13, 7_200, NOON_S - 90_000, ""),  # came after yesterday's
        (13, 90_000, NOON_S - 90_000, "schedule"),  # yesterday's was missed
        (12, 1, None, "schedule"),
    ],
)
def test_trigger__schedule__once_a_day(
    daily_at_h: int, age_s: float, last_s: float | None, expected: str
) -> None:
    policy = replace(POLICY, daily_at_s=daily_at_h * 3_600, max_age_s=10**9)
    assert trigger(policy, waiting(pending=1, age_s=age_s), Moment(NOON_S, last_s, None)) == expected


def test_decide__trigger__first_the_rest_then_the_join() -> None:
    old = 4_000.0
    assert decide(POLICY, waiting(pending=5, ready=256, age_s=old), NOW) == Decision(5, False, "age")
    proving = waiting(proving=5, ready=256, has_partial=True, age_s=old)
    assert decide(POLICY, proving, NOW) == Decision(0, False, "age")
    ready = waiting(ready=261, has_partial=True, age_s=old)
    assert decide(POLICY, ready, NOW) == Decision(0, True, "age")


def test_decide__late_comers__do_not_hold_the_join_up() -> None:
    late = waiting(pending=3, ready=261, has_partial=True, age_s=4_000)
    assert decide(POLICY, late, NOW) == Decision(0, True, "age")


def test_decide__chunks_never_stop_coming__joined_when_overdue_or_full() -> None:
    assert decide(POLICY, waiting(proving=256, ready=2_000, age_s=4_199), NOW).join is False
    assert decide(POLICY, waiting(proving=256, ready=2_000, age_s=4_200), NOW).join is True
    assert decide(POLICY, waiting(proving=256, ready=3_968), NOW).join is True


COUNTS = st.integers(min_value=0, max_value=30_000)
AGES = st.floats(min_value=0, max_value=10**6)
PRICES = st.builds(Prices, *([st.integers(min_value=0, max_value=10**12)] * 3))
POLICIES = st.builds(
    Policy,
    chunk_proofs=st.integers(1, 300),
    max_proofs=st.integers(300, 23_808),
    risc0_max_proofs=st.integers(1, 23_808),
    min_proofs=st.integers(1, 23_808),
    max_age_s=st.floats(1, 10**5),
    join_wait_s=st.floats(0, 10**4),
    max_fee_wei_per_proof=st.integers(0, 10**15),
    costs=st.just(COSTS),
    daily_at_s=st.one_of(st.none(), st.integers(0, 86_399)),
)
MOMENTS = st.builds(
    Moment,
    st.floats(10**9, 2 * 10**9),
    st.one_of(st.none(), st.floats(0, 2 * 10**9)),
    st.one_of(st.none(), PRICES),
)


@given(POLICIES, COUNTS, COUNTS, COUNTS, st.booleans(), AGES, MOMENTS)
def test_decide__anything__claims_what_is_there_and_joins_what_is_ready(
    policy: Policy, pending: int, proving: int, ready: int, partial: bool, age_s: float, moment: Moment
) -> None:
    total = pending + proving + ready
    queue = waiting(pending, proving, ready, has_partial=partial, age_s=age_s if total else None)
    decision = decide(policy, queue, moment)
    assert 0 <= decision.claim <= min(pending, policy.chunk_proofs)
    assert not (decision.claim and decision.join)
    assert not decision.join or (ready > 0 and decision.reason)
    # A chunk that is not full is made because of a trigger only.
    assert decision.claim in {0, policy.chunk_proofs} or decision.reason
    assert decision.reason or not total or age_s < policy.max_age_s


@given(POLICIES, COUNTS, COUNTS, AGES, MOMENTS)
def test_decide__overdue__something_always_happens(
    policy: Policy, pending: int, ready: int, extra_s: float, moment: Moment
) -> None:
    """Nothing waits for ever: with age and patience used up, the queue or the proved chunks move."""
    if pending + ready == 0:
        return
    age_s = policy.max_age_s + policy.join_wait_s + extra_s
    decision = decide(policy, waiting(pending, 0, ready, age_s=age_s), moment)
    assert decision.claim or decision.join


@given(PRICES, st.integers(1, 3_967))
def test_fee_per_proof__one_more_in_the_same_blob__never_dearer(prices: Prices, count: int) -> None:
    assert fee_per_proof_wei(POLICY, prices, count + 1) <= fee_per_proof_wei(POLICY, prices, count)


def test_policy__of_a_system__risc0_has_its_own_limit_and_no_larger_chunk() -> None:
    sp1, risc0 = AggregationSystem.SP1, AggregationSystem.RISC0
    assert POLICY.of(sp1) == POLICY
    assert (POLICY.of(risc0).max_proofs, POLICY.of(risc0).chunk_proofs) == (256, 256)
    small = replace(POLICY, risc0_max_proofs=100, max_proofs=200)
    assert (small.of(risc0).max_proofs, small.of(risc0).chunk_proofs) == (100, 100)
    assert (small.of(sp1).max_proofs, small.of(sp1).chunk_proofs) == (200, 200)
    assert replace(small, max_proofs=50).of(risc0).max_proofs == 50
    assert trigger(POLICY.of(risc0), waiting(pending=256), NOW) == "count"
    assert trigger(POLICY, waiting(pending=256), NOW) == ""
