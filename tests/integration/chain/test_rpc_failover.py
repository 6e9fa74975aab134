"""Which of several endpoints is asked: limits, missing methods, errors of HTTP, heads behind or frozen, broadcasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from aligned.chain.client import ChainClient
from aligned.chain.rpc import RpcError
from aligned.core.errors import DependencyError
from tests.integration.chain.code import COUNTER, TARGET, count, place
from tests.integration.chain.nodes import rpc_error, scripted_node
from tests.integration.chain.sending import WORD, Make, until
from tests.integration.node import Anvil
from tests.outside.node import Hook, NodeProxy, error, result, status

Pair = tuple[NodeProxy, NodeProxy]


@pytest_asyncio.fixture
async def pair(anvil: Anvil) -> AsyncIterator[Pair]:
    """Two ways to one node; the first is preferred."""
    async with NodeProxy(anvil.url) as first, NodeProxy(anvil.url) as second:
        yield first, second


def both(pair: Pair, **options: Any) -> ChainClient:
    return ChainClient([pair[0].url, pair[1].url], 31337, **options)


REFUSALS = {
    "limit": error(-32005, "limit exceeded"),
    "rate": error(-32005, "rate limit exceeded"),
    "requests": error(-32005, "request limit exceeded: too many requests in your plan"),
    "per second": error(-32000, "Too Many Requests: more than 25 requests per second"),
    "quota": error(-32001, "daily quota reached"),
    "internal": error(-32603, "internal error"),
    "params": error(-32602, "invalid params"),
    "missing": error(-32601, "the method does not exist/is not available"),
    "429": status(429, "slow down"),
    "429 json": lambda _call: web.json_response(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "limit"}}, status=429
    ),
    "402": status(402, "pay"),
    "403": status(403, "<html>forbidden</html>"),
    "500": status(500),
    "502": status(502, "<html>bad gateway</html>"),
    "503 later": status(503, "", retry_after="7"),
    "302": status(302, "", location="http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_client__first_endpoint_refuses__second_answers(pair: Pair, name: str) -> None:
    async with both(pair) as client:
        await client.block_number()
        pair[0].before("eth_gasPrice", None, REFUSALS[name])
        assert await client.gas_price() > 0
        assert pair[0].calls.count("eth_gasPrice") == 1


@pytest.mark.parametrize("name", ["limit", "429", "internal", "503 later"])
async def test_client__endpoint_that_refused__is_left_alone_and_then_preferred_again(
    pair: Pair, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aligned.chain.node._COOL_DOWN_S", 7.0)
    now = time.monotonic()
    monkeypatch.setattr("aligned.chain.node.time.monotonic", lambda: now)
    async with both(pair) as client:
        pair[0].before("eth_gasPrice", 1, REFUSALS[name])
        for _ in range(3):
            await client.gas_price()
        assert pair[0].calls.count("eth_gasPrice") == 1
        now += 7.5
        await client.gas_price()
        assert pair[0].calls.count("eth_gasPrice") == 2


async def test_client__second_answers_in_place_of_the_first__is_counted_as_failover(pair: Pair) -> None:
    async with both(pair) as client:
        await client.block_number()
        assert [each.failovers for each in client.endpoints()] == [0, 0]
        pair[0].before("eth_blockNumber", None, status(500))
        await client.block_number()
        await client.block_number()
        assert [each.failovers for each in client.endpoints()] == [0, 2]
        node = client.pinned()
        await node.block_number()
        assert [each.failovers for each in client.endpoints()] == [0, 3]


async def test_client__node_says_when_to_come_back__is_not_asked_before(anvil: Anvil) -> None:
    async with NodeProxy(anvil.url) as proxy, ChainClient([proxy.url], 31337) as client:
        await client.block_number()
        proxy.before("eth_gasPrice", None, status(429, "", retry_after="30"))
        with pytest.raises(RpcError, match="429"):
            await client.gas_price()
        before = len(proxy.calls)
        for _ in range(3):
            with pytest.raises(RpcError, match="asked for a pause"):
                await client.gas_price()
        assert len(proxy.calls) == before


async def test_client__method_missing__only_that_method_goes_elsewhere(pair: Pair) -> None:
    async with both(pair) as client:
        pair[0].before("eth_gasPrice", None, error(-32601, "not available"))
        for _ in range(3):
            await client.gas_price()
            await client.block_number()
        asked = pair[0].calls
        assert (asked.count("eth_gasPrice"), asked.count("eth_blockNumber")) == (1, 3)


async def test_get_receipt__first_node_lags__second_is_believed(anvil: Anvil, pair: Pair, make: Make) -> None:
    receipt = await make(anvil, anvil.new_account()).send("k", TARGET, b"")
    assert receipt.tx_hash is not None
    async with both(pair) as client:
        for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            pair[0].before(method, None, result(None))
        assert await client.get_receipt(receipt.tx_hash) is not None
        assert await client.get_transaction(receipt.tx_hash) is not None
        pair[1].before("eth_getTransactionReceipt", None, error(-32603, "down"))
        assert await client.get_receipt(receipt.tx_hash) is None


def head(number: int, age_s: float = 0.0) -> Hook:
    """A newest block of that age."""

    def answer(call: dict[str, Any]) -> dict[str, Any] | None:
        if call["params"][0] != "latest":
            return None
        zero = "0x" + "00" * 32
        stamp = hex(int(time.time() - age_s))
        return {"result": {"number": hex(number), "hash": zero, "parentHash": zero, "timestamp": stamp}}

    return answer


@pytest.mark.parametrize(
    ("first", "second", "asked"),
    [
        (head(100), head(100), 0),
        (head(98, 24), head(100), 0),
        (head(90, 120), head(100), 1),  # behind
        (head(100, 300), head(100, 290), 0),  # both frozen: as the settings have them
        (head(90, 300), head(90), 1),  # frozen
        (head(100), head(100_000, -3_600), 0),  # a head of the future
        (head(100), head(100_000, 30), 0),  # many blocks, and none of them newer
        (error(-32603, "no head"), head(100), 0),
    ],
)
async def test_client__heads__the_one_that_is_up_to_date_is_asked(
    pair: Pair, first: Hook, second: Hook, asked: int
) -> None:
    for proxy, hook in zip(pair, (first, second), strict=True):
        proxy.before("eth_getBlockByNumber", None, hook)
    async with both(pair, max_head_age_s=200) as client:
        await client.gas_price()
        assert [proxy.calls.count("eth_gasPrice") for proxy in pair] == [asked == 0, asked == 1]


async def test_client__preferred_node_catches_up__is_asked_again(pair: Pair) -> None:
    pair[0].before("eth_getBlockByNumber", None, head(90, 300))
    pair[1].before("eth_getBlockByNumber", None, head(100))
    async with both(pair, max_head_age_s=200, head_look_s=0.05) as client:
        await client.gas_price()
        assert pair[0].calls.count("eth_gasPrice") == 0
        assert [each.is_outdated for each in client.endpoints()] == [True, False]
        pair[0].before("eth_getBlockByNumber", None, head(100))
        while not pair[0].calls.count("eth_gasPrice"):
            await client.gas_price()
            await asyncio.sleep(0.01)


async def test_check_head__every_head_is_frozen__is_said(pair: Pair) -> None:
    for proxy in pair:
        proxy.before("eth_getBlockByNumber", None, head(100, 300))
    async with both(pair, max_head_age_s=200) as client:
        with pytest.raises(DependencyError, match="head_frozen") as caught:
            await client.check_head()
        assert "newest block 100 is 30" in caught.value.message
        with pytest.raises(DependencyError, match="head_frozen"):
            client.pinned().check_known()
    async with both(pair) as client:
        await client.check_head()
        client.check_known()


async def test_client__another_chain_behind_the_same_url__is_wrong_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aligned.chain.rpc._SHORTEST_LOOK_S", 0.0)
    with Anvil("--timestamp", "1700000000") as first, Anvil("--timestamp", "1700000001") as second:
        first.mine(100)
        async with NodeProxy(first.url) as proxy, ChainClient([proxy.url], 31337) as client:
            await client.check_head()
            proxy.node_url = second.url
            with pytest.raises(DependencyError, match="wrong_chain: .* genesis"):
                await client.check_head()
            with pytest.raises(DependencyError, match="wrong_chain"):
                await client.block_number()
            assert client.endpoints()[0].wrong_chain
            with pytest.raises(DependencyError, match="wrong_chain"):
                client.check_known()
            proxy.node_url = first.url
            assert await client.block_number() == 100
            assert not client.endpoints()[0].wrong_chain


@pytest.mark.parametrize("name", ["missing", "quota", "429", "500"])
async def test_send__first_endpoint_takes_no_broadcasts__is_mined(
    anvil: Anvil, pair: Pair, make: Make, name: str
) -> None:
    place(anvil, COUNTER)
    pair[0].before("eth_sendRawTransaction", None, REFUSALS[name])
    sender = make(anvil, anvil.new_account())
    async with both(pair) as client:
        sender._broadcaster._client = client
        await sender.send("k", TARGET, WORD)
    assert count(anvil) == 1


async def test_send_raw__already_known__is_success_and_no_reason_to_avoid_the_node(pair: Pair) -> None:
    async with both(pair) as client:
        pair[1].before("eth_sendRawTransaction", None, error(-32000, "nonce too low"))
        for text in ("already known", "Transaction already imported", "known transaction: 0x00"):
            pair[0].before("eth_sendRawTransaction", None, error(-32000, text))
            await client.send_raw(b"\x02")
        pair[0].before("eth_sendRawTransaction", None, error(-32000, "insufficient funds for gas"))
        with pytest.raises(RpcError, match="nonce too low"):
            await client.send_raw(b"\x02")
        pair[1].before("eth_sendRawTransaction", None, error(-32000, "insufficient funds for gas"))
        with pytest.raises(RpcError, match="insufficient funds"):
            await client.send_raw(b"\x02")
        await client.gas_price()
        assert pair[0].calls.count("eth_gasPrice") == 1


async def test_send_raw__one_endpoint_silent__other_accepts__does_not_wait(anvil: Anvil, pair: Pair) -> None:
    account = anvil.new_account()
    fields = {"nonce": 0, "to": TARGET, "gas": 21_000, "gasPrice": 10**11, "chainId": 31337}
    raw = bytes(account.sign_transaction(fields).raw_transaction)
    released = asyncio.Event()

    async def hold(_call: dict[str, Any]) -> None:
        await released.wait()

    async with both(pair, timeout_s=600) as client:
        await client.block_number()
        pair[0].before("eth_sendRawTransaction", None, hold)
        await client.send_raw(raw)
        released.set()

    async def mined() -> bool:
        return anvil.nonce(account.address) == 1

    await until(mined)


async def test_broadcast__refused_everywhere__says_what_a_node_said() -> None:
    async with (
        scripted_node(lambda _m, _p: rpc_error(-32000, "replacement underpriced")) as (one, _),
        ChainClient(["http://127.0.0.1:1", one], 31337) as client,
    ):
        with pytest.raises(RpcError, match="underpriced"):
            await client.send_raw(b"\x02")
