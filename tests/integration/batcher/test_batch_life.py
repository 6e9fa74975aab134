"""What becomes of a batch: roots that are taken, failures, answers, expiry, restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aligned.batcher.model import PostedTask, Task, TxBounds
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxReverted
from aligned.core.commitment import commit
from aligned.core.merkle import verify_path
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import ETH, FakeChain
from tests.integration.batcher.helpers import hold_blocks, kept_items, states, submit
from tests.integration.batcher.proofs import small


async def test_batch__same_proof_twice__second_root_differs(batcher: Running, user: User) -> None:
    """A set of proofs that was on chain before must not block the batcher."""
    async with HelloClient(batcher.url) as client:
        for nonce in range(4):
            await client.send(user.message(small(0), nonce))
            await client.next("BatchInclusionData")
    roots = [sent.task.root for sent in batcher.chain.sent]
    assert len(set(roots)) == 4
    assert sum(len(sent.task.submitters) for sent in batcher.chain.sent) == 4


async def test_batch__root_taken_on_chain_unknown_to_us__a_filler_gives_another(
    batcher: Running, user: User
) -> None:
    leaf = commit(small(0)).leaf
    batcher.chain.statuses[leaf] = BatchStatus.PENDING
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        inclusion = await client.next("BatchInclusionData")
    assert inclusion["batch_merkle_root"] != leaf
    (filler,) = inclusion["batch_inclusion_proof"]["merkle_path"]
    assert filler != leaf
    assert verify_path(leaf, 0, filler, inclusion["batch_merkle_root"])


async def test_batch__reverted__proofs_queued_again_and_posted_later(batcher: Running, user: User) -> None:
    batcher.chain.refusal = TxReverted("IntakePaused()", error_name="IntakePaused")
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        while (await client.next("Status"))["state"] != "queued":
            pass
        batcher.chain.refusal = None
        await client.next("BatchInclusionData")
    assert len(batcher.chain.sent) == 1


async def test_batch__expired__settled_and_its_proofs_failed(batcher: Running, user: User) -> None:
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        root = (await client.next("BatchInclusionData"))["batch_merkle_root"]
        batcher.chain.statuses[root] = BatchStatus.EXPIRED
        assert (await client.next("Dropped"))["code"] == "batch_expired"
    assert await states(batcher.db, user) == {0: "failed"}


async def test_batch__verified_then_final__bytes_kept_until_final(batcher: Running, user: User) -> None:
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, [small(0)], 0)
        ((root, _),) = await client.inclusions([small(0)])
    await hold_blocks(batcher)
    batcher.chain.answer(root)
    batcher.chain.mine()

    async def verified() -> bool:
        return await states(batcher.db, user) == {0: "verified"}

    async def freed() -> bool:
        return await kept_items(batcher.db) == 0

    await eventually(verified)
    assert await kept_items(batcher.db) == 1
    page = f"/v1/proofs/0x{commit(small(0)).leaf.hex()}"
    (entry,) = (await batcher.get(page)).json()["submissions"]
    assert (entry["state"], entry["depth"]) == ("verified", "verified")
    batcher.chain.mine(4)
    await eventually(freed)
    (entry,) = (await batcher.get(page)).json()["submissions"]
    assert (entry["state"], entry["depth"]) == ("verified", "final")
    assert entry["confirmations"] == batcher.chain.prices.block - entry["task_block"] + 1


async def test_surplus__worth_its_gas__is_returned_to_the_payers(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    async with running_batcher(db, chain, pool, tmp_path) as batcher, HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        root = (await client.next("BatchInclusionData"))["batch_merkle_root"]
        chain.statuses[root] = BatchStatus.VERIFIED
        await client.next("Status")
    async with running_batcher(db, chain, pool, tmp_path):

        async def settled() -> bool:
            return [(done.root, done.payers) for done in chain.settled] == [(root, (user.address,))]

        await eventually(settled)
    (sent,) = chain.sent
    (done,) = chain.settled
    assert (done.answer_fee_wei, done.payers_fee_wei) == (sent.task.answer_fee_wei, sent.task.answer_fee_wei)
    assert done.held_wei == (sent.task.fee_per_proof_wei - sent.task.answer_fee_wei) // 2 > 0


async def test_restart__queue_and_posted_batch__nothing_is_lost(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    chain.fund(user.address, 10 * ETH)
    async with running_batcher(db, chain, pool, tmp_path) as batcher, HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        await client.next("BatchInclusionData")
        await hold_blocks(batcher)
        await submit(client, user, 1)
    chain.mines_itself = True
    async with running_batcher(db, chain, pool, tmp_path) as batcher, HelloClient(batcher.url) as client:
        await client.send(user.message(small(0), 0))
        assert (await client.next("BatchInclusionData"))["nonce"] == 0
        await client.send(user.message(small(1), 1))
        assert (await client.next("BatchInclusionData"))["nonce"] == 1
    assert len(chain.sent) == 2


async def test_stop__while_a_transaction_hangs__ends_and_goes_on_after_restart(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    reached, create_task = asyncio.Event(), chain.create_task

    async def hang(_key: str, _task: Task, _bounds: TxBounds) -> PostedTask:
        reached.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    chain.create_task = hang  # type: ignore[method-assign,assignment]
    async with running_batcher(db, chain, pool, tmp_path) as batcher, HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        await asyncio.wait_for(reached.wait(), 30)
    chain.create_task = create_task  # type: ignore[method-assign]
    async with running_batcher(db, chain, pool, tmp_path) as batcher, HelloClient(batcher.url) as client:
        await client.send(user.message(small(0), 0))
        await client.next("BatchInclusionData")
    assert len(chain.sent) == 1


async def test_batch__transaction_failed_but_task_is_there__posted_not_queued_again(
    batcher: Running, user: User
) -> None:
    chain, create_task = batcher.chain, batcher.chain.create_task

    async def lose_race(key: str, task: Task, bounds: TxBounds) -> PostedTask:
        chain.create_task = create_task  # type: ignore[method-assign]
        await create_task(f"{key}:other", task, bounds)
        raise TxReverted("BatchAlreadySubmitted(0x)", error_name="BatchAlreadySubmitted")

    chain.create_task = lose_race  # type: ignore[method-assign]
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        await client.next("BatchInclusionData")
    assert len(chain.sent) == 1
    assert await states(batcher.db, user) == {0: "posted"}
