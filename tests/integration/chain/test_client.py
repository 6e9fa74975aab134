"""Failover, reverts, log ranges and node errors, on anvil and on nodes that misbehave."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.chain.errors import TxReverted
from aligned.chain.rpc import RpcError
from aligned.core.errors import DependencyError
from tests.integration.chain.code import COUNTER, REVERTER, TARGET, emit, place
from tests.integration.chain.nodes import rpc_error, scripted_node
from tests.integration.node import Anvil

DEAD = "http://127.0.0.1:1"


async def test_client__first_url_dead__second_answers(anvil: Anvil) -> None:
    async with ChainClient([DEAD, anvil.url], 31337) as client:
        anvil.mine(3)
        assert await client.block_number() == 3
        block = await client.get_block(3)
        assert block is not None
        assert block.base_fee_wei > 0
        assert await client.get_block(99) is None


async def test_client__server_error_on_first_url__second_answers(anvil: Anvil) -> None:
    async with (
        scripted_node(lambda _m, _p: rpc_error(-32603, "internal")) as (bad, asked),
        ChainClient([bad, anvil.url], 31337) as client,
    ):
        assert await client.block_number() == 0
        assert asked == ["eth_blockNumber"]


async def test_client__url_of_another_chain__never_used(anvil: Anvil) -> None:
    async with scripted_node(lambda _m, _p: {"result": "0x63"}, chain_id=1) as (other, asked):
        async with ChainClient([other, anvil.url], 31337) as client:
            assert await client.block_number() == 0
        async with ChainClient([other], 31337) as client:
            with pytest.raises(DependencyError, match="wrong_chain"):
                await client.block_number()
        assert asked == []


async def _last_block(client: ChainClient) -> int:
    return await ServiceManager(client, TARGET).last_response_block(bytes(32))


@pytest.mark.parametrize("answer", ["0x", "0x01", "0xzz", None, 7])
async def test_call__node_without_the_contract__next_url_is_asked(answer: object) -> None:
    word = "0x" + (7).to_bytes(32).hex()
    async with (
        scripted_node(lambda _m, _p: {"result": answer}) as (behind, asked),
        scripted_node(lambda _m, _p: {"result": word}) as (good, _),
        ChainClient([behind, good], 31337) as client,
    ):
        assert await _last_block(client) == 7
        assert asked == ["eth_call"]


async def test_call__no_contract_anywhere__is_retryable_and_says_so(anvil: Anvil) -> None:
    async with ChainClient([anvil.url], 31337) as client:
        with pytest.raises(DependencyError, match="no contract at 0xc0c0") as caught:
            await _last_block(client)
    assert caught.value.retryable


async def test_client__all_dead__is_retryable_and_hides_the_url() -> None:
    async with ChainClient(
        ["http://secret-key:secret-key@127.0.0.1:1/v2/secret-key"], 31337, timeout_s=2
    ) as client:
        with pytest.raises(DependencyError) as caught:
            await client.block_number()
    assert (caught.value.code, caught.value.retryable) == ("chain_unavailable", True)
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_client__revert__no_other_url_is_asked(anvil: Anvil) -> None:
    place(anvil, REVERTER)
    async with scripted_node(lambda _m, _p: {"result": "0x"}) as (second, asked):
        async with ChainClient([anvil.url, second], 31337) as client:
            with pytest.raises(TxReverted):
                await client.eth_call(TARGET, b"\x01\x02\x03\x04")
        assert asked == []


@pytest.mark.parametrize(
    "answer", [b"", b"no json", b"[]", b'{"id":1}', b"null", b'{"error":"text"}', b'{"error":{"code":"x"}}']
)
async def test_client__nonsense_answer__is_a_dependencyrpc_error(answer: bytes) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with ChainClient([f"http://127.0.0.1:{runner.addresses[0][1]}"], 31337) as client:
        with pytest.raises(DependencyError):
            await client.block_number()
    await runner.cleanup()


@pytest.mark.parametrize("result", ["zz", 7, {}, [], {"number": "0x1"}])
async def test_client__result_of_the_wrong_shape__is_a_dependencyrpc_error(result: object) -> None:
    async with (
        scripted_node(lambda _m, _p: {"result": result}) as (url, _asked),
        ChainClient([url], 31337) as client,
    ):
        for asked in (client.block_number(), client.get_block(1), client.get_receipt(b"\x00" * 32)):
            with pytest.raises(DependencyError, match="malformed"):
                await asked


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "eth_getLogs block range too large",
        "Log response size exceeded",
        "exceed maximum block range: 5000",
        "block range is too wide",
    ],
)
async def test_get_logs__node_refuses_wide_ranges__all_logs_once_in_order(message: str) -> None:
    def reply(_method: str, params: list[Any]) -> dict[str, Any]:
        start, end = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        if end - start >= 7:
            return rpc_error(-32005, message)
        entry = {"address": "0x" + "c0" * 20, "topics": [], "data": "0x", "blockHash": "0x" + "00" * 32}
        entry |= {"transactionHash": "0x" + "00" * 32, "logIndex": "0x0"}
        return {"result": [entry | {"blockNumber": hex(number)} for number in range(start, end + 1)]}

    async with (
        scripted_node(reply) as (url, _asked),
        ChainClient([url], 31337, log_range_blocks=40) as client,
    ):
        logs = await client.get_logs(TARGET, [], 10, 110)
    assert [entry.block_number for entry in logs] == list(range(10, 111))


async def test_get_logs__one_block_refused__is_anrpc_error() -> None:
    async with (
        scripted_node(lambda _m, _p: rpc_error(-32005, "query returned more than 10000 results")) as (
            url,
            _asked,
        ),
        ChainClient([url], 31337) as client,
    ):
        with pytest.raises(RpcError):
            await client.get_logs(TARGET, [], 1, 4)


async def test_get_logs__on_a_node__filters_by_topic(anvil: Anvil) -> None:
    place(anvil, COUNTER)
    for word in (1, 2):
        emit(anvil, word)
    async with ChainClient([anvil.url], 31337) as client:
        assert len(await client.get_logs(TARGET, [], 0, 2)) == 2
        found = await client.get_logs(TARGET, [[(2).to_bytes(32), (3).to_bytes(32)]], 0, 2)
        assert [entry.topics for entry in found] == [[(2).to_bytes(32)]]
        receipt = await client.get_receipt(found[0].tx_hash)
        assert receipt is not None
        assert receipt.logs == (found[0],)
        assert await client.get_receipt(b"\x00" * 32) is None


async def test_client__fees_and_balances__as_the_node_says(anvil: Anvil) -> None:
    account = anvil.new_account(ether=3)
    address = bytes.fromhex(account.address[2:])
    async with ChainClient([anvil.url], 31337) as client:
        assert await client.balance(address) == 3 * 10**18
        assert await client.nonce(address) == 0
        assert await client.gas_price() >= await client.base_fee() > 0
        assert await client.code(TARGET) == b""
