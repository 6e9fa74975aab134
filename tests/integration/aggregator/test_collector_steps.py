"""One step of the collector at a time, while chain, votes or its own end come between two awaits of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from aligned.chain.contracts import BatchStatus
from tests.integration.aggregator.steps import (
    Aggregator,
)
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at


async def _voted(parts: Aggregator) -> None:
    await parts.open()
    await parts.vote(0)
    await parts.vote(1)


async def _fixed(parts: Aggregator) -> None:
    await _voted(parts)
    await parts.until("responding")


BEFORE: dict[str, Callable[[Aggregator], Awaitable[None]]] = {
    "prepare": Aggregator.begin,
    "collect": _voted,
    "answer": _fixed,
}


@pytest.mark.parametrize("step", sorted(BEFORE))
async def test_collector__cancelled_at_each_await__task_is_answered_once(
    parts: Aggregator, step: str
) -> None:
    async def one(number: int) -> Run:
        await BEFORE[step](parts)
        return await cancel_at(parts.step, number)

    async def check(number: int, run: Run) -> None:
        if step == "prepare":
            await parts.until("open")
            await parts.vote(0)
            await parts.vote(1)
        await parts.until("responding")
        calldata = (await parts.row())["respond_calldata"]
        await parts.free()
        await parts.step()
        await parts.answered_on_chain()
        assert await parts.state() == "answered", f"await {number}: {run}"
        assert {data for _key, data in parts.world.sent} == {calldata}
        assert len({key for key, _data in parts.world.sent}) == 1

    assert await at_each_await(one, check) > 3


@pytest.mark.parametrize("step", sorted(BEFORE))
async def test_collector__answered_by_somebody_else_at_each_await__ends_and_stays_ended(
    parts: Aggregator, step: str
) -> None:
    async def one(number: int) -> Run:
        await BEFORE[step](parts)
        return await act_at(parts.step, number, parts.answered_on_chain)

    async def check(number: int, run: Run) -> None:
        assert run.error is None, f"await {number}: {run}"
        if run.blocked:
            await parts.answered_on_chain()
        if run.reached:
            for _ in range(3):
                await parts.free()
                assert not await parts.step(), f"await {number}: worked on after its end"
            assert await parts.state() == "answered", f"await {number}"

    assert await at_each_await(one, check) > 3


async def test_prepare__block_is_another_one_at_each_await__set_of_the_new_block_counts(
    parts: Aggregator,
) -> None:
    async def one(number: int) -> Run:
        await parts.begin()
        return await act_at(parts.step, number, parts.reorganised)

    async def check(number: int, run: Run) -> None:
        assert run.error is None, f"await {number}: {run}"
        if run.blocked:
            await parts.reorganised()
        await parts.until("open")
        expected = {key.operator_id() for key in parts.world.keys}
        found = {op.operator_id for op in (await parts.tally()).operators}
        assert found == expected, f"await {number}: the old block's operators"

    assert await at_each_await(one, check) > 5


@pytest.mark.parametrize("step", ["collect", "answer"])
async def test_collector__vote_comes_at_each_await__it_is_kept_and_the_answer_is_one(
    parts: Aggregator, step: str
) -> None:
    async def one(number: int) -> Run:
        await BEFORE[step](parts)
        return await act_at(parts.step, number, lambda: parts.vote(2))

    async def check(number: int, run: Run) -> None:
        assert run.error is None, f"await {number}: {run}"
        if run.blocked:
            await parts.vote(2)
        if run.reached:
            assert len((await parts.tally()).signatures) == 3, f"await {number}: a vote is lost"
        await parts.until("responding")
        for _ in range(2):
            await parts.free()
            await parts.step()
        assert len({data for _key, data in parts.world.sent}) == 1

    assert await at_each_await(one, check) > 3


@pytest.mark.parametrize("status", [BatchStatus.PENDING, BatchStatus.UNKNOWN])
async def test_collector__answer_leaves_the_chain_at_each_await__it_is_given_again(
    parts: Aggregator, status: BatchStatus
) -> None:
    async def take_back() -> None:
        if parts.world.sent:
            parts.world.status = status

    async def one(number: int) -> Run:
        await _fixed(parts)
        return await act_at(parts.step, number, take_back)

    async def check(number: int, run: Run) -> None:
        assert run.error is None, f"await {number}: {run}"
        assert await parts.state() == "responding", f"await {number}: given up within its window"
        await parts.free()
        await parts.step()
        assert parts.world.status is BatchStatus.VERIFIED, f"await {number}: not answered again"

    assert await at_each_await(one, check) > 5
