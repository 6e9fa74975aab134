"""Log queries over many blocks at nodes that answer few: whatever their words and statuses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from aligned.chain.client import ChainClient
from aligned.core.errors import DependencyError
from aligned.watchdog import Rounds, watched
from tests.integration.chain.code import TARGET
from tests.integration.chain.nodes import rpc_error, scripted_node

RANGES = {
    "quicknode 413 -32614": (413, -32614, "eth_getLogs is limited to a 10,000 range"),
    "quicknode text, status 200": (200, -32614, "eth_getLogs is limited to a 5 range"),
    "infura -32602 2026": (200, -32602, "range 1000000 exceeds limit of 10000"),
    "reth max results": (200, -32602, "query exceeds max results 20000, retry with the range 100-199"),
    "reth max range": (200, -32602, "query exceeds max block range 5000"),
    "morph": (200, -32000, "block range is larger than max block range, block range = 5120"),
    "infura -32005": (200, -32005, "query returned more than 10000 results. Try [0x1, 0x2]."),
    "geth 1.16": (200, -32000, "exceed maximum block range: 1000"),
    "rate words": (429, -32005, "limit exceeded"),
    "html 413": (413, None, "<html>entity too large</html>"),
    "gateway": (504, None, ""),
    "words never seen": (200, 7, "computer says no"),
    "internal": (500, -32603, "internal error"),
    "no json": (200, None, "oops"),
}


def limited_node(
    code_status: int, code: int | None, text: str, limit: int, seen: list[int]
) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        call = await request.json()
        named = {"jsonrpc": "2.0", "id": call["id"]}
        if call["method"] != "eth_getLogs":
            known = call["method"] == "eth_chainId"
            return web.json_response(named | ({"result": "0x7a69"} if known else rpc_error(-32601, "no")))
        asked = call["params"][0]
        seen.append(int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1)
        if seen[-1] <= limit:
            return web.json_response(named | {"result": []})
        if code is None:
            return web.Response(status=code_status, text=text, content_type="text/html")
        return web.json_response(named | {"error": {"code": code, "message": text}}, status=code_status)

    return handle


async def _serving(stack: AsyncExitStack, handle: Callable[[web.Request], Any]) -> str:
    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("limit", [1, 100])
async def test_get_logs__node_answers_small_ranges_only__range_is_halved(name: str, limit: int) -> None:
    seen: list[int] = []
    async with AsyncExitStack() as stack:
        url = await _serving(stack, limited_node(*RANGES[name], limit, seen))
        client = await stack.enter_async_context(ChainClient([url], 31337))
        assert await client.get_logs(TARGET, [], 0, 199) == []
        assert sum(size for size in seen if size <= limit) == 200
        # The size that is answered is remembered: a second reading is not refused again and again.
        refused = sum(size > limit for size in seen)
        seen.clear()
        await client.get_logs(TARGET, [], 0, 199)
        assert sum(size > limit for size in seen) <= max(3, 100 if limit == 1 else refused)


@pytest.mark.parametrize("name", RANGES)
async def test_get_logs__node_answers_nothing__two_queries_and_no_more(name: str) -> None:
    seen: list[int] = []
    async with AsyncExitStack() as stack:
        url = await _serving(stack, limited_node(*RANGES[name], 0, seen))
        client = await stack.enter_async_context(ChainClient([url], 31337))
        with pytest.raises(DependencyError):
            await client.get_logs(TARGET, [], 0, 1_999)
        assert seen == [2_000, 1]


async def test_get_logs__first_endpoint_limits_ranges__second_is_asked_and_the_first_stays_preferred() -> (
    None
):
    seen: list[int] = []
    async with AsyncExitStack() as stack:
        first = await _serving(stack, limited_node(429, -32005, "too many", 0, seen))
        second, asked = await stack.enter_async_context(scripted_node(lambda _m, _p: {"result": []}))
        client = await stack.enter_async_context(ChainClient([first, second], 31337))
        assert await client.get_logs(TARGET, [], 0, 1_999) == []
        assert (seen, asked) == ([2_000], ["eth_getLogs"])


async def test_get_logs__thousands_of_small_answers__the_watchdog_sees_it_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beats: list[Rounds] = []

    def beat(rounds: Rounds) -> None:
        beats.append(rounds)

    monkeypatch.setattr(Rounds, "beat", beat)
    async with AsyncExitStack() as stack:
        url = await _serving(stack, limited_node(200, -32000, "ten blocks", 10, []))
        client = await stack.enter_async_context(ChainClient([url], 31337))
        with watched("reader", 1.0) as rounds:
            await client.get_logs(TARGET, [], 0, 199)
    assert len(beats) >= 20
    assert set(beats) == {rounds}
