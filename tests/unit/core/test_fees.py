"""Fee formulas: rounded up, falling with the size of the batch, rising with the gas price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core import fees

GAS_PRICES = st.integers(1, 10**12)
SIZES = st.integers(1, 5_000)


@given(SIZES, GAS_PRICES)
def test_fee_per_proof__any_batch__covers_its_cost_and_little_more(proofs: int, gas_price_wei: int) -> None:
    gas = fees.CREATE_TASK_BASE_GAS + fees.EXTRA_GAS_PER_PROOF * proofs
    cost = gas * fees.bumped_gas_price_wei(gas_price_wei) + fees.fee_for_aggregator_wei(gas_price_wei)
    collected = proofs * fees.fee_per_proof_wei(proofs, gas_price_wei)
    assert cost <= collected < cost + proofs


@given(SIZES, GAS_PRICES)
def test_fee_per_proof__larger_batch__is_not_dearer(proofs: int, gas_price_wei: int) -> None:
    assert fees.fee_per_proof_wei(proofs + 1, gas_price_wei) <= fees.fee_per_proof_wei(proofs, gas_price_wei)


@given(GAS_PRICES)
def test_min_max_fee__any_gas_price__is_the_price_in_a_batch_of_32(gas_price_wei: int) -> None:
    assert fees.min_max_fee_wei(gas_price_wei) == fees.fee_per_proof_wei(32, gas_price_wei)


@given(st.integers(1, 10**20))
def test_min_replacement_fee__any_fee__is_ten_percent_more_rounded_up(old_wei: int) -> None:
    new_wei = fees.min_replacement_fee_wei(old_wei)
    assert 10 * new_wei >= 11 * old_wei
    assert 10 * (new_wei - 1) < 11 * old_wei


@given(GAS_PRICES)
def test_fee_for_aggregator__any_gas_price__pays_an_answer_with_margin(gas_price_wei: int) -> None:
    assert fees.fee_for_aggregator_wei(gas_price_wei) >= fees.RESPOND_GAS * gas_price_wei


def test_fee_per_proof__empty_batch__is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one proof"):
        fees.fee_per_proof_wei(0, 1)
