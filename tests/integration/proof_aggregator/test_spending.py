"""What an aggregation's transaction may cost, also while it is pending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from aligned.chain.client import ChainClient
from aligned.chain.fees import Caps
from aligned.chain.prices import read_prices
from aligned.proof_aggregator.budget import BLOB_GAS, fee_wei
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import POLICY, AggregationRig, Parts, account_nonce, prove
from tests.integration.proof_aggregator.test_budget import pay_for_all
from tests.integration.storage.aggregation.rows import payment, record

GWEI = 10**9
ETHER = 10**18
CAPS = Caps.from_gwei(500, 100)
# Leaves the transaction about 13 gwei per gas beside 31 per blob gas, at the test chain's prices.
COSTS = replace(POLICY.costs, daily_budget_wei=ETHER // 100)


def bounded(rig: AggregationRig, make: MakeParts) -> Parts:
    return make(
        rig,
        costs=COSTS,
        caps=CAPS,
        bump_after_s=0.05,
        patience={"give_up_after_s": 0.2},
        policy={"costs": COSTS},
    )


@pytest_asyncio.fixture
async def publishing(
    own_rig: AggregationRig, make: MakeParts
) -> AsyncIterator[tuple[Parts, asyncio.Task[None]]]:
    """An aggregation whose transaction waits in the node's pool."""
    parts = bounded(own_rig, make)
    await prove(parts)
    own_rig.node.rpc("evm_setAutomine", False)
    step = asyncio.create_task(parts.publish())
    await until(lambda: _count(parts, "tx_attempt", 1))
    yield parts, step
    step.cancel()


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await reached():  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.02)


async def _count(parts: Parts, table: str, least: int, where: str = "TRUE") -> bool:
    return await parts.count(table, where) >= least


def ask(rig: AggregationRig, gwei: int) -> None:
    """What the chain asks per gas from the next block on, in which nothing cheaper is."""
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
    rig.node.mine()


async def mine_until_done(rig: AggregationRig, step: asyncio.Task[None], gwei: int) -> None:
    async def done() -> bool:
        ask(rig, gwei)
        return step.done()

    await until(done)
    await step


async def row_of(parts: Parts) -> dict[str, object]:
    (row,) = await parts.rows("SELECT * FROM aggregations")
    return row


async def test_publish__gas_becomes_dear_while_pending__cancelled_and_proved_and_mined_when_it_is_cheap(
    own_rig: AggregationRig, publishing: tuple[Parts, asyncio.Task[None]]
) -> None:
    parts, step = publishing
    estimate_wei = int(str((await row_of(parts))["cost_wei"]))
    ask(own_rig, 100)
    await until(lambda: _count(parts, "tx_attempt", 1, "is_cancel"))
    await mine_until_done(own_rig, step, 100)
    row = await row_of(parts)
    assert (row["state"], "tx_cancelled_fees" in str(row["last_error"])) == ("proved", True)
    assert (await parts.states(), own_rig.roots()) == (["proving"] * 3, [])
    assert 'blocked{system="sp1"} 1.0' in parts.context.metrics.render().decode()

    # A cancel is a transfer with one blob: a fraction of what the aggregation would have cost at that price.
    cancelled_wei = int(str(row["cancelled_wei"]))
    assert 0 < cancelled_wei <= 21_000 * CAPS.max_fee_wei + BLOB_GAS * CAPS.blob_fee_wei
    now = await read_prices(parts.context.client, with_blobs=True)
    assert cancelled_wei < fee_wei(COSTS, now, 3) / 5
    assert row["cost_wei"] == estimate_wei + cancelled_wei

    # Told again, it counts once; nothing is sent, and nobody sees it as submitted.
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    forms = await parts.count("tx_attempt")
    await parts.publish()
    again = await row_of(parts)
    assert (again["state"], again["cancelled_wei"]) == ("proved", cancelled_wei)
    assert await parts.count("tx_attempt") == forms

    own_rig.node.rpc("evm_setAutomine", True)
    ask(own_rig, 1)
    await parts.publish_until_settled()
    row = await row_of(parts)
    receipt = await parts.context.client.get_receipt(bytes(row["tx_hash"]))  # type: ignore[call-overload]
    assert receipt is not None
    assert (row["state"], row["cost_wei"]) == ("mined", receipt.fee_wei + cancelled_wei)
    assert (await parts.states(), len(own_rig.roots()), account_nonce(parts, own_rig)) == (
        ["mined"] * 3,
        1,
        2,
    )


