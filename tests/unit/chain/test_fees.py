"""Fee arithmetic of the sender."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aligned.chain.fees import Caps, Fees, Prices, bumped, market_fees, too_dear

WEI = st.integers(min_value=0, max_value=10**14)
POSITIVE = st.integers(min_value=1, max_value=10**14)
FAR = Caps(10**18, 10**18)


def test_market_fees__ordinary__twice_the_base_fee_and_the_tip() -> None:
    assert market_fees(Prices(100, 7), Caps(10**9)) == Fees(207, 7)


def test_market_fees__blobs__twice_the_blob_base_fee_too() -> None:
    assert market_fees(Prices(100, 7, 30), FAR) == Fees(207, 7, 60)
    assert market_fees(Prices(100, 7, 0), FAR) == Fees(207, 7, 2)


@given(WEI, WEI, WEI, POSITIVE, POSITIVE)
def test_market_fees__any__tip_within_max_within_caps(
    base: int, tip: int, blob_base: int, cap: int, blob_cap: int
) -> None:
    caps = Caps(cap, blob_cap)
    fees = market_fees(Prices(base, tip, blob_base), caps)
    assert 0 <= fees.priority_fee_wei <= fees.max_fee_wei <= cap
    assert 0 < fees.blob_fee_wei <= blob_cap
    assert caps.allow(fees)
    # What is within the caps holds at least for the next block.
    assert too_dear(Prices(base, tip, blob_base), caps) or (
        fees.max_fee_wei >= base and fees.blob_fee_wei >= blob_base
    )


@given(WEI, WEI, WEI, WEI)
def test_bumped__any__both_fees_an_eighth_higher(
    max_fee: int, tip: int, market_max: int, market_tip: int
) -> None:
    old = Fees(max_fee, min(tip, max_fee))
    new = bumped(old, Fees(market_max, min(market_tip, market_max)), FAR)
    assert new is not None
    assert new.max_fee_wei * 8 >= old.max_fee_wei * 9
    assert new.priority_fee_wei * 8 >= old.priority_fee_wei * 9
    assert new.max_fee_wei >= max(market_max, new.priority_fee_wei)
    assert new.blob_fee_wei == 0


@given(WEI, WEI, POSITIVE, WEI, WEI, POSITIVE)
def test_bumped__with_blobs__all_three_fees_double(
    max_fee: int, tip: int, blob_fee: int, market_max: int, market_tip: int, market_blob: int
) -> None:
    old = Fees(max_fee, min(tip, max_fee), blob_fee)
    new = bumped(old, Fees(market_max, min(market_tip, market_max), market_blob), FAR)
    assert new is not None
    assert new.max_fee_wei >= max(2 * old.max_fee_wei, market_max, new.priority_fee_wei, 1)
    assert new.priority_fee_wei >= max(2 * old.priority_fee_wei, 1)
    assert new.blob_fee_wei >= max(2 * old.blob_fee_wei, market_blob)


def test_bumped__above_a_cap__none() -> None:
    assert bumped(Fees(100, 1), Fees(1, 1), Caps(112)) is None
    assert bumped(Fees(100, 1), Fees(1, 1), Caps(113)) == Fees(113, 2)
    assert bumped(Fees(100, 1, 50), Fees(1, 1, 1), Caps(200, 99)) is None
    assert bumped(Fees(100, 1, 50), Fees(1, 1, 1), Caps(199, 100)) is None
    assert bumped(Fees(100, 1, 50), Fees(1, 1, 1), Caps(200, 100)) == Fees(200, 2, 100)


def test_too_dear__base_or_blob_base_fee_above_its_cap() -> None:
    assert too_dear(Prices(11, 1, 5), Caps(10, 5))
    assert too_dear(Prices(10, 1, 6), Caps(10, 5))
    assert not too_dear(Prices(10, 1, 5), Caps(10, 5))
    assert not too_dear(Prices(10, 1), Caps(10))
