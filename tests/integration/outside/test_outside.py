"""The helpers of tests/outside do what the tests that use them rely on."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession

from aligned.storage.postgres import Database
from tests.integration.node import Anvil
from tests.outside import node
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at
from tests.outside.node import NodeProxy
from tests.outside.statements import watched_statements


async def test_cancel_at__each_await_in_turn__ends_there_and_cleans_up() -> None:
    went: list[str] = []

    async def step() -> str:
        try:
            for name in ("a", "b", "c"):
                await asyncio.sleep(0)
                went.append(name)
            return "done"
        finally:
            went.append("cleaned")

    runs: list[tuple[int, Run, str]] = []

    async def check(number: int, run: Run) -> None:
        runs.append((number, run, "".join(went)))
        went.clear()

    tried = await at_each_await(lambda number: cancel_at(step, number), check)

    assert tried == 3
    assert [text for _number, _run, text in runs] == ["cleaned", "acleaned", "abcleaned", "abccleaned"]
    assert [run.cancelled for _number, run, _text in runs] == [True, True, True, False]
    assert runs[-1][1].result == "done"


async def test_cancel_at__inside_a_timeout_block__is_no_timeout() -> None:
    async def step() -> None:
        async with asyncio.timeout(30):
            await asyncio.sleep(30)

    assert (await cancel_at(step, 1)).cancelled


async def test_act_at__between_answer_and_use__step_sees_the_old_answer() -> None:
    world = {"value": 1}

    async def read() -> int:
        found = world["value"]
        await asyncio.sleep(0)
        return found

    async def step() -> tuple[int, int]:
        return await read(), world["value"]

    async def change() -> None:
        world["value"] = 2

    run = await act_at(step, 1, change)

    assert run == Run(reached=True, result=(1, 2))


async def test_act_at__step_holds_what_the_action_needs__is_reported_and_goes_on() -> None:
    lock = asyncio.Lock()

    async def step() -> str:
        async with lock:
            await asyncio.sleep(0)
        return "done"

    run = await act_at(step, 1, lock.acquire)

    assert run.blocked
    assert run.result == "done"


async def test_act_at__error_of_the_step__is_kept() -> None:
    async def step() -> None:
        await asyncio.sleep(0)
        raise ValueError("own")

    async def nothing() -> None: ...

    assert isinstance((await act_at(step, 1, nothing)).error, ValueError)


async def test_node_proxy__acts_before_the_named_call_only(anvil: Anvil) -> None:
    seen: list[int] = []

    async def mine(_call: node.Json) -> None:
        await asyncio.to_thread(anvil.mine)

    async with NodeProxy(anvil.url) as proxy, ClientSession() as session:

        async def block() -> None:
            call = {"jsonrpc": "2.0", "id": 7, "method": "eth_blockNumber", "params": []}
            async with session.post(proxy.url, json=call) as response:
                answer = await response.json()
                assert answer["id"] == 7
                seen.append(int(answer["result"], 16))

        proxy.before("eth_blockNumber", 2, mine)
        for _ in range(3):
            await block()
        proxy.before("*", 1, node.result("0x63"))
        await block()

        proxy.before("eth_blockNumber", None, node.status(429, "slow down", retry_after="3"))
        async with session.post(proxy.url, json={"id": 1, "method": "eth_blockNumber"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "3")

    assert seen == [0, 1, 1, 99]
    assert proxy.calls == ["eth_blockNumber"] * 5


async def test_statements__acts_before_the_named_one_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as conn:
        await conn.execute("CREATE TABLE counted (value int)")

    async def insert() -> None:
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO counted VALUES (1)")

    async def count() -> int:
        async with database.transaction() as conn:
            found = await (await conn.execute("SELECT count(*) AS rows FROM counted")).fetchone()
            assert found is not None
            return int(found["rows"])

    with watched_statements(monkeypatch) as statements:
        statements.before("SELECT count", 2, insert)
        found = [await count() for _ in range(3)]

    assert found == [0, 1, 1]
    assert not any("INSERT" in text for text in statements.sent)
