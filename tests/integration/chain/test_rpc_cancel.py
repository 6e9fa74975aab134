"""A call may be cancelled at any await, by itself or among many: the next one is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from aligned.chain.client import ChainClient
from aligned.core.errors import DependencyError
from tests.integration.chain.code import COUNTER, TARGET, place
from tests.integration.chain.sending import until
from tests.integration.node import Anvil
from tests.outside.awaits import Run, at_each_await, cancel_at
from tests.outside.node import NodeProxy, silence


@pytest_asyncio.fixture
async def proxy(anvil: Anvil) -> AsyncIterator[NodeProxy]:
    async with NodeProxy(anvil.url) as opened:
        yield opened


@pytest.mark.parametrize("urls", [1, 2])
async def test_client__cancelled_at_each_await__next_call_is_answered(proxy: NodeProxy, urls: int) -> None:
    async with ChainClient([proxy.url] * urls, 31337, timeout_s=20) as client:
        await client.block_number()

        async def one(number: int) -> Run:
            return await cancel_at(client.block_number, number)

        async def check(_number: int, _run: Run) -> None:
            assert await client.block_number() == 0

        assert await at_each_await(one, check) > 0


async def test_client__first_call_cancelled_at_each_await__next_call_is_answered(proxy: NodeProxy) -> None:
    clients: list[ChainClient] = []

    async def one(number: int) -> Run:
        clients.append(ChainClient([proxy.url, proxy.url], 31337, timeout_s=20))
        return await cancel_at(clients[-1].block_number, number)

    async def check(_number: int, _run: Run) -> None:
        assert await clients[-1].block_number() == 0
        await clients[-1].close()

    assert await at_each_await(one, check) > 0


async def test_client__many_calls_cancelled_while_the_node_is_silent__next_calls_are_answered(
    proxy: NodeProxy,
) -> None:
    async with ChainClient([proxy.url], 31337, timeout_s=20) as client:
        await client.block_number()
        proxy.before("eth_blockNumber", None, silence())

        async def some_arrived() -> bool:
            return proxy.calls.count("eth_blockNumber") >= 20

        for _round in range(3):
            # More than there are connections, so that some wait for one when they are cancelled.
            calls = [asyncio.create_task(client.block_number()) for _ in range(80)]
            await until(some_arrived)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            proxy.calls.clear()
        proxy.forget()
        assert await asyncio.gather(*(client.block_number() for _ in range(80))) == [0] * 80


async def test_client__node_accepts_and_says_nothing__call_ends_at_its_deadline() -> None:
    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, ChainClient([f"http://127.0.0.1:{port}"], 31337, timeout_s=0.3) as client:
        with pytest.raises(DependencyError, match="no answer within"):
            await client.block_number()


async def test_client__answer_without_end__is_cut_at_its_size_and_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while True:
                writer.write(b"[" * 65_536)
                await writer.drain()
        except ConnectionError:
            writer.close()

    monkeypatch.setattr("aligned.chain.endpoint.Endpoint.__init__.__defaults__", (1_000_000,))
    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, ChainClient([f"http://127.0.0.1:{port}"], 31337, timeout_s=20) as client:
        with pytest.raises(DependencyError, match="answer above 1000000 bytes"):
            await client.block_number()


async def test_client__idle_connection_closed_by_the_node__call_is_answered(anvil: Anvil) -> None:
    place(anvil, COUNTER)
    async with ChainClient([anvil.url], 31337) as client:
        assert await client.code(TARGET) != b""
        endpoint = client._rpc._nodes[0].endpoint
        session = endpoint._session()
        assert session.connector is not None
        (held,) = [conn for conns in session.connector._conns.values() for conn, _used in conns]
        assert held.transport is not None
        held.transport.abort()
        assert await client.block_number() == 0


async def test_client__used_from_two_event_loops__answers_in_both(anvil: Anvil) -> None:
    client = ChainClient([anvil.url], 31337)
    assert await client.block_number() == 0

    async def elsewhere() -> int:
        try:
            return await client.block_number()
        finally:
            await client.close()

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == 0
    assert await client.block_number() == 0
    await client.close()