async def test_publish__blob_gas_becomes_dear_while_pending__cancelled_and_proved(
    own_rig: AggregationRig, publishing: tuple[Parts, asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, step = publishing

    async def dear(_client: object) -> int:
        return 60 * GWEI  # above what this one may cost, and below the account's cap

    async def cancel_is_sent() -> bool:
        forms = await parts.rows("SELECT tx_hash FROM tx_attempt WHERE is_cancel")
        hashes = ["0x" + form["tx_hash"].hex() for form in forms]
        return any(own_rig.node.rpc("eth_getTransactionByHash", each) is not None for each in hashes)

    monkeypatch.setattr(ChainClient, "blob_base_fee", dear)
    await until(cancel_is_sent)
    own_rig.node.mine()
    await step
    assert ((await row_of(parts))["state"], await parts.states()) == ("proved", ["proving"] * 3)
    assert own_rig.roots() == []


async def test_publish__dear_while_pending__what_waits_behind_goes_on(
    own_rig: AggregationRig, publishing: tuple[Parts, asyncio.Task[None]]
) -> None:
    parts, step = publishing
    target = b"\x77" * 20
    behind = asyncio.create_task(parts.context.sender.send("behind", target, value=1, gas=21_000))
    await until(lambda: _count(parts, "tx_attempt", 1, "key = 'behind'"))
    ask(own_rig, 100)
    await until(lambda: _count(parts, "tx_attempt", 1, "is_cancel"))
    await mine_until_done(own_rig, step, 100)
    await mine_until_done(own_rig, asyncio.create_task(_wait(behind)), 100)
    assert ((await behind).state, (await row_of(parts))["state"]) == ("mined", "proved")


async def _wait(task: asyncio.Task[object]) -> None:
    await task


async def test_publish__pending_and_not_dear__no_form_may_cost_more_than_the_budget(
    own_rig: AggregationRig, publishing: tuple[Parts, asyncio.Task[None]]
) -> None:
    parts, step = publishing

    async def stands_still() -> bool:
        before = await parts.count("tx_attempt")
        await asyncio.sleep(0.3)
        return before > 1 and await parts.count("tx_attempt") == before

    await until(stands_still)
    gas = COSTS.execution_gas + COSTS.blob_execution_gas
    for form in await parts.rows("SELECT * FROM tx_attempt"):
        assert gas * form["max_fee_wei"] + BLOB_GAS * form["blob_fee_wei"] <= COSTS.daily_budget_wei
        assert not form["is_cancel"]
    own_rig.node.mine()
    await step
    assert await parts.states("aggregations") == ["mined"]


@pytest.mark.parametrize("is_paid", [True, False])
async def test_publish__dearer_than_the_budget__goes_only_if_its_proofs_paid_for_that(
    own_rig: AggregationRig, make: MakeParts, *, is_paid: bool
) -> None:
    parts = bounded(own_rig, make)
    await record(parts.db, payment(amount_wei=ETHER, proofs=3))
    await parts.add(3)
    if is_paid:
        await pay_for_all(parts)
    await prove(parts, 0)
    ask(own_rig, 100)
    await parts.publish()
    row = await row_of(parts)
    expected = ("mined", None) if is_paid else ("proved", "fees_above_cap")
    assert (row["state"], row["last_error"] and str(row["last_error"]).split(":")[0]) == expected
    assert await parts.count("tx_attempt") == int(is_paid)
