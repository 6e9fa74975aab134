"""Fee arithmetic of the sender."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aligned.chain.fees import Fees, bumped, market_fees

WEI = st.integers(min_value=0, max_value=10**14)


def test_market_fees__ordinary__twice_the_base_fee_and_the_tip() -> None:
    assert market_fees(100, 7, 10**9) == Fees(207, 7)


@given(WEI, WEI, st.integers(min_value=1, max_value=10**14))
def test_market_fees__any__tip_within_max_within_cap(base: int, tip: int, cap: int) -> None:
    fees = market_fees(base, tip, cap)
    assert 0 <= fees.priority_fee_wei <= fees.max_fee_wei <= cap


@given(WEI, WEI, WEI, WEI)
def test_bumped__any__both_fees_an_eighth_higher(
    max_fee: int, tip: int, market_max: int, market_tip: int
) -> None:
    old = Fees(max_fee, min(tip, max_fee))
    new = bumped(old, Fees(market_max, min(market_tip, market_max)), 10**18)
    assert new is not None
    assert new.max_fee_wei * 8 >= old.max_fee_wei * 9
    assert new.priority_fee_wei * 8 >= old.priority_fee_wei * 9
    assert new.max_fee_wei >= max(market_max, new.priority_fee_wei)


def test_bumped__above_the_cap__none() -> None:
    assert bumped(Fees(100, 1), Fees(1, 1), 112) is None
    assert bumped(Fees(100, 1), Fees(1, 1), 113) == Fees(113, 2)
