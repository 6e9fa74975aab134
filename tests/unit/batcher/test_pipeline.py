"""Reservations of nonces and the budget of bytes."""

from __future__ import annotations

import asyncio

import pytest

from aligned.batcher.budget import ByteBudget
from aligned.batcher.reservations import Reservations
from aligned.batcher.rules import Bid
from aligned.core.errors import ProtocolError

ALICE = b"\x01" * 20


def bid(nonce: int) -> Bid:
    return Bid(nonce, bytes([nonce]) * 32, 5, 100)


async def test_reservations__proof_before_is_refused__later_one_refused_too() -> None:
    held = Reservations()
    with held.hold(ALICE, bid(2)) as later_than_nothing:
        await later_than_nothing.wait_for_turn()
    with pytest.raises(RuntimeError), held.hold(ALICE, bid(0)):
        with held.hold(ALICE, bid(1)) as second:
            waiting = asyncio.create_task(second.wait_for_turn())
            await asyncio.sleep(0)
            assert not waiting.done()
        raise RuntimeError("the proof is wrong")
    with pytest.raises(ProtocolError) as caught:
        await waiting
    assert caught.value.code == "nonce_too_high"
    assert held.entries(ALICE) == []


async def test_reservations__proof_before_is_committed__next_one_goes_on() -> None:
    held = Reservations()
    with held.hold(ALICE, bid(0)):
        second = held.hold(ALICE, bid(1))
        reservation = second.__enter__()
        assert [entry.nonce for entry in held.entries(ALICE)] == [0, 1]
        assert held.of(ALICE, 1) is reservation
        waiting = asyncio.create_task(reservation.wait_for_turn())
        await asyncio.sleep(0)
    await waiting
    second.__exit__(None, None, None)
    assert held.of(ALICE, 1) is None


async def test_budget__full__next_waits_and_a_single_large_piece_passes() -> None:
    budget = ByteBudget(10, 10)
    await budget.acquire("a", 50)
    waiting = [asyncio.create_task(budget.acquire("a", 6)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    budget.release("a", 50)
    await asyncio.sleep(0.01)
    assert [task.done() for task in waiting] == [True, False]
    budget.release("a", 6)
    await waiting[1]


async def test_budget__waiting_task_cancelled__others_still_get_in() -> None:
    budget = ByteBudget(10, 10)
    await budget.acquire("a", 10)
    first, second = (asyncio.create_task(budget.acquire("a", 5)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    budget.release("a", 10)
    await asyncio.wait_for(second, 1)


async def test_budget__one_owner_takes_its_share__others_still_get_in() -> None:
    budget = ByteBudget(10, 6)
    await budget.acquire("a", 6)
    more = asyncio.create_task(budget.acquire("a", 1))
    await asyncio.wait_for(budget.acquire("b", 4), 1)
    assert not more.done()
    budget.release("b", 4)
    await asyncio.sleep(0.01)
    assert not more.done()
    budget.release("a", 6)
    await asyncio.wait_for(more, 1)
