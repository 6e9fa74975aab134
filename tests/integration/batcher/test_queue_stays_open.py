"""A queue that somebody fills with proofs that never go into a batch empties by itself and stays open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aligned.storage.postgres import Database
from aligned.verifiers.pool import VerifierPool
from tests.integration.batcher.clients import MAX_FEE_WEI, HelloClient, User, hex_text
from tests.integration.batcher.conftest import eventually, running_batcher
from tests.integration.batcher.fake_chain import FakeChain
from tests.integration.batcher.helpers import hold_blocks, states, submit
from tests.integration.batcher.proofs import small


@pytest.fixture
def other(chain: FakeChain) -> User:
    user = User(0xB0B)
    chain.fund(user.address)
    return user


async def test_queue__filled_then_cap_lowered__dropped_and_others_get_in(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, other: User, tmp_path: Path
) -> None:
    limits = {"max_queue_proofs": 3, "low_fee_blocks": 5}
    async with (
        running_batcher(db, chain, pool, tmp_path, **limits) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await hold_blocks(batcher)
        for nonce in range(3):
            await submit(client, user, nonce)
        assert await client.code(other.message(small(9), 0)) == "queue_full"
        chain.accounts[user.address] = replace(chain.accounts[user.address], fee_cap_wei=1)
        chain.mines_itself = True
        dropped = [await client.next("Dropped") for _ in range(3)]
        assert [(d["nonce"], d["code"]) for d in dropped] == [(n, "fee_too_low") for n in range(3)]
        await submit(client, other, 0)
        await client.next("BatchInclusionData")


async def test_queue__cheap_proof_with_dear_ones_behind_it__its_tail_goes_with_it(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, low_fee_blocks=5) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await hold_blocks(batcher)
        await submit(client, user, 0)
        await submit(client, user, 1, max_fee_wei=100 * MAX_FEE_WEI)
        chain.set_market(gas_price_wei=50 * chain.prices.gas_price_wei)
        chain.mines_itself = True
        dropped = [await client.next("Dropped") for _ in range(2)]
    assert [(d["nonce"], d["code"]) for d in dropped] == [(0, "fee_too_low"), (1, "fee_too_low")]
    assert chain.sent == []


async def test_queue__receipt_deadline_passed__dropped_with_that_code(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await hold_blocks(batcher)
        for nonce in range(3):
            await submit(client, user, nonce)
        async with db.transaction() as conn:
            await conn.execute("UPDATE submission SET deadline_s = 1 WHERE nonce = 1")
        chain.mine(3)
        dropped = [await client.next("Dropped") for _ in range(2)]
        assert [(d["nonce"], d["code"]) for d in dropped] == [(1, "deadline_passed"), (2, "deadline_passed")]

        async def posted() -> bool:
            return [sent.task.submitters for sent in chain.sent] == [(user.address,)]

        await eventually(posted)


async def test_queue__full__better_bid_takes_the_place_of_the_cheapest_tail(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, other: User, tmp_path: Path
) -> None:
    third = User(0xCAFE)
    chain.fund(third.address)
    async with (
        running_batcher(db, chain, pool, tmp_path, max_queue_proofs=4) as batcher,
        HelloClient(batcher.url) as client,
        HelloClient(batcher.url) as rich,
    ):
        await hold_blocks(batcher)
        # The cheap first proof is held by a dear one behind it; the other sender's tail goes first.
        await submit(client, user, 0)
        await submit(client, user, 1, max_fee_wei=5 * MAX_FEE_WEI)
        await submit(client, other, 0)
        await submit(client, other, 1)
        assert await rich.code(third.message(small(50), 0, max_fee_wei=MAX_FEE_WEI)) == "queue_full"
        assert "Receipt" in await rich.ask(third.message(small(50), 0, max_fee_wei=2 * MAX_FEE_WEI))
        dropped = await client.next("Dropped")
        assert (dropped["sender"], dropped["nonce"], dropped["code"]) == (
            hex_text(other.address),
            1,
            "outbid",
        )
        # Its own proofs never make way for a sender.
        assert await rich.code(other.message(small(51), 1, max_fee_wei=2 * MAX_FEE_WEI)) == "queue_full"
    assert await states(db, user) == {0: "queued", 1: "queued"}
    assert await states(db, other) == {0: "queued", 1: "failed"}
    assert await states(db, third) == {0: "queued"}


async def test_queue__bid_that_outbids_but_is_invalid__nothing_makes_way(
    db: Database, chain: FakeChain, pool: VerifierPool, user: User, other: User, tmp_path: Path
) -> None:
    async with (
        running_batcher(db, chain, pool, tmp_path, max_queue_proofs=1) as batcher,
        HelloClient(batcher.url) as client,
    ):
        await hold_blocks(batcher)
        await submit(client, user, 0)
        wrong = replace(small(1), pub_input=b"wrong")
        assert await client.code(other.message(wrong, 0, max_fee_wei=9 * MAX_FEE_WEI)) in (
            "invalid_proof",
            "public_input_mismatch",
        )
    assert await states(db, user) == {0: "queued"}
