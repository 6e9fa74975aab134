"""JSON-RPC servers that say what a test wants."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

Reply = Callable[[str, list[Any]], dict[str, Any]]


@asynccontextmanager
async def scripted_node(reply: Reply, chain_id: int = 31337) -> AsyncIterator[tuple[str, list[str]]]:
    """A JSON-RPC server that says what `reply` says, and the methods it was asked.

    Which chain it serves and how far it is are asked by the client itself: not counted, and answered also by a node
    whose `reply` knows nothing of it.
    """
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        call = json.loads(await request.text())
        if call["method"] == "eth_chainId":
            return web.json_response({"jsonrpc": "2.0", "id": call["id"], "result": hex(chain_id)})
        if call["params"] in (["latest", False], ["0x0", False]):
            return web.json_response({"jsonrpc": "2.0", "id": call["id"]} | _header(reply, call["params"]))
        asked.append(call["method"])
        return web.json_response({"jsonrpc": "2.0", "id": call["id"]} | reply(call["method"], call["params"]))

    app = web.Application()
    app.router.add_post("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v2/secret-key-secret-key-secret", asked
    finally:
        await runner.cleanup()


def _header(reply: Reply, params: list[Any]) -> dict[str, Any]:
    with suppress(Exception):
        said = reply("eth_getBlockByNumber", params)
        if "timestamp" in said["result"]:
            return said
    if params[0] != "latest":
        return rpc_error(-32601, "no history")
    zero = "0x" + "00" * 32
    return {"result": {"number": "0x0", "hash": zero, "parentHash": zero, "timestamp": "0x1"}}


def rpc_error(code: int, message: str, **more: Any) -> dict[str, Any]:
    """What a node answers when it refuses."""
    return {"error": {"code": code, "message": message} | more}
