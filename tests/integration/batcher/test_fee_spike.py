"""Gas that costs far more than a batch pays: nothing is bid for it, it is cancelled, and the queue goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from aligned.chain.client import ChainClient
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import DEPTH
from tests.integration.batcher.clients import User
from tests.integration.batcher.real import ETH, GWEI, RealLoops, broken_off
from tests.integration.batcher.test_contracts import answer
from tests.integration.rig import Rig, running_rig

SPIKE_GWEI = 300


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, operators=3, response_window_blocks=100) as rig:
        yield rig


@pytest.fixture
def user(rig: Rig) -> User:
    payer = rig.node.new_account()
    rig.sender(payer).transact(rig.deployment.payment_service, b"", ETH)
    return User(int.from_bytes(payer.key, "big"), bytes.fromhex(rig.deployment.payment_service[2:]))


@pytest_asyncio.fixture
async def client(rig: Rig) -> AsyncIterator[ChainClient]:
    async with ChainClient([rig.node.url], rig.deployment.chain_id) as client:
        yield client


@pytest_asyncio.fixture
async def loops(rig: Rig, db: Database, client: ChainClient, user: User, tmp_path: Path) -> RealLoops:
    loops = RealLoops(rig, db, client, tmp_path / "store", give_up_after_s=0.5, min_percent=200)
    await loops.rpc("evm_setAutomine", False)
    await loops.mine()
    return loops


async def is_pending(loops: RealLoops) -> bool:
    return await loops.rpc("eth_getBlockTransactionCountByNumber", "pending") != "0x0"


async def highest_bid(loops: RealLoops, *, cancels: bool) -> int:
    async with loops.db.transaction() as conn:
        found = await conn.execute(
            "SELECT coalesce(max(max_fee_wei), 0) AS most FROM tx_attempt WHERE is_cancel = %s", (cancels,)
        )
        row = await found.fetchone()
    assert row is not None
    return int(row["most"])


async def until_dissolved(loops: RealLoops, number: int = 1) -> None:
    async def is_dissolved() -> bool:
        return (await loops.batch(number)).state == "failed"

    async with loops.mining(SPIKE_GWEI):
        await loops.until(is_dissolved)


@pytest.mark.parametrize("is_killed", [False, True], ids=["same process", "killed in between"])
async def test_spike__while_pending__never_bid_for_cancelled_and_posted_once_when_it_is_over(
    loops: RealLoops, db: Database, client: ChainClient, user: User, tmp_path: Path, is_killed: bool
) -> None:
    await loops.put(user, 0, max_fee_wei=ETH // 100)
    posting = asyncio.create_task(loops.post())
    await loops.until(lambda: is_pending(loops))
    if is_killed:
        await broken_off(posting)
        loops = RealLoops(loops.rig, db, client, tmp_path / "store", give_up_after_s=0.5)
        await loops.rpc("anvil_setNextBlockBaseFeePerGas", hex(SPIKE_GWEI * GWEI))
        await loops.mine()
        posting = asyncio.create_task(loops.post())
    await until_dissolved(loops)
    await broken_off(posting)
    assert await highest_bid(loops, cancels=False) < 2 * GWEI
    assert await highest_bid(loops, cancels=True) >= SPIKE_GWEI * GWEI
    assert await loops.rows(user) == {0: "queued"}
    # At this price nobody in the queue pays for a batch: none is built.
    async with loops.mining(SPIKE_GWEI):
        await loops.post()
    assert len(await loops.batches()) == 1
    async with loops.mining(1):
        await loops.until(lambda: _is_cheap(loops))
        await loops.post()
    assert await loops.rows(user) == {0: "posted"}
    assert await loops.payments.nonce(user.address) == 1
    assert await highest_bid(loops, cancels=False) < 5 * GWEI


async def _is_cheap(loops: RealLoops) -> bool:
    await loops.market.refresh()
    return loops.market.current().gas_price_wei < 3 * GWEI


async def test_spike__before_sending__nothing_is_sent_or_uploaded_twice(loops: RealLoops, user: User) -> None:
    await loops.put(user, 0, max_fee_wei=ETH // 100)
    await loops.market.refresh()
    assert await loops.poster.step()
    assert await loops.poster.step()
    assert (await loops.batch(1)).state == "uploaded"
    await loops.rpc("anvil_setNextBlockBaseFeePerGas", hex(SPIKE_GWEI * GWEI))
    await loops.mine()
    # The prices that are known are still the old ones: the sender itself finds out.
    assert await loops.poster.step()
    assert (await loops.batch(1)).state == "failed"
    assert await highest_bid(loops, cancels=False) == 0
    assert await loops.rows(user) == {0: "queued"}


async def test_spike__while_a_settle_is_pending__given_up_and_returned_later(
    loops: RealLoops, client: ChainClient, user: User
) -> None:
    root = await loops.posted_for(user, 0)
    await answer(loops.rig, client, root, loops.payments.address)
    await loops.follow(DEPTH + 3)
    before_wei = await loops.payments.balance(user.address)
    settling = asyncio.create_task(loops.settle())
    await loops.until(lambda: is_pending(loops))
    async with asyncio.timeout(60), loops.mining(SPIKE_GWEI):
        await asyncio.gather(settling, return_exceptions=True)
    assert await highest_bid(loops, cancels=False) < SPIKE_GWEI * GWEI
    assert await loops.payments.balance(user.address) == before_wei

    async def is_returned() -> bool:
        # The tips of the spike fade from the estimate block by block; until then it is not worth its gas.
        await loops.market.refresh()
        await loops.settle()
        return await loops.payments.balance(user.address) > before_wei

    async with loops.mining(1):
        await loops.until(is_returned)
