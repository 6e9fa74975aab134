"""The poller's step is cancelled at each of its awaits, and the chain or another poller moves between any two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.contracts import AggregationPayments
from aligned.payments_poller.follower import Follower
from aligned.payments_poller.metrics import PollerMetrics
from tests.integration.following import Reader, reorganise
from tests.integration.poller.harness import Payments
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at


def _reader(payments: Payments, client: ChainClient) -> Reader:
    service = AggregationPayments(client, payments.address)
    first = payments.rig.deployment.deployed_block
    follower = Follower(payments.db, client, service, first, 0, PollerMetrics())
    return Reader(follower._cursor, follower.handle, follower.undo)


@pytest_asyncio.fixture
async def poller(payments: Payments) -> AsyncIterator[Reader]:
    client = ChainClient([payments.rig.node.url], payments.rig.deployment.chain_id)
    yield _reader(payments, client)
    await client.close()


@pytest_asyncio.fixture
async def other(payments: Payments) -> AsyncIterator[Reader]:
    client = ChainClient([payments.rig.node.url], payments.rig.deployment.chain_id)
    yield _reader(payments, client)
    await client.close()


async def test_cancelled__poller__every_payment_counts_once(payments: Payments, poller: Reader) -> None:
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
    payments: Payments, poller: Reader, other: Reader
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
    payments: Payments, poller: Reader
) -> None:
    payer: LocalAccount
    node = payments.rig.node

    async def one(number: int) -> Run:
        nonlocal payer
        payer = node.new_account()
        await poller.to_the_head()
        before = node.rpc("evm_snapshot")
        payments.pay(payer)

        async def leave() -> None:
            reorganise(node, before)

        return await act_at(poller.step, number, leave)

    async def check(_number: int, run: Run) -> None:
        await poller.to_the_head()
        if run.reached:
            assert await payments.rows(payer) in ([], [(payments.proofs, 0, True)])

    assert await at_each_await(one, check) > 5
