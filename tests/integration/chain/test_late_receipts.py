"""Nodes whose receipts come late, or not for a long time: one wish stays one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.evidence import transaction_at
from aligned.chain.sender import TxSender
from aligned.storage.postgres import Database
from tests.integration.chain.code import COUNTER, TARGET, count, place
from tests.integration.chain.sending import WORD, attempts_of, foreign, until, until_pending
from tests.integration.node import Anvil
from tests.outside.node import NodeProxy, error, result


@asynccontextmanager
async def sending_through(
    node: Anvil, database: Database, account: LocalAccount, **options: Any
) -> AsyncIterator[tuple[NodeProxy, TxSender]]:
    async with NodeProxy(node.url) as proxy, ChainClient([proxy.url], node.chain_id, timeout_s=60) as client:
        yield proxy, TxSender(database, client, account, **({"poll_s": 0.02} | options))


@pytest.mark.parametrize("confirmations", [1, 3])
async def test_send__receipts_come_late__is_mined_once(
    anvil: Anvil, database: Database, confirmations: int
) -> None:
    place(anvil, COUNTER)
    account = anvil.new_account()
    async with sending_through(anvil, database, account, confirmations=confirmations) as (proxy, sender):
        proxy.before("eth_getTransactionReceipt", None, result(None))
        sending = asyncio.create_task(sender.send("k", TARGET, WORD))

        async def is_mined() -> bool:
            return count(anvil) == 1

        await until(is_mined)
        anvil.mine(confirmations)

        async def looked_again() -> bool:
            return proxy.calls.count("eth_getTransactionReceipt") >= 30

        await until(looked_again)
        assert not sending.done()
        proxy.forget()
        assert (await sending).state == "mined"
    assert {row["nonce"] for row in await attempts_of(database, "k")} == {0}
    assert (count(anvil), anvil.nonce(account.address)) == (1, 1)


async def test_send__nonce_lost_and_the_block_cannot_be_read__waits_and_then_moves_on(
    manual: Anvil, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    async with sending_through(manual, database, account) as (proxy, sender):
        sending = asyncio.create_task(sender.send("k", TARGET, WORD))
        await until_pending(manual)
        foreign(manual, account, nonce=0)

        def without_transactions(call: dict[str, Any]) -> dict[str, Any] | None:
            return error(-32000, "history is pruned")(call) if call["params"][1] else None  # type: ignore[return-value]

        proxy.before("eth_getBlockByNumber", None, without_transactions)
        manual.mine()

        async def looked_again() -> bool:
            return proxy.calls.count("eth_getTransactionReceipt") >= 10

        await until(looked_again)
        assert {row["nonce"] for row in await attempts_of(database, "k")} == {0}
        proxy.forget()
        await until_pending(manual)
        manual.mine()
        assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 2)


async def test_transaction_at__any_block__names_who_used_the_nonce(manual: Anvil) -> None:
    account = manual.new_account()
    address = bytes.fromhex(account.address[2:])
    hashes = []
    for nonce in range(5):
        hashes.append(bytes.fromhex(foreign(manual, account, nonce)[2:]))
        manual.mine(1 + 3 * nonce)
    async with ChainClient([manual.url], 31337) as client:
        head = await client.block_number()
        found = [await transaction_at(client, address, nonce, head) for nonce in range(6)]
        assert found == [*hashes, None]
        assert await transaction_at(client, address, 4, 3) is None
