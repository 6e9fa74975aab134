"""A batch that was built before something changed is not posted as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from aligned.core.types import ProvingSystem
from aligned.storage.objects import ObjectStore
from tests.integration.batcher.clients import HelloClient, User
from tests.integration.batcher.conftest import Running, eventually
from tests.integration.batcher.helpers import hold_blocks, states, submit


@dataclass
class Held:
    """A client whose batch is built, and waits for its upload until `go`."""

    client: HelloClient
    go: asyncio.Event
    batcher: Running

    async def market_is(self, **changes: int) -> None:
        chain = self.batcher.chain
        chain.set_market(**changes)
        chain.mine(3)

        async def known() -> bool:
            return bool((await self.batcher.get("/readyz")).json()["block"] == chain.prices.block)

        await eventually(known)
        self.go.set()


@pytest_asyncio.fixture
async def held(batcher: Running, user: User, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Held]:
    go = asyncio.Event()
    put = ObjectStore.put

    async def slow_put(store: ObjectStore, key: str, data: bytes) -> None:
        await go.wait()
        await put(store, key, data)

    monkeypatch.setattr(ObjectStore, "put", slow_put)
    await hold_blocks(batcher)
    async with HelloClient(batcher.url) as client:
        # A hundred times the least fee: enough at any price of these tests.
        await submit(client, user, 0, max_fee_wei=10**17)
        batcher.chain.mine(3)
        assert (await client.next("Status"))["state"] == "building"
        yield Held(client, go, batcher)


async def test_post__gas_jumped_since_it_was_built__built_again_at_the_new_price(held: Held) -> None:
    await held.market_is(gas_price_wei=3 * held.batcher.chain.prices.gas_price_wei)
    assert (await held.client.next("Status"))["state"] == "queued"
    await held.client.next("BatchInclusionData")
    (sent,) = held.batcher.chain.sent
    assert sent.task.fee_per_proof_wei == held.batcher.chain.prices.fee_per_proof_wei(1)


async def test_post__gas_within_the_margin__goes_out_as_it_is(held: Held) -> None:
    before = held.batcher.chain.prices
    await held.market_is(gas_price_wei=before.gas_price_wei * 108 // 100)
    await held.client.next("BatchInclusionData")
    (sent,) = held.batcher.chain.sent
    assert sent.task.fee_per_proof_wei == before.fee_per_proof_wei(1)


async def test_post__least_answer_fee_raised__built_again_with_it(held: Held) -> None:
    least_wei = 2 * held.batcher.chain.prices.answer_fee_wei()
    await held.market_is(min_answer_fee_wei=least_wei)
    await held.client.next("BatchInclusionData")
    (sent,) = held.batcher.chain.sent
    assert sent.task.answer_fee_wei == least_wei


async def test_post__system_switched_off_since_it_was_built__not_posted(held: Held, user: User) -> None:
    await held.market_is(disabled_systems=1 << ProvingSystem.RISC0)
    assert (await held.client.next("Dropped"))["code"] == "verifier_disabled"
    assert held.batcher.chain.sent == []
    assert await states(held.batcher.db, user) == {0: "failed"}
