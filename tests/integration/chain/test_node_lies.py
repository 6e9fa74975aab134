"""Nodes, or proxies before them, whose answers belong to other questions or hold numbers that no chain has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
import pytest_asyncio

from aligned.chain.client import ChainClient
from aligned.core.errors import DependencyError
from tests.integration.chain.code import COUNTER, TARGET, count, place
from tests.integration.chain.sending import WORD, Make
from tests.integration.node import Anvil
from tests.outside.node import Json, NodeProxy, error, result


@dataclass(frozen=True)
class Through:
    """What a sender needs to know of a node."""

    url: str
    chain_id: int


HUGE = "0x" + "f" * 300


@pytest_asyncio.fixture
async def proxy(anvil: Anvil) -> AsyncIterator[NodeProxy]:
    async with NodeProxy(anvil.url) as node:
        yield node


def client_of(*urls: str) -> ChainClient:
    return ChainClient(urls, 31337, head_look_s=0.05)


def header(**changed: Any) -> Json:
    zero = "0x" + "00" * 32
    block = {"number": "0x1", "hash": zero, "parentHash": zero, "timestamp": "0x1", "baseFeePerGas": "0x1"}
    return block | changed


async def test_answer_with_the_id_of_another_question__next_endpoint_is_asked(
    anvil: Anvil, proxy: NodeProxy
) -> None:
    async with client_of(proxy.url, anvil.url) as client:
        honest = await client.balance(TARGET)
        proxy.before(
            "eth_getBalance", None, lambda call: {"jsonrpc": "2.0", "id": call["id"] + 1, "result": "0x7"}
        )
        assert await client.balance(TARGET) == honest
        assert proxy.calls.count("eth_getBalance") == 2


@pytest.mark.parametrize("field", ["number", "timestamp"])
async def test_head_that_no_chain_has__other_endpoint_serves_on(
    anvil: Anvil, proxy: NodeProxy, field: str
) -> None:
    def lie(call: Json) -> Json | None:
        return None if call["params"][0] != "latest" else result(header(**{field: HUGE}))(call)

    proxy.before("eth_getBlockByNumber", None, lie)
    async with client_of(proxy.url, anvil.url) as client:
        for _ in range(3):
            assert await client.block_number() < 2**63
            await client.check_head()
            client.endpoints()


async def test_block_number_beyond_any_column__is_no_answer(anvil: Anvil, proxy: NodeProxy) -> None:
    proxy.before("eth_blockNumber", None, result(hex(2**63)))
    async with client_of(proxy.url, anvil.url) as client:
        assert await client.block_number() < 2**63


@pytest.mark.parametrize("text", ["-0x1", "0x-1", "1_0", "0x", " 0x1", 5, None, [], {}, "0x" + "1" * 65])
async def test_text_that_is_no_quantity__is_no_answer(anvil: Anvil, proxy: NodeProxy, text: object) -> None:
    proxy.before("eth_getBalance", None, result(text))
    async with client_of(proxy.url, anvil.url) as client:
        assert await client.balance(TARGET) >= 0
        assert proxy.calls.count("eth_getBalance") == 1


async def test_genesis_null__node_without_history_is_used(proxy: NodeProxy) -> None:
    def pruned(call: Json) -> Json | None:
        return result(None)(call) if call["params"][0] == "0x0" else None

    proxy.before("eth_getBlockByNumber", None, pruned)
    async with client_of(proxy.url) as client:
        await client.block_number()
        await client.check_head()
        assert not client.endpoints()[0].wrong_chain


@pytest.mark.parametrize("spelled", ["0x7A69", "0x07a69"])
async def test_chain_id_spelled_otherwise__is_the_same_chain(proxy: NodeProxy, spelled: str) -> None:
    proxy.before("eth_chainId", None, result(spelled))
    async with client_of(proxy.url) as client:
        await client.block_number()


async def test_block_of_another_height__is_no_answer(anvil: Anvil, proxy: NodeProxy) -> None:
    anvil.mine(3)
    async with client_of(proxy.url, anvil.url) as client:
        await client.block_number()
        proxy.before("eth_getBlockByNumber", None, result(header(number="0x9")))
        found = await client.get_block(2)
        assert found is not None
        assert found.number == 2


async def test_receipt_of_another_transaction__is_no_answer(anvil: Anvil, proxy: NodeProxy) -> None:
    receipt = {
        "transactionHash": "0x" + "11" * 32,
        "status": "0x1",
        "blockNumber": "0x1",
        "blockHash": "0x" + "22" * 32,
        "gasUsed": "0x1",
        "logs": [],
    }
    proxy.before("eth_getTransactionReceipt", None, result(receipt))
    async with client_of(proxy.url, anvil.url) as client:
        assert await client.get_receipt(b"\x33" * 32) is None


@pytest.mark.parametrize(
    "changed", [{"address": "0x" + "77" * 20}, {"blockNumber": "0x5"}, {"topics": ["0x" + "88" * 32]}]
)
async def test_logs_that_were_not_asked_for__are_no_answer(
    anvil: Anvil, proxy: NodeProxy, changed: Json
) -> None:
    anvil.mine(1)
    entry = {
        "address": "0x" + TARGET.hex(),
        "topics": ["0x" + "99" * 32],
        "data": "0x",
        "blockNumber": "0x1",
        "blockHash": "0x" + "22" * 32,
        "transactionHash": "0x" + "11" * 32,
        "logIndex": "0x0",
    }
    proxy.before("eth_getLogs", None, result([entry | changed]))
    async with client_of(proxy.url, anvil.url) as client:
        assert await client.get_logs(TARGET, [b"\x99" * 32], 1, 1) == []


@pytest.mark.parametrize("price", [None, "zz", 7, {}])
async def test_price_of_blobs_that_is_none__is_no_answer(proxy: NodeProxy, price: object) -> None:
    proxy.before("eth_feeHistory", None, result({"baseFeePerBlobGas": [price]}))
    proxy.before("eth_blobBaseFee", None, result(price))
    async with client_of(proxy.url) as client:
        with pytest.raises(DependencyError):
            await client.blob_base_fee()


@pytest.mark.parametrize(
    "refusal", [error(3, "execution reverted"), error(-32000, "transaction would revert")]
)
async def test_send__broadcast_refused_as_reverting__is_sent_again_and_mined_once(
    anvil: Anvil, proxy: NodeProxy, make: Make, refusal: Any
) -> None:
    place(anvil, COUNTER)
    proxy.before("eth_sendRawTransaction", 1, refusal)
    proxy.before("eth_sendRawTransaction", 2, refusal)
    # The node behind the proxy is asked through it.
    sender = make(cast(Anvil, Through(proxy.url, anvil.chain_id)), anvil.new_account(), bump_after_s=0.05)
    receipt = await sender.send("k", TARGET, WORD)
    assert receipt.state == "mined"
    assert count(anvil) == 1
