"""The batcher's reading loops, broken off at each of their awaits: the next round tells and knows everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aligned.batcher import queue
from aligned.batcher.market import MarketFeed
from aligned.batcher.model import Market
from aligned.batcher.reconcile import Reconciler
from aligned.batcher.subscriptions import News, ProofKey, Subscriptions
from aligned.storage.postgres import Database
from aligned.wire.batcher_replies import Dialect, HelloDialect, Inclusion
from tests.integration.batcher.clients import PAYMENT_SERVICE
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.world import World
from tests.outside.awaits import Run, at_each_await, cancel_at


class Listener:
    """A connection that notes what it is told."""

    def __init__(self) -> None:
        self.dialect: Dialect = HelloDialect()
        self.heard: list[str] = []

    def tell(self, key: ProofKey, news: News) -> None:
        self.heard.append("included" if isinstance(news, Inclusion) else str(news))

    def tell_status(self, key: ProofKey, state: str) -> None:
        self.heard.append(state)


class SlowChain(FakeChain):
    """Takes its time for prices."""

    async def market(self) -> Market:
        for _ in range(3):
            await asyncio.sleep(0)
        return await super().market()


async def test_reconcile__cancelled_at_each_await__the_next_round_tells_everything_once(
    db: Database, tmp_path: Path
) -> None:
    listener: Listener
    reconciler: Reconciler

    async def one(number: int) -> Run:
        nonlocal listener, reconciler
        world = await World.fresh(db, tmp_path)
        await world.bench.put(world.user, 0)
        async with db.transaction() as conn:
            stored = await queue.by_nonce(conn, world.user.address, 0)
        assert stored is not None
        listener, subscriptions = Listener(), Subscriptions(PAYMENT_SERVICE)
        subscriptions.add(stored, listener)
        # Another process posts and follows it: this one's connections hear nothing of that.
        batch = await world.bench.posted(world.user)
        world.chain.answer(batch.root)
        await world.bench.follow()
        reconciler = Reconciler(db, subscriptions)
        return await cancel_at(reconciler.step, number)

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        assert listener.heard in ([], ["included", "verified"])
        assert not await reconciler.step()
        assert listener.heard == ["included", "verified"]

    assert await at_each_await(one, check) > 2


async def test_market__cancelled_at_each_await__the_next_round_works() -> None:
    market: MarketFeed

    async def one(number: int) -> Run:
        nonlocal market
        market = MarketFeed(SlowChain(), 60.0)
        return await cancel_at(market.refresh, number)

    async def check(number: int, run: Run) -> None:
        assert run.error is None
        assert (market.latest_block() == 0) is run.cancelled
        assert not await market.refresh()
        assert market.current().block == market.latest_block() > 0

    assert await at_each_await(one, check) > 2
