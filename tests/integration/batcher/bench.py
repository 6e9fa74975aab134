"""The batcher's loops without its sockets: each step by hand, over a real database and a chain in memory."""

from __future__ import annotations

from pathlib import Path

from aligned.batcher import batches, queue
from aligned.batcher.accounts import AccountBook
from aligned.batcher.batches import Batch
from aligned.batcher.builder import BatchBuilder, BuildPolicy
from aligned.batcher.follower import BatchFollower
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.ports import TaskChain
from aligned.batcher.poster import BatchPoster, PostingPolicy
from aligned.batcher.rules import Bid
from aligned.batcher.selection import BatchLimits
from aligned.batcher.settlement import Settler
from aligned.batcher.subscriptions import Subscriptions
from aligned.batcher.watch import PostingWatch
from aligned.core.commitment import commit
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from aligned.wire.batch_file import encode_item
from tests.integration.batcher.clients import MAX_FEE_WEI, PAYMENT_SERVICE, User
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.proofs import small

DEPTH = 4
FAR_FUTURE_S = 2**40


class Loops:
    """One batcher's steps. A second one over the same database is what starts after a kill."""

    def __init__(
        self,
        db: Database,
        chain: TaskChain,
        folder: Path,
        payment_service: bytes = PAYMENT_SERVICE,
        *,
        min_percent: int = 0,
        give_up_after_s: float = 60.0,
    ) -> None:
        self.db = db
        self.market = MarketFeed(chain, 60.0)
        self.watch = PostingWatch(900.0)
        self.subscriptions = Subscriptions(payment_service)
        self.metrics = BatcherMetrics()
        accounts = AccountBook(chain, self.market.latest_block)
        policy = BuildPolicy(BatchLimits(100, 10**9), frozenset(), 32, 100)
        self.builder = BatchBuilder(
            db, chain, accounts, self.subscriptions, self.metrics, payment_service, policy
        )
        self.poster = BatchPoster(
            db=db,
            chain=chain,
            store=ObjectStore.from_url(str(folder), "http://127.0.0.1:1"),
            builder=self.builder,
            market=self.market,
            subscriptions=self.subscriptions,
            metrics=self.metrics,
            watch=self.watch,
            policy=PostingPolicy(1, 125, give_up_after_s),
        )
        self.follower = BatchFollower(db, chain, self.market, self.subscriptions, self.metrics, DEPTH)
        self.settler = Settler(
            db,
            chain,
            self.market,
            min_percent=min_percent,
            final_depth=DEPTH,
            give_up_after_s=give_up_after_s,
        )

    async def put(self, user: User, *nonces: int, max_fee_wei: int = MAX_FEE_WEI) -> None:
        """Accepted proofs, each of its own (salted by sender and nonce)."""
        async with self.db.transaction() as conn:
            for nonce in nonces:
                data = small(int.from_bytes(user.address[-4:], "big") * 1_000 + nonce)
                item = encode_item(data)
                bid = Bid(nonce, commit(data).leaf, max_fee_wei, len(item))
                system = data.proving_system
                await queue.insert(conn, user.address, bid, system, item, FAR_FUTURE_S, bytes(65))

    async def post(self) -> None:
        """Steps until nothing is left to do at once."""
        await self.market.refresh()
        for _ in range(20):
            if not await self.poster.step():
                return
        raise AssertionError("posting comes to no end")

    async def settle(self) -> None:
        """One page."""
        await self.market.refresh()
        await self.settler.step()

    async def batches(self) -> list[Batch]:
        """All, by number."""
        async with self.db.transaction() as conn:
            return await batches.select(conn, "TRUE ORDER BY number")

    async def batch(self, number: int) -> Batch:
        """One of them."""
        return next(batch for batch in await self.batches() if batch.number == number)

    async def rows(self, user: User) -> dict[int, str]:
        """State of a sender's newest submission for each nonce."""
        async with self.db.transaction() as conn:
            found = await conn.execute(
                "SELECT nonce, state FROM submission WHERE sender = %s ORDER BY id", (user.address,)
            )
            return {row["nonce"]: row["state"] for row in await found.fetchall()}

    async def is_final(self, number: int) -> bool:
        """Whether a batch is followed no more."""
        async with self.db.transaction() as conn:
            row = await (
                await conn.execute("SELECT final FROM batch WHERE number = %s", (number,))
            ).fetchone()
        assert row is not None
        return bool(row["final"])


class Bench(Loops):
    """The loops over a chain in memory that mines when the test says so."""

    def __init__(self, db: Database, chain: FakeChain, folder: Path, *, min_percent: int = 0) -> None:
        chain.mines_itself = False
        self.chain = chain
        super().__init__(db, chain, folder, min_percent=min_percent)

    async def posted(self, user: User, *nonces: int) -> Batch:
        """A batch of new proofs, on chain."""
        await self.put(user, *nonces)
        self.chain.mine()
        await self.post()
        batch = (await self.batches())[-1]
        assert batch.state == "posted"
        return batch

    async def verified(self, user: User, *nonces: int) -> Batch:
        """A batch of new proofs, answered."""
        batch = await self.posted(user, *nonces)
        self.chain.answer(batch.root)
        await self.follow()
        return await self.batch(batch.number)

    async def follow(self, blocks: int = 1) -> None:
        """Some blocks, each of them looked at."""
        for _ in range(blocks):
            self.chain.mine()
            await self.market.refresh()
            await self.follower.step()
