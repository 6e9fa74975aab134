"""What a batch pays bounds what posting it may cost; above that it is taken apart, and the queue goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.batcher import batches
from aligned.batcher.batches import Batch
from aligned.batcher.ports import FeesAboveBounds
from aligned.chain.errors import TxReverted
from aligned.core import fees
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import Bench
from tests.integration.batcher.clients import MAX_FEE_WEI, User
from tests.integration.batcher.fake_chain import ETH, GWEI, FakeChain


@pytest.fixture
def bench(db: Database, chain: FakeChain, user: User, tmp_path: Path) -> Bench:
    chain.fund(user.address, 1_000 * ETH)
    return Bench(db, chain, tmp_path)


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the files that were stored."""
    keys: list[str] = []
    put = ObjectStore.put

    async def counted(store: ObjectStore, key: str, data: bytes) -> None:
        keys.append(key)
        await put(store, key, data)

    monkeypatch.setattr(ObjectStore, "put", counted)
    return keys


async def until_failed(bench: Bench) -> Batch:
    bench.chain.mine()
    await bench.market.refresh()
    while not (found := await bench.batches()) or found[-1].state != "failed":
        await bench.poster.step()
    return found[-1]


@pytest.mark.parametrize("proofs", [1, 7])
async def test_bounds__batch_priced_at_one_gwei__bids_hardly_more(
    bench: Bench, user: User, proofs: int
) -> None:
    batch = await bench.posted(user, *range(proofs))
    (bounds,) = bench.chain.bounds
    paid_wei = batch.proof_count * batch.fee_per_proof_wei - batch.answer_fee_wei
    gas = fees.CREATE_TASK_BASE_GAS + fees.EXTRA_GAS_PER_PROOF * proofs
    assert bounds.max_fee_wei is not None
    assert bounds.max_fee_wei * gas <= paid_wei * 125 // 100
    assert 1.37 * GWEI < bounds.max_fee_wei < 1.38 * GWEI
    assert bounds.give_up_after_s == 60.0


async def test_price__above_the_bounds_before_sending__queued_and_built_again_when_it_fits(
    bench: Bench, user: User
) -> None:
    await bench.put(user, 0)
    bench.chain.refusal = FeesAboveBounds("too dear", was_sent=False)
    batch = await until_failed(bench)
    assert await bench.rows(user) == {0: "queued"}
    bench.chain.refusal = None
    await bench.post()
    again = (await bench.batches())[-1]
    assert (again.state, again.root) == ("posted", batch.root), "nothing was sent, so its root is free"


async def test_price__cancelled_while_pending__queue_goes_on_with_another_root(
    bench: Bench, user: User
) -> None:
    await bench.put(user, 0)
    bench.chain.refusal = FeesAboveBounds("cancelled", was_sent=True)
    batch = await until_failed(bench)
    bench.chain.refusal = None
    other = User(0xB0B)
    bench.chain.fund(other.address)
    await bench.put(other, 0)
    await bench.post()
    again = (await bench.batches())[-1]
    assert (again.state, again.proof_count) == ("posted", 2)
    assert again.root != batch.root
    assert bench.chain.accounts[user.address].nonce == 1


async def test_price__above_every_offer__nothing_is_built_or_uploaded(
    bench: Bench, user: User, uploads: list[str]
) -> None:
    await bench.put(user, 0, max_fee_wei=MAX_FEE_WEI)
    bench.chain.set_market(gas_price_wei=2_000 * GWEI)
    for _ in range(20):
        bench.chain.mine()
        await bench.post()
    assert uploads == []
    assert await bench.batches() == []
    bench.chain.set_market(gas_price_wei=GWEI)
    bench.chain.mine()
    await bench.post()
    assert await bench.rows(user) == {0: "posted"}


async def test_price__moves_after_each_build__looked_at_before_the_upload(
    bench: Bench, user: User, uploads: list[str]
) -> None:
    await bench.put(user, 0, max_fee_wei=ETH // 2)
    bench.chain.mine()
    await bench.market.refresh()
    assert await bench.poster.step()
    bench.chain.set_market(gas_price_wei=2 * GWEI)
    await bench.market.refresh()
    assert await bench.poster.step()
    assert (await bench.batches())[0].state == "failed"
    assert uploads == []


async def test_refused_again_and_again__fewer_and_fewer_uploads(
    bench: Bench, user: User, uploads: list[str]
) -> None:
    await bench.put(user, 0)
    bench.chain.refusal = TxReverted("IntakePaused()", error_name="IntakePaused")
    for _ in range(100):
        bench.chain.mine()
        await bench.post()
    assert 5 <= len(uploads) <= 9
    assert await bench.rows(user) == {0: "queued"}
    bench.chain.refusal = None
    for _ in range(50):
        bench.chain.mine()
        await bench.post()
    assert await bench.rows(user) == {0: "posted"}


@pytest.mark.parametrize(
    "change",
    [{"fee_cap_wei": 1}, {"balance_wei": 0}, {"unlock_time_s": 1}],
    ids=lambda change: next(iter(change)),
)
async def test_account__cannot_pay_any_more_after_the_upload__not_posted(
    bench: Bench, user: User, change: dict[str, int]
) -> None:
    """The contract would skip it, at our cost."""
    await bench.put(user, 0)
    bench.chain.mine()
    await bench.market.refresh()
    while not (found := await bench.batches()) or found[0].state != "uploaded":
        await bench.poster.step()
    bench.chain.change(user.address, **change)
    await bench.poster.step()
    assert (await bench.batches())[0].state == "failed"
    assert bench.chain.sent == []


async def test_taken_apart_while_it_is_uploaded__not_posted(
    bench: Bench, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process (or the follower) may take it apart between two steps of one."""
    await bench.put(user, 0)
    put = ObjectStore.put

    async def taken(store: ObjectStore, key: str, data: bytes) -> None:
        await put(store, key, data)
        async with bench.db.transaction() as conn:
            await batches.dissolve(conn, 1, "its proofs are elsewhere")

    bench.chain.mine()
    await bench.market.refresh()
    assert await bench.poster.step()
    monkeypatch.setattr(ObjectStore, "put", taken)
    assert await bench.poster.step()
    monkeypatch.setattr(ObjectStore, "put", put)
    assert (await bench.batch(1)).state == "failed"
    bench.chain.mine()
    await bench.post()
    assert [sent.key for sent in bench.chain.sent] == ["create-task:2"]
