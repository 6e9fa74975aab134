"""Anvil takes blocks away in every state of a batch; the real contracts say what became of it."""

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

REPOST_BLOCKS = 13


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, operators=3, response_window_blocks=60) as rig:
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
    loops = RealLoops(rig, db, client, tmp_path / "store")
    await loops.rpc("evm_setAutomine", False)
    # The payer's deposit is below what is taken away, however few blocks a quick machine mines in between.
    await loops.mine(2 * DEPTH)
    return loops


async def verified(loops: RealLoops, client: ChainClient, root: bytes) -> None:
    """The quorum answers, and the batcher sees it."""
    await answer(loops.rig, client, root, loops.payments.address)
    await loops.follow()


async def reposted(loops: RealLoops) -> None:
    """Long enough for a task to count as missing, then its way back."""
    await loops.follow(REPOST_BLOCKS)
    async with loops.mining():
        await loops.post()


@pytest.mark.parametrize("state", ["posted", "verified"])
async def test_reorg__task_gone__same_transaction_again_and_the_next_nonce_works(
    loops: RealLoops, client: ChainClient, user: User, state: str
) -> None:
    root = await loops.posted_for(user, 0)
    if state == "verified":
        await verified(loops, client, root)
    assert await loops.rows(user) == {0: state}
    await loops.rpc("anvil_reorg", 5, [])
    assert await loops.payments.nonce(user.address) == 0
    await reposted(loops)
    await verified(loops, client, root)
    assert await loops.rows(user) == {0: "verified"}
    second = await loops.posted_for(user, 1)
    await verified(loops, client, second)
    assert await loops.rows(user) == {0: "verified", 1: "verified"}
    assert await loops.payments.nonce(user.address) == 2


async def test_reorg__killed_before_it_is_noticed__posted_again_by_the_next_process(
    loops: RealLoops, db: Database, client: ChainClient, user: User, tmp_path: Path
) -> None:
    """With so many blocks in between that the sender does not look at its receipt any more."""
    root = await loops.posted_for(user, 0)
    await verified(loops, client, root)
    await loops.rpc("anvil_reorg", 5, [])
    await loops.mine(70)
    again = RealLoops(loops.rig, db, client, tmp_path / "store")
    await reposted(again)
    await verified(again, client, root)
    assert await again.rows(user) == {0: "verified"}
    assert await again.payments.nonce(user.address) == 1


async def test_reorg__only_the_answer_gone__waits_and_takes_the_next_one(
    loops: RealLoops, client: ChainClient, user: User
) -> None:
    root = await loops.posted_for(user, 0)
    await loops.mine(2)
    await verified(loops, client, root)
    await loops.rpc("anvil_reorg", 1, [])
    await loops.rpc("anvil_dropAllTransactions")
    await loops.follow()
    assert await loops.rows(user) == {0: "posted"}
    await verified(loops, client, root)
    assert await loops.rows(user) == {0: "verified"}


async def test_reorg__mined_again_at_another_base_fee__its_new_terms_are_settled(
    loops: RealLoops, client: ChainClient, user: User
) -> None:
    """What the contract holds depends on the price of the block; the old terms would never settle."""
    await loops.rpc("evm_setAutomine", False)
    snapshot = await loops.rpc("evm_snapshot")
    root = await loops.posted_for(user, 0)
    (before,) = await loops.batches()
    async with loops.db.transaction() as conn:
        rows = await (
            await conn.execute("SELECT raw FROM tx_attempt ORDER BY number DESC LIMIT 1")
        ).fetchall()
    await loops.rpc("evm_revert", snapshot)
    await loops.rpc("anvil_dropAllTransactions")
    await loops.mine(4)
    await loops.rpc("anvil_setNextBlockBaseFeePerGas", hex(7))
    await loops.rpc("eth_sendRawTransaction", "0x" + rows[0]["raw"].hex())
    await loops.follow(2)
    (after,) = await loops.batches()
    assert (after.root, after.state) == (root, "posted")
    assert after.task_block != before.task_block
    assert after.held_wei != before.held_wei
    await verified(loops, client, root)
    await loops.follow(DEPTH + 2)
    balance_wei = await loops.payments.balance(user.address)
    async with loops.mining():
        await loops.settle()
    assert await loops.payments.balance(user.address) > balance_wei


async def test_reorg__settled__returned_again_and_believed_only_when_deep(
    loops: RealLoops, client: ChainClient, user: User
) -> None:
    root = await loops.posted_for(user, 0)
    await verified(loops, client, root)
    await loops.follow(DEPTH + 2)
    owed_wei = await loops.payments.balance(user.address)
    async with loops.mining():
        await loops.settle()
    assert await loops.payments.balance(user.address) > owed_wei
    await loops.rpc("anvil_reorg", DEPTH, [])
    await loops.rpc("anvil_dropAllTransactions")
    assert await loops.payments.balance(user.address) == owed_wei
    async with loops.mining():
        await loops.settle()
        await loops.settle()
    assert await loops.payments.balance(user.address) > owed_wei
    assert not await is_settled(loops)
    await loops.mine(DEPTH + 1)
    await loops.settle()
    assert await is_settled(loops)


async def is_settled(loops: RealLoops) -> bool:
    async with loops.db.transaction() as conn:
        row = await (await conn.execute("SELECT bool_and(settled) AS all FROM batch")).fetchone()
    assert row is not None
    return bool(row["all"])


async def test_reorg__dissolved_batch__its_original_is_mined_instead_of_the_cancel(
    rig: Rig, db: Database, client: ChainClient, user: User, tmp_path: Path
) -> None:
    loops = RealLoops(rig, db, client, tmp_path / "store", give_up_after_s=0.3)
    await loops.rpc("evm_setAutomine", False)
    await loops.mine()
    snapshot = await loops.rpc("evm_snapshot")
    await loops.put(user, 0, 1, max_fee_wei=ETH // 20)
    posting = asyncio.create_task(loops.post())

    async def is_sent() -> bool:
        return await loops.rpc("eth_getBlockTransactionCountByNumber", "pending") != "0x0"

    await loops.until(is_sent)
    async with loops.db.transaction() as conn:
        found = await conn.execute("SELECT raw FROM tx_attempt ORDER BY number")
        original = (await found.fetchall())[0]["raw"]

    async def is_dissolved() -> bool:
        return (await loops.batches())[0].state == "failed"

    async with loops.mining(base_fee_gwei=300):
        await loops.until(is_dissolved)
    await broken_off(posting)
    assert await loops.rows(user) == {0: "queued", 1: "queued"}
    assert await loops.payments.nonce(user.address) == 0
    await loops.rpc("evm_revert", snapshot)
    await loops.rpc("anvil_dropAllTransactions")
    await loops.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI // 10))
    await loops.rpc("eth_sendRawTransaction", "0x" + original.hex())
    await loops.mine()
    again = RealLoops(rig, db, client, tmp_path / "store")
    await again.follow(2)
    batch = (await again.batches())[0]
    assert batch.state == "posted"
    assert await again.rows(user) == {0: "posted", 1: "posted"}
    await verified(again, client, batch.root)
    await again.follow(DEPTH + 2)
    before_wei = await again.payments.balance(user.address)
    async with again.mining():
        await again.settle()
    assert await again.payments.balance(user.address) > before_wei
    assert await again.payments.nonce(user.address) == 2
