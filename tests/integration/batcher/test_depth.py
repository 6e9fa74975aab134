"""Batches are followed until they are final: what a reorganisation takes away is put right, in whatever state."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.batcher.ports import FeesAboveBounds
from aligned.chain.contracts import BatchStatus
from aligned.chain.errors import TxReverted
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import DEPTH, Bench
from tests.integration.batcher.clients import User
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.helpers import kept_items

REPOST_BLOCKS = 13


@pytest.fixture
def bench(db: Database, chain: FakeChain, tmp_path: Path) -> Bench:
    return Bench(db, chain, tmp_path)


@pytest.mark.parametrize("is_answered", [False, True])
async def test_reorg__posted_or_verified_batch_gone__posted_again_and_nonces_go_on(
    bench: Bench, user: User, is_answered: bool
) -> None:
    batch = await bench.posted(user, 0)
    if is_answered:
        bench.chain.answer(batch.root)
        await bench.follow()
    bench.chain.forget(batch.root)
    await bench.follow(REPOST_BLOCKS)
    assert await bench.rows(user) == {0: "building"}
    await bench.post()
    assert (await bench.batch(batch.number)).state == "posted"
    assert bench.chain.accounts[user.address].nonce == 1
    bench.chain.answer(batch.root)
    await bench.follow()
    assert await bench.rows(user) == {0: "verified"}
    # Nobody is locked out: the next nonce is posted as ever.
    await bench.verified(user, 1)
    assert await bench.rows(user) == {0: "verified", 1: "verified"}
    assert bench.chain.accounts[user.address].nonce == 2


async def test_reorg__task_flickers_at_a_lagging_node__not_posted_again(bench: Bench, user: User) -> None:
    """Only a task that is missing all the time is missing."""
    batch = await bench.posted(user, 0)
    for _ in range(3):
        del bench.chain.statuses[batch.root]
        await bench.follow(REPOST_BLOCKS - 2)
        assert (await bench.batch(batch.number)).state == "posted"
        bench.chain.statuses[batch.root] = BatchStatus.PENDING
        await bench.follow()
    assert (await bench.batch(batch.number)).state == "posted"


async def test_reorg__answer_gone_task_still_there__waits_for_another_answer(
    bench: Bench, user: User
) -> None:
    batch = await bench.verified(user, 0)
    bench.chain.answer(batch.root, BatchStatus.PENDING)
    await bench.follow()
    assert (await bench.batch(batch.number)).state == "posted"
    assert await bench.rows(user) == {0: "posted"}
    bench.chain.answer(batch.root)
    await bench.follow()
    assert await bench.rows(user) == {0: "verified"}


async def test_reorg__window_open_again_after_expiry__proofs_come_back(bench: Bench, user: User) -> None:
    batch = await bench.posted(user, 0)
    bench.chain.answer(batch.root, BatchStatus.EXPIRED)
    await bench.follow()
    assert await bench.rows(user) == {0: "failed"}
    bench.chain.answer(batch.root)
    await bench.follow()
    assert await bench.rows(user) == {0: "verified"}


async def test_reorg__expired_batch_gone_for_good__given_up_and_no_money_looked_for(
    bench: Bench, user: User
) -> None:
    batch = await bench.posted(user, 0)
    bench.chain.answer(batch.root, BatchStatus.EXPIRED)
    await bench.follow()
    bench.chain.forget(batch.root)
    await bench.follow(DEPTH + 2)
    assert await bench.is_final(batch.number)
    await bench.settle()
    assert bench.chain.settled == []


async def test_reorg__mined_again_in_another_block__terms_of_that_block_are_settled(
    bench: Bench, user: User
) -> None:
    batch = await bench.verified(user, 0)
    sent = bench.chain.sent.pop()
    bench.chain.forget_sent(batch.root, sent)
    bench.chain.mine()
    bench.chain.mine_task("elsewhere", sent.task)
    bench.chain.answer(batch.root)
    await bench.follow()
    assert (await bench.batch(batch.number)).task_block == bench.chain.sent[-1].block != batch.task_block
    await bench.follow(DEPTH + 2)
    assert await bench.is_final(batch.number)
    await bench.settle()
    assert [done.root for done in bench.chain.settled] == [batch.root]


async def test_reorg__repost_is_refused__queued_again_then_dropped_and_the_account_goes_on(
    bench: Bench, user: User
) -> None:
    """The payer took its money out meanwhile: told so, and its next proof with new money goes through."""
    batch = await bench.verified(user, 0)
    bench.chain.forget(batch.root)
    await bench.follow(REPOST_BLOCKS)
    bench.chain.refusal = TxReverted("InsufficientFeeForAggregator(2, 1)", tx_hash=b"\x01" * 32)
    bench.chain.fund(user.address, 0)
    await bench.post()
    bench.chain.refusal = None
    assert await bench.rows(user) == {0: "failed"}
    bench.chain.fund(user.address)
    await bench.verified(user, 0)
    assert await bench.rows(user) == {0: "verified"}


async def test_reorg__hole_below_a_charged_nonce__account_is_not_locked_out(bench: Bench, user: User) -> None:
    """Of two batches only the later one is mined again: the contract's count stays one behind the nonces."""
    first = await bench.verified(user, 0)
    await bench.verified(user, 1)
    bench.chain.forget(first.root)
    await bench.follow(REPOST_BLOCKS)
    bench.chain.refusal = FeesAboveBounds("too dear", was_sent=True)
    await bench.post()
    bench.chain.refusal = None
    await bench.post()
    # The proof of the first one cannot have its nonce any more: its sender hears so.
    assert (await bench.rows(user))[0] == "failed"
    assert bench.chain.accounts[user.address].nonce == 1
    await bench.put(user, 2, 3)
    for _ in range(15):
        bench.chain.mine()
        await bench.post()
    assert await bench.rows(user) == {0: "failed", 1: "verified", 2: "posted", 3: "posted"}


