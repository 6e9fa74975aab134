"""Prices count while they were read a moment ago, from a block that is not old."""

from __future__ import annotations

from typing import cast

import pytest

from aligned.batcher.market import MarketFeed
from aligned.batcher.model import Market
from aligned.batcher.ports import TaskChain
from aligned.core.errors import DependencyError

NOW_S = 1_700_000_000


class Chain:
    def __init__(self, timestamp_s: int | None) -> None:
        self.timestamp_s = timestamp_s

    async def market(self) -> Market:
        return Market(7, 10**9, 0, 0, self.timestamp_s)


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def fed(timestamp_s: int | None, max_block_age_s: float | None) -> tuple[MarketFeed, Clock, Clock]:
    clock, wall = Clock(0.0), Clock(float(NOW_S))
    feed = MarketFeed(cast("TaskChain", Chain(timestamp_s)), 60.0, max_block_age_s, clock, wall)
    await feed.refresh()
    return feed, clock, wall


async def test_market__block_at_its_greatest_age_and_above__counts_then_not() -> None:
    feed, _, wall = await fed(NOW_S - 100, 120.0)
    wall.now += 20
    assert feed.current().block == 7
    wall.now += 1
    with pytest.raises(DependencyError, match="block 7 is 121 s old") as caught:
        feed.current()
    assert caught.value.code == "head_frozen"
    assert feed.latest_block() == 7


@pytest.mark.parametrize(("timestamp_s", "limit_s"), [(NOW_S - 10**6, None), (None, 120.0)])
async def test_market__devnet_that_mines_on_demand__old_block_counts(
    timestamp_s: int | None, limit_s: float | None
) -> None:
    feed, _, _ = await fed(timestamp_s, limit_s)
    assert feed.current().block == 7


async def test_market__not_asked_for_too_long__does_not_count() -> None:
    feed, clock, _ = await fed(NOW_S, 120.0)
    clock.now = 60.0
    feed.current()
    clock.now = 60.1
    with pytest.raises(DependencyError) as caught:
        feed.current()
    assert caught.value.code == "chain_unavailable"
