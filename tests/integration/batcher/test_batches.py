"""What goes into batches, what is dropped or replaced, and what the queue takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aligned.core.commitment import commit
from aligned.core.types import ProvingSystem
from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import MAX_FEE_WEI, HelloClient, User
from tests.integration.batcher.conftest import Running, eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.helpers import hold_blocks, submit
from tests.integration.batcher.proofs import small


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