async def test_dissolved__original_mined_after_all__its_proofs_are_in_it_again(
    bench: Bench, user: User
) -> None:
    bench.chain.refusal = FeesAboveBounds("too dear", was_sent=True)
    await bench.put(user, 0, 1)
    bench.chain.mine()
    await bench.market.refresh()
    while not (found := await bench.batches()) or found[0].state != "failed":
        await bench.poster.step()
    (batch,) = found
    bench.chain.refusal = None
    assert await bench.rows(user) == {0: "queued", 1: "queued"}
    # They are in another batch already, which is not handed over yet.
    bench.chain.mine()
    await bench.market.refresh()
    assert await bench.poster.step()
    other = (await bench.batches())[-1]
    assert (other.number, other.state) == (batch.number + 1, "building")
    assert other.root != batch.root, "the chain may yet come to know the first root"
    bench.chain.mine_task("original", bench.chain.task_of(batch, user.address))
    bench.chain.answer(batch.root)
    await bench.follow(2)
    assert (await bench.batch(other.number)).state == "failed"
    assert await bench.rows(user) == {0: "verified", 1: "verified"}
    await bench.post()
    assert len(bench.chain.sent) == 1
    assert bench.chain.accounts[user.address].nonce == 2
    await bench.follow(DEPTH + 2)
    await bench.settle()
    assert [done.root for done in bench.chain.settled] == [batch.root]


async def test_dissolved__never_mined__forgotten_when_deep(bench: Bench, user: User) -> None:
    bench.chain.refusal = FeesAboveBounds("too dear", was_sent=True)
    await bench.put(user, 0)
    bench.chain.mine()
    await bench.market.refresh()
    while not (found := await bench.batches()) or found[0].state != "failed":
        await bench.poster.step()
    await bench.follow(DEPTH)
    assert not await bench.is_final(1)
    await bench.follow(2)
    assert await bench.is_final(1)


async def test_final__answer_is_not_deep__bytes_are_kept(bench: Bench, user: User) -> None:
    batch = await bench.posted(user, 0)
    await bench.follow(DEPTH + 2)
    bench.chain.answer(batch.root)
    await bench.follow(DEPTH - 1)
    assert not await bench.is_final(batch.number)
    assert await kept_items(bench.db) == 1
    await bench.follow(2)
    assert await bench.is_final(batch.number)
    assert await kept_items(bench.db) == 0


async def test_two_followers__one_database__each_change_once(
    bench: Bench, db: Database, chain: FakeChain, user: User, tmp_path: Path
) -> None:
    other = Bench(db, chain, tmp_path)
    batch = await bench.verified(user, 0)
    chain.forget(batch.root)
    for _ in range(REPOST_BLOCKS):
        await bench.follow()
        await other.market.refresh()
        await other.follower.step()
    await bench.post()
    await other.follow()
    await other.post()
    assert len(chain.sent) == 1
    assert chain.accounts[user.address].nonce == 1
