"""Money goes back to its payers: every batch gets its turn, and only the chain says when it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.batcher.model import Settlement, TxBounds
from aligned.chain.errors import TxReverted
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import DEPTH, Bench
from tests.integration.batcher.clients import User
from tests.integration.batcher.fake_chain import ETH, GWEI, FakeChain


@pytest.fixture
def bench(db: Database, chain: FakeChain, user: User, tmp_path: Path) -> Bench:
    chain.fund(user.address, 1_000 * ETH)
    return Bench(db, chain, tmp_path)


async def final(bench: Bench, user: User, count: int) -> list[bytes]:
    """Roots of so many final batches of one proof."""
    first = len(await bench.batches())
    roots = [(await bench.verified(user, first + offset)).root for offset in range(count)]
    await bench.follow(DEPTH + 2)
    return roots


async def is_settled(bench: Bench, number: int) -> bool:
    async with bench.db.transaction() as conn:
        found = await conn.execute("SELECT settled FROM batch WHERE number = %s", (number,))
        row = await found.fetchone()
    assert row is not None
    return bool(row["settled"])


async def test_settle__not_final__waits(bench: Bench, user: User) -> None:
    await bench.verified(user, 0)
    await bench.settle()
    assert bench.chain.settled == []
    await bench.follow(DEPTH + 2)
    await bench.settle()
    assert len(bench.chain.settled) == 1


async def test_settle__seen_returned__believed_only_when_deep(bench: Bench, user: User) -> None:
    (root,) = await final(bench, user, 1)
    await bench.settle()
    await bench.follow(DEPTH - 1)
    await bench.settle()
    assert not await is_settled(bench, 1)
    bench.chain.mine(2)
    await bench.settle()
    assert await is_settled(bench, 1)
    assert [done.root for done in bench.chain.settled] == [root]


async def test_settle__reorganised_away__returned_again(bench: Bench, user: User) -> None:
    (root,) = await final(bench, user, 1)
    digest = bench.chain.held[root]
    await bench.settle()
    bench.chain.held[root] = digest
    await bench.settle()
    await bench.settle()
    assert [done.root for done in bench.chain.settled] == [root, root]
    assert not await is_settled(bench, 1)


async def test_settle__returned_by_somebody_else__nothing_sent(bench: Bench, user: User) -> None:
    (root,) = await final(bench, user, 1)
    del bench.chain.held[root]
    await bench.settle()
    bench.chain.mine(DEPTH + 1)
    await bench.settle()
    assert bench.chain.settled == []
    assert await is_settled(bench, 1)


@pytest.mark.parametrize("reason", ["Panic(17)", "0xdeadbeef", "NothingToSettle(0x)"])
async def test_settle__refused_for_whatever_reason__not_written_off(
    bench: Bench, user: User, reason: str
) -> None:
    (root,) = await final(bench, user, 1)
    bench.chain.refusal = TxReverted(reason, error_name=reason.partition("(")[0])
    with pytest.raises(DependencyError):
        await bench.settle()
    bench.chain.mine(2 * DEPTH)
    with pytest.raises(DependencyError):
        await bench.settle()
    assert not await is_settled(bench, 1)
    bench.chain.refusal = None
    await bench.settle()
    assert [done.root for done in bench.chain.settled] == [root]


async def test_settle__one_batch_always_fails__all_others_are_returned(
    bench: Bench, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = await final(bench, user, 4)
    settle = bench.chain.settle

    async def fails(key: str, settlement: Settlement, bounds: TxBounds) -> None:
        if settlement.root == roots[1]:
            raise DependencyError("tx_timeout", "")
        await settle(key, settlement, bounds)

    monkeypatch.setattr(bench.chain, "settle", fails)
    await bench.settle()
    assert {done.root for done in bench.chain.settled} == {roots[0], roots[2], roots[3]}


async def test_settle__a_page_that_is_not_worth_it__later_ones_get_their_turn(
    bench: Bench, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty batches whose surplus is dust must not hide the one behind them, nor those before."""
    roots = await final(bench, user, 23)
    looked: list[bytes] = []
    held = bench.chain.settlement_hash

    async def seen(root: bytes, block: int | None = None) -> bytes:
        looked.append(root)
        return await held(root, block)

    monkeypatch.setattr(bench.chain, "settlement_hash", seen)
    monkeypatch.setattr(bench.settler, "_min_percent", 10**9)
    await bench.settle()
    await bench.settle()
    assert set(looked) == set(roots)
    looked.clear()
    await bench.settle()
    assert roots[0] in looked, "the cursor comes round"
    assert bench.chain.settled == []


async def test_settle__dearest_first__does_not_wait_for_its_page(
    bench: Bench, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await final(bench, user, 22)
    bench.chain.set_market(gas_price_wei=100 * GWEI)
    await bench.put(user, 22, max_fee_wei=ETH)
    bench.chain.mine()
    await bench.post()
    root = (await bench.batches())[-1].root
    bench.chain.answer(root)
    await bench.follow(DEPTH + 2)
    bench.chain.set_market(gas_price_wei=GWEI)
    await bench.settle()
    assert root in {done.root for done in bench.chain.settled}


async def test_settle__its_price__never_more_than_it_returns(
    bench: Bench, user: User, tmp_path: Path
) -> None:
    await final(bench, user, 1)
    strict = Bench(bench.db, bench.chain, tmp_path, min_percent=200)
    await strict.settle()
    (bounds,) = bench.chain.settle_bounds
    (done,) = bench.chain.settled
    surplus_wei = done.held_wei + done.answer_fee_wei // 2
    assert bounds == TxBounds(surplus_wei // 79_000, 60.0)


async def test_settle__terms_differ_from_the_chains__read_again_then_settled(
    bench: Bench, user: User
) -> None:
    (root,) = await final(bench, user, 1)
    async with bench.db.transaction() as conn:
        await conn.execute("UPDATE batch SET held_wei = held_wei + 1, payers = '\\x00'")
    await bench.settle()
    assert bench.chain.settled == []
    await bench.settle()
    (done,) = bench.chain.settled
    assert (done.root, done.payers) == (root, (user.address,))
