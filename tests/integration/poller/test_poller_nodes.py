"""Nodes that refuse wide log ranges, fail, or are gone: payments are late then, never lost and never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web
from aiohttp.test_utils import TestServer

from aligned.settings import Settings
from tests.integration.poller.harness import Payments, running_poller, with_chain
from tests.integration.rig import Rig
from tests.integration.votes import eventually

Refusal = Callable[[dict[str, Any]], bool]


@asynccontextmanager
async def _in_front_of(rig: Rig, refuses: Refusal, message: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A node that passes requests on to the rig's, but for those that it `refuses`; URL and methods it refused."""
    refused: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        call = await request.json()
        if refuses(call):
            refused.append(call["method"])
            return web.json_response(
                {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32005, "message": message}}
            )
        async with httpx.AsyncClient(trust_env=False) as http:
            return web.json_response((await http.post(rig.node.url, json=call)).json())

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/")), refused


async def test_poller__node_refuses_wide_ranges__reads_everything_in_small_ones(
    payments: Payments, rig: Rig, settings: Settings
) -> None:
    accounts = [rig.node.new_account() for _ in range(3)]
    for account in accounts:
        payments.pay(account)
        rig.node.mine(40)

    def wide(call: dict[str, Any]) -> bool:
        if call["method"] != "eth_getLogs":
            return False
        [wanted] = call["params"]
        return int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) >= 10

    async with (
        _in_front_of(rig, wide, "block range too large") as (url, refused),
        running_poller(with_chain(settings, rpc_urls=(url,))),
    ):
        await payments.read_to_the_head()
    assert refused
    for account in accounts:
        assert await payments.rows(account) == [(payments.proofs, 0, False)]


async def test_poller__first_node_dead_second_fails_now_and_then__third_is_asked(
    payments: Payments, rig: Rig, settings: Settings
) -> None:
    count = 0

    def every_third(_call: dict[str, Any]) -> bool:
        nonlocal count
        count += 1
        return count % 3 == 0

    account = rig.node.new_account()
    async with _in_front_of(rig, every_third, "internal error") as (url, refused):
        urls = with_chain(settings, rpc_urls=("http://127.0.0.1:1", url, rig.node.url))
        async with running_poller(urls):
            payments.pay(account)
            await payments.reaches(account, [(payments.proofs, 0, False)])
            await payments.read_to_the_head()
    assert refused
    assert await payments.query("SELECT count(*) AS n FROM quotas") == [{"n": 1}]


async def test_poller__only_node_fails_for_a_while__goes_on_by_itself(
    payments: Payments, rig: Rig, settings: Settings
) -> None:
    down = True
    account = rig.node.new_account()
    payments.pay(account)

    async with (
        _in_front_of(rig, lambda _call: down, "internal error") as (url, refused),
        running_poller(with_chain(settings, rpc_urls=(url,))),
    ):

        async def has_refused() -> bool:
            return len(refused) > 2

        await eventually(has_refused, lambda: "refused requests")
        assert await payments.rows(account) == []
        down = False
        await payments.reaches(account, [(payments.proofs, 0, False)])
