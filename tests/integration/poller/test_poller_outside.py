"""The poller's step is cancelled at each of its awaits, and the chain or another poller moves between any two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationPayments
from aligned.core.errors import DependencyError
from aligned.payments_poller.follower import Follower
from aligned.payments_poller.metrics import PollerMetrics
from tests.integration.poller.harness import Payments
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at


class Poller:
    """A follower without its loop."""

    def __init__(self, payments: Payments, client: ChainClient) -> None:
        service = AggregationPayments(client, payments.address)
        self._follower = Follower(
            payments.db, client, service, payments.rig.deployment.deployed_block, 0, PollerMetrics()
        )

    async def step(self) -> bool:
        """One step of its cursor."""
        return await self._follower._cursor.step(self._follower.handle, self._follower.undo)

    async def to_the_head(self) -> None:
        """As often as it takes, through answers that do not fit together."""
        for _ in range(20):
            try:
                if not await self.step():
                    return
            except DependencyError:
                continue
        raise AssertionError("it does not come to an end")


@pytest_asyncio.fixture
async def poller(payments: Payments) -> AsyncIterator[Poller]:
    client = ChainClient([payments.rig.node.url], payments.rig.deployment.chain_id)
    yield Poller(payments, client)
    await client.close()


@pytest_asyncio.fixture
async def other(payments: Payments) -> AsyncIterator[Poller]:
    client = ChainClient([payments.rig.node.url], payments.rig.deployment.chain_id)
    yield Poller(payments, client)
    await client.close()


async def test_cancelled__poller__every_payment_counts_once(payments: Payments, poller: Poller) -> None:
    payer: LocalAccount

    async def one(number: int) -> Run:
        nonlocal payer
        payer = payments.rig.node.new_account()
        payments.pay(payer)
        return await cancel_at(poller.step, number)

    async def check(_number: int, _run: Run) -> None:
        assert await payments.rows(payer) in ([], [(payments.proofs, 0, False)])
        await poller.to_the_head()
        assert await payments.rows(payer) == [(payments.proofs, 0, False)]

    assert await at_each_await(one, check) > 5


async def test_between__another_poller_reads_the_same_blocks__every_payment_counts_once(
    payments: Payments, poller: Poller, other: Poller
) -> None:
    payer: LocalAccount

    async def one(number: int) -> Run:
        nonlocal payer
        payer = payments.rig.node.new_account()
        payments.pay(payer)
        return await act_at(poller.step, number, other.to_the_head)

    async def check(_number: int, _run: Run) -> None:
        await poller.to_the_head()
        await other.to_the_head()
        assert await payments.rows(payer) == [(payments.proofs, 0, False)]

    assert await at_each_await(one, check, every=3) > 2


async def test_between__the_payment_leaves_the_chain__it_buys_nothing(
    payments: Payments, poller: Poller
) -> None:
    payer: LocalAccount
    node = payments.rig.node

    async def one(number: int) -> Run:
        nonlocal payer
        payer = node.new_account()
        await poller.to_the_head()
        before = node.rpc("evm_snapshot")
        payments.pay(payer)

        async def reorganise() -> None:
            node.rpc("evm_revert", before)
            node.rpc("evm_increaseTime", 100)
            node.mine(2)

        return await act_at(poller.step, number, reorganise)

    async def check(_number: int, run: Run) -> None:
        await poller.to_the_head()
        if run.reached:
            assert await payments.rows(payer) in ([], [(payments.proofs, 0, True)])

    assert await at_each_await(one, check) > 5
