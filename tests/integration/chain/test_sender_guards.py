"""What changes between two looks of the sender: another process, another program, another block at the same height."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from aligned.chain.client import ChainClient
from aligned.chain.fees import UNLIMITED
from aligned.chain.journal import Journal
from aligned.chain.journal_rows import Request
from aligned.storage.postgres import Database
from tests.integration.chain.code import COUNTER, TARGET, count, place
from tests.integration.chain.sending import (
    WORD,
    Make,
    attempts_of,
    foreign,
    until,
    until_attempts,
    until_pending,
)
from tests.integration.node import Anvil
from tests.outside.node import NodeProxy


async def test_move__two_processes_lose_one_nonce__one_new_nonce(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    first, second = make(manual, account), make(manual, account)
    sending = asyncio.create_task(first.send("k", TARGET, WORD))
    await until_pending(manual)
    sending.cancel()
    foreign(manual, account, nonce=0)
    manual.mine()
    async with database.transaction() as conn:
        lost = await first._journal.load(conn, "k")
    assert lost is not None
    moved = await asyncio.gather(first._broadcaster.move(lost), second._broadcaster.move(lost))
    assert {attempt.nonce for attempt in moved} == {1}
    assert [row["nonce"] for row in await attempts_of(database, "k")] == [0, 1]


async def test_send__foreign_transaction_pending_below__is_not_filled_over(
    manual: Anvil, make: Make, database: Database
) -> None:
    place(manual, COUNTER)
    account = manual.new_account()
    foreign(manual, account, nonce=0)
    sending = asyncio.create_task(make(manual, account, bump_after_s=0.05).send("k", TARGET, WORD))
    await until_attempts(database, "k", 4)
    assert await attempts_of(database, "filler:0") == []
    manual.mine()
    assert (await sending).state == "mined"
    assert (count(manual), manual.nonce(account.address)) == (1, 2)


async def test_send__receipt_of_another_block_than_the_chain_has__is_not_believed(
    anvil: Anvil, make: Make
) -> None:
    place(anvil, COUNTER)
    sender = make(anvil, anvil.new_account())
    async with NodeProxy(anvil.url) as proxy, ChainClient([proxy.url], anvil.chain_id) as client:
        sender._tracker._client = client
        looks = 0

        async def of_another_chain(call: dict[str, Any]) -> dict[str, Any] | None:
            nonlocal looks
            if call["params"] == ["latest", False]:
                return None
            looks += 1
            answer = await proxy.ask(call)
            answer["result"]["hash"] = "0x" + "ee" * 32
            return answer

        proxy.before("eth_getBlockByNumber", None, of_another_chain)
        sending = asyncio.create_task(sender.send("k", TARGET, WORD))

        async def looked_again() -> bool:
            return looks >= 5

        await until(looked_again)
        assert not sending.done()
        proxy.forget()
        assert (await sending).state == "mined"
    assert count(anvil) == 1


async def test_journal__two_requests_at_one_nonce__are_refused(database: Database) -> None:
    journal = Journal(31337, b"\x01" * 20)

    async def insert(key: str) -> None:
        async with database.transaction() as conn:
            await journal.insert(conn, Request(key, TARGET, b"", 0, 21_000, "pending", 7, limit=UNLIMITED))

    await insert("a")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await insert("b")
    async with database.transaction() as conn:
        assert [request.key for request in await journal.from_nonce(conn, 0)] == ["a"]
