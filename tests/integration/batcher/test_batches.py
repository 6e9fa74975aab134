"""What goes into batches, what is dropped, and what becomes of batches that fail or expire."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from aligned.batcher.model import PostedTask, Task
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxReverted
from aligned.core.commitment import commit
from aligned.core.types import ProvingSystem
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import MAX_FEE_WEI, HelloClient, ReferenceClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import ETH, FakeChain
from tests.integration.batcher.proofs import small


async def states(db: Database, user: User) -> dict[int, str]:
    async with db.transaction() as conn:
        rows = await (
            await conn.execute(
                "SELECT nonce, state FROM submission WHERE sender = %s ORDER BY id", (user.address,)
            )
        ).fetchall()
    return {row["nonce"]: row["state"] for row in rows}


async def submit(client: HelloClient, user: User, nonce: int, max_fee_wei: int = MAX_FEE_WEI) -> None:
    reply = await client.ask(user.message(small(nonce), nonce, max_fee_wei=max_fee_wei))
    while "Receipt" not in reply:
        assert "Rejected" not in reply, reply
        reply = await client.read()


async def hold_blocks(batcher: Running) -> None:
    """No more blocks, so that a queue builds up until the test mines."""
    batcher.chain.mines_itself = False
    block = batcher.chain.prices.block

    async def settled() -> bool:
        return bool((await batcher.get("/v1/quote")).json()["block"] == block)

    await eventually(settled)


async def test_batch__several_senders__sorted_submitters_and_uniform_price(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    other = User(0xB0B)
    batcher.chain.fund(other.address)
    async with HelloClient(batcher.url) as client:
        for nonce in range(2):
            await submit(client, user, nonce)
            await submit(client, other, nonce)
        batcher.chain.mine(3)
        nonces = [(await client.next("BatchInclusionData"))["nonce"] for _ in range(4)]
    (sent,) = batcher.chain.sent
    assert nonces == [0, 1, 0, 1]
    assert list(sent.task.submitters) == sorted([user.address, other.address] * 2)
    assert sent.task.fee_per_proof_wei == batcher.chain.prices.fee_per_proof_wei(4)


async def test_batch__cheap_proof__waits_until_enough_share_the_price(batcher: Running, user: User) -> None:
    price = batcher.chain.prices.fee_per_proof_wei
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0, max_fee_wei=price(3))
        await submit(client, user, 1, max_fee_wei=price(3))
        await hold_blocks(batcher)
        assert batcher.chain.sent == []
        await submit(client, user, 2, max_fee_wei=price(3))
        batcher.chain.mine(3)
        await client.next("BatchInclusionData")
    assert [len(sent.task.submitters) for sent in batcher.chain.sent] == [3]


async def test_batch__same_proof_twice__second_root_differs(batcher: Running, user: User) -> None:
    """A set of proofs that was on chain before must not block the batcher."""
    async with HelloClient(batcher.url) as client:
        for nonce in range(4):
            await client.send(user.message(small(0), nonce))
            await client.next("BatchInclusionData")
    roots = [sent.task.root for sent in batcher.chain.sent]
    assert len(set(roots)) == 4
    assert sum(len(sent.task.submitters) for sent in batcher.chain.sent) == 4


async def test_batch__root_taken_on_chain_unknown_to_us__another_order_is_posted(
    batcher: Running, user: User
) -> None:
    leaf = commit(small(0)).leaf
    batcher.chain.statuses[leaf] = BatchStatus.PENDING
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        inclusion = await client.next("BatchInclusionData")
    assert inclusion["batch_merkle_root"] != leaf
    assert inclusion["batch_inclusion_proof"]["merkle_path"] == [leaf]


async def test_batch__reverted__proofs_queued_again_and_posted_later(batcher: Running, user: User) -> None:
    batcher.chain.refusal = TxReverted("IntakePaused()", error_name="IntakePaused")
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        while (await client.next("Status"))["state"] != "queued":
            pass
        batcher.chain.refusal = None
        await client.next("BatchInclusionData")
    assert len(batcher.chain.sent) == 1


async def test_batch__poor_sender__only_its_tail_is_dropped(batcher: Running, user: User) -> None:
    await hold_blocks(batcher)
    other = User(0xB0B)
    batcher.chain.fund(other.address)
    async with HelloClient(batcher.url) as client:
        for nonce in range(3):
            await submit(client, user, nonce)
        await submit(client, other, 0)
        batcher.chain.fund(user.address, MAX_FEE_WEI)
        batcher.chain.mine(3)
        dropped = [await client.next("Dropped") for _ in range(2)]
    assert [(d["nonce"], d["code"]) for d in dropped] == [
        (1, "insufficient_balance"),
        (2, "insufficient_balance"),
    ]

    async def posted() -> bool:
        return len(batcher.chain.sent) == 1

    await eventually(posted)
    assert sorted(batcher.chain.sent[0].task.submitters) == sorted([user.address, other.address])


async def test_batch__funds_unlocked_while_queued__all_of_the_sender_dropped(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        batcher.chain.accounts[user.address] = replace(batcher.chain.accounts[user.address], unlock_time_s=1)
        batcher.chain.mine(3)
        assert (await client.next("Dropped"))["code"] == "funds_unlocked"
    assert batcher.chain.sent == []


async def test_batch__verifier_disabled_while_queued__dropped_not_posted(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        batcher.chain.set_market(disabled_systems=1 << ProvingSystem.RISC0)
        batcher.chain.mine(3)
        assert (await client.next("Dropped"))["code"] == "verifier_disabled"
    leaf = commit(small(0)).leaf.hex()
    (entry,) = (await batcher.get(f"/v1/proofs/0x{leaf}")).json()["submissions"]
    assert entry["state"] == "failed"
    assert entry["reason"].startswith("verifier_disabled")


async def test_nonce__after_a_drop__is_free_again(batcher: Running, user: User) -> None:
    await hold_blocks(batcher)
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        batcher.chain.fund(user.address, 0)
        batcher.chain.mine(3)
        await client.next("Dropped")
        batcher.chain.fund(user.address)
        await submit(client, user, 0)
        batcher.chain.mine(3)
        await client.next("BatchInclusionData")


async def test_replacement__ten_percent_more__old_one_told_new_one_posted(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    async with HelloClient(batcher.url) as old, HelloClient(batcher.url) as new:
        await submit(old, user, 0, max_fee_wei=MAX_FEE_WEI)
        await submit(old, user, 1, max_fee_wei=MAX_FEE_WEI)
        assert await new.code(user.message(small(7), 0, max_fee_wei=MAX_FEE_WEI * 11 // 10 - 1)) == (
            "underpriced_replacement"
        )
        assert await new.code(
            user.message(replace(small(7), pub_input=b"x"), 0, max_fee_wei=2 * MAX_FEE_WEI)
        ) in (
            "invalid_proof",
            "public_input_mismatch",
        )
        assert "Receipt" in await new.ask(user.message(small(7), 0, max_fee_wei=MAX_FEE_WEI * 11 // 10))
        assert (await old.next("Dropped"))["code"] == "proof_replaced"
        batcher.chain.mine(3)
        assert (await new.next("BatchInclusionData"))["leaf"] == commit(small(7)).leaf
        assert (await old.next("BatchInclusionData"))["leaf"] == commit(small(1)).leaf
        assert await new.code(user.message(small(8), 0, max_fee_wei=9 * MAX_FEE_WEI)) == "nonce_used"


async def test_balance__sum_of_queued_fees__counts(batcher: Running, user: User) -> None:
    await hold_blocks(batcher)
    batcher.chain.fund(user.address, 2 * MAX_FEE_WEI)
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        await submit(client, user, 1)
        assert await client.code(user.message(small(2), 2)) == "insufficient_balance"
        # A replacement gives the old claim back.
        assert await client.code(user.message(small(3), 1, max_fee_wei=MAX_FEE_WEI * 11 // 10)) == (
            "insufficient_balance"
        )


async def test_queue__limits__full_for_the_sender_then_for_all(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    other = User(0xB0B)
    chain.fund(other.address)
    limits = {"max_sender_proofs": 2, "max_queue_proofs": 3}
    async with (
        running_batcher(db, chain, pool, tmp_path, **limits) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await hold_blocks(batcher)
        for nonce in range(2):
            await submit(client, user, nonce)
        assert await client.code(user.message(small(2), 2)) == "queue_full"
        await submit(client, other, 0)
        assert await client.code(other.message(small(1), 1)) == "queue_full"
        batcher.chain.mine(3)
        for _ in range(3):
            await client.next("BatchInclusionData")
        await submit(client, user, 2)


async def test_batch__expired__settled_and_its_proofs_failed(batcher: Running, user: User) -> None:
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        root = (await client.next("BatchInclusionData"))["batch_merkle_root"]
        batcher.chain.statuses[root] = BatchStatus.EXPIRED
        assert (await client.next("Dropped"))["code"] == "batch_expired"
    assert await states(batcher.db, user) == {0: "failed"}


async def test_batch__verified__state_and_bytes_freed(batcher: Running, user: User) -> None:
    async with ReferenceClient(batcher.url) as client:
        await client.submit(user, [small(0)], 0)
        ((root, _),) = await client.inclusions([small(0)])
    batcher.chain.statuses[root] = BatchStatus.VERIFIED

    async def verified() -> bool:
        return await states(batcher.db, user) == {0: "verified"}

    await eventually(verified)
    async with batcher.db.transaction() as conn:
        row = await (await conn.execute("SELECT count(item) AS kept FROM submission")).fetchone()
    assert row is not None
    assert row["kept"] == 0


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
            return chain.settled == [(root, (user.address,))]

        await eventually(settled)


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

    async def hang(_key: str, _task: Task) -> PostedTask:
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

    async def lose_race(key: str, task: Task) -> PostedTask:
        chain.create_task = create_task  # type: ignore[method-assign]
        await create_task(f"{key}:found", task)
        raise TxReverted("BatchAlreadySubmitted(0x)", error_name="BatchAlreadySubmitted")

    chain.create_task = lose_race  # type: ignore[method-assign]
    async with HelloClient(batcher.url) as client:
        await submit(client, user, 0)
        await client.next("BatchInclusionData")
    assert len(chain.sent) == 1
    assert await states(batcher.db, user) == {0: "posted"}
