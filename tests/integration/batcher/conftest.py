"""A batcher over a real database, real verifiers and a real socket, with a chain in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from eth_account import Account

from aligned.batcher.context import Context
from aligned.batcher.poster import BatchPoster
from aligned.batcher.receipts import ReceiptSigner
from aligned.batcher.service import Batcher
from aligned.devnet.process import free_port
from aligned.settings import BatcherSettings, RetentionSettings
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database, migrate
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import CHAIN_ID, PAYMENT_SERVICE, HelloClient, User
from tests.integration.batcher.fake_chain import GWEI, FakeChain
from tests.integration.batcher.proofs import small

BATCHER_KEY = "0x" + "42" * 32


@dataclass
class Running:
    """A batcher that listens."""

    port: int
    chain: FakeChain
    db: Database
    signer: ReceiptSigner
    store: ObjectStore
    metrics_port: int
    poster: BatchPoster

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def next_head(self) -> None:
        """A new block, which the batcher has seen: what it knew of accounts before does not count any more."""
        self.chain.mine()

        async def is_seen() -> bool:
            answer = await self.get("/readyz")
            return bool(answer.json().get("block") == self.chain.prices.block)

        await eventually(is_seen)

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def metrics(self) -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text


async def eventually(check: Callable[[], Awaitable[bool]], tries: int = 400) -> None:
    """Waits until `check` holds."""
    for _ in range(tries):
        if await check():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come true")


@asynccontextmanager
async def running_batcher(
    db: Database,
    chain: FakeChain,
    pool: VerifierPool,
    folder: Path,
    *,
    max_head_age_s: float | None = None,
    **changes: object,
) -> AsyncIterator[Running]:
    """Starts a batcher and stops it at the end."""
    signer = ReceiptSigner(Account.from_key(BATCHER_KEY), CHAIN_ID, PAYMENT_SERVICE)
    store = ObjectStore.from_url(str(folder), "http://127.0.0.1:1")
    settings = BatcherSettings.model_validate(
        {"port": 0, "metrics_port": free_port(), "final_depth_blocks": 4} | changes
    )
    context = Context(
        settings,
        0.05,
        CHAIN_ID,
        PAYMENT_SERVICE,
        db,
        chain,
        store,
        pool,
        signer,
        RetentionSettings(),
        max_head_age_s=max_head_age_s,
    )
    batcher, stop = Batcher(context), asyncio.Event()
    task = asyncio.create_task(batcher.run(stop))
    await asyncio.wait((task, batcher.port), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    running = Running(await batcher.port, chain, db, signer, store, settings.metrics_port, batcher._poster)

    async def has_market() -> bool:
        return (await running.get("/readyz")).status_code == 200

    await eventually(has_market)
    try:
        yield running
    finally:
        stop.set()
        await task


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def user(chain: FakeChain) -> User:
    """A user with money."""
    user = User(0xA11CE)
    chain.fund(user.address)
    return user


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with Database(postgres) as db:
        await migrate(db, "batcher")
        yield db


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[VerifierPool]:
    async with VerifierPool(2) as pool:
        yield pool


@pytest_asyncio.fixture
async def batcher(
    db: Database, chain: FakeChain, pool: VerifierPool, tmp_path: Path
) -> AsyncIterator[Running]:
    async with running_batcher(db, chain, pool, tmp_path / "store") as running:
        yield running


@pytest_asyncio.fixture
async def client(batcher: Running, user: User) -> AsyncIterator[HelloClient]:
    """A client whose server must still accept a valid proof when the test is over, and holds nothing else."""
    async with HelloClient(batcher.url) as client:
        yield client
    async with HelloClient(batcher.url) as after:
        batcher.chain.fund(user.address)
        batcher.chain.set_market(disabled_systems=0, gas_price_wei=GWEI)
        await batcher.next_head()
        nonce = (await batcher.get(f"/v1/nonce/0x{user.address.hex()}")).json()["nonce"]
        assert "Receipt" in await after.ask(user.message(small(99), nonce))
    async with batcher.db.transaction() as conn:
        rows = await (await conn.execute("SELECT leaf FROM submission")).fetchall()
    assert len(rows) == 1 + nonce, "a refused proof left something behind"
