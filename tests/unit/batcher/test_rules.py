"""Nonce, balance, fee and room on plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from aligned.batcher.model import Account, Market, QueuedProof, State
from aligned.batcher.rules import (
    Bid,
    LiveEntry,
    QueueTotals,
    Rival,
    Role,
    Room,
    check_balance,
    check_fee,
    check_room,
    nonce_role,
    outbid,
)
from aligned.core.errors import AlignedError

ACCOUNT = Account(nonce=3, balance_wei=1_000, unlock_time_s=0, fee_cap_wei=10**18)
LEAF, OTHER = b"\x01" * 32, b"\x02" * 32


def bid(nonce: int, fee: int = 100, leaf: bytes = LEAF, size: int = 10) -> Bid:
    return Bid(nonce, leaf, fee, size)


def entry(
    nonce: int, fee: int = 100, state: str = State.QUEUED, leaf: bytes = LEAF, size: int = 10
) -> LiveEntry:
    return LiveEntry(nonce, leaf, fee, size, state)


def code_of(check: Callable[[], object]) -> str:
    with pytest.raises(AlignedError) as caught:
        check()
    return caught.value.code


@pytest.mark.parametrize(
    ("wanted", "live", "role"),
    [
        (bid(3), [], Role.NEW),
        (bid(5), [entry(3), entry(4)], Role.NEW),
        (bid(4), [entry(3, state=State.VERIFIED)], Role.NEW),
        (bid(3), [entry(3)], Role.DUPLICATE),
        (bid(3), [entry(3, state=State.BUILDING)], Role.DUPLICATE),
        (bid(2), [entry(2, state=State.POSTED)], Role.DUPLICATE),
        (bid(3, fee=110), [entry(3)], Role.REPLACEMENT),
        (bid(3, fee=110, leaf=OTHER), [entry(3), entry(4)], Role.REPLACEMENT),
    ],
)
def test_nonce_role__acceptable__its_role(wanted: Bid, live: list[LiveEntry], role: Role) -> None:
    assert nonce_role(wanted, ACCOUNT, live) is role


@pytest.mark.parametrize(
    ("wanted", "live", "code"),
    [
        (bid(4), [], "nonce_too_high"),
        (bid(6), [entry(3), entry(4)], "nonce_too_high"),
        (bid(2), [], "nonce_used"),
        (bid(2, leaf=OTHER), [entry(2, state=State.POSTED)], "nonce_used"),
        (bid(3, fee=200), [entry(3, state=State.BUILDING)], "nonce_used"),
        (bid(3, fee=109), [entry(3)], "underpriced_replacement"),
        (bid(3, fee=100, leaf=OTHER), [entry(3)], "underpriced_replacement"),
        (bid(3, fee=99), [entry(3)], "underpriced_replacement"),
    ],
)
def test_nonce_role__not_acceptable__code(wanted: Bid, live: list[LiveEntry], code: str) -> None:
    assert code_of(lambda: nonce_role(wanted, ACCOUNT, live)) == code


def test_check_balance__queued_and_building_count__charged_ones_do_not() -> None:
    live = [entry(3, 300), entry(4, 300, State.BUILDING), entry(2, 5_000, State.POSTED)]
    check_balance(bid(5, 400), ACCOUNT, live)
    assert code_of(lambda: check_balance(bid(5, 401), ACCOUNT, live)) == "insufficient_balance"
    check_balance(bid(3, 700), ACCOUNT, live)
    assert code_of(lambda: check_balance(bid(3, 701), ACCOUNT, live)) == "insufficient_balance"


def test_check_balance__withdrawable_funds__refused() -> None:
    unlocked = Account(3, 10**18, 1, 10**18)
    assert code_of(lambda: check_balance(bid(3), unlocked, [])) == "funds_unlocked"


def test_check_fee__offer_is_the_lower_one_of_max_fee_and_cap() -> None:
    market = Market(1, 10, 0, 0)
    least = market.min_max_fee_wei(32)
    check_fee(bid(3, least), ACCOUNT, market, 32)
    assert code_of(lambda: check_fee(bid(3, least - 1), ACCOUNT, market, 32)) == "fee_too_low"
    capped = Account(3, 10**18, 0, least - 1)
    assert code_of(lambda: check_fee(bid(3, 2 * least), capped, market, 32)) == "fee_too_low"


def test_check_room__count_and_bytes_of_the_sender() -> None:
    limit = QueueTotals(2, 30)
    check_room(bid(5), [entry(3)], limit)
    check_room(bid(4), [entry(3), entry(4)], limit)
    for live, size in (([entry(3), entry(4)], 10), ([entry(3)], 21)):
        assert code_of(lambda: check_room(bid(5, size=size), live, limit)) == "queue_full"  # noqa: B023


def rival(id_: int, worth: int, size: int = 10) -> Rival:
    return Rival(QueuedProof(id_, b"\x0a" * 20, id_, LEAF, worth, 4, size, 0), worth)


def test_outbid__queue_with_room__nobody_makes_way() -> None:
    assert outbid(bid(3), ACCOUNT, Room(QueueTotals(4, 90), (rival(1, 1),)), QueueTotals(5, 100)) == []


@pytest.mark.parametrize(
    ("fee", "size", "gone"),
    [(110, 10, [1]), (109, 10, None), (999, 11, [1, 2]), (999, 31, None), (219, 11, None), (220, 11, [1, 2])],
)
def test_outbid__full_queue__cheapest_make_way_for_a_tenth_more(
    fee: int, size: int, gone: list[int] | None
) -> None:
    room = Room(QueueTotals(5, 100), (rival(1, 100), rival(2, 200), rival(3, 900)))
    limit = QueueTotals(5, 100)
    if gone is None:
        assert code_of(lambda: outbid(bid(3, fee, size=size), ACCOUNT, room, limit)) == "queue_full"
    else:
        assert [p.id for p in outbid(bid(3, fee, size=size), ACCOUNT, room, limit)] == gone


def test_outbid__cap_on_chain_below_the_offer__the_cap_counts() -> None:
    capped = replace(ACCOUNT, fee_cap_wei=109)
    room = Room(QueueTotals(5, 50), (rival(1, 100),))
    assert code_of(lambda: outbid(bid(3, 10**6), capped, room, QueueTotals(5, 100))) == "queue_full"
