"""A JSON-RPC proxy on 127.0.0.1 in front of a node: counts calls, acts before one, or answers in the node's place."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web

Json = dict[str, Any]
# Gets the call (its JSON form) and returns the whole JSON answer, an HTTP response, or None to ask the node.
Hook = Callable[[Json], Awaitable[Json | web.Response | None] | Json | web.Response | None]
_ANY = "*"


@dataclass(slots=True)
class NodeProxy:
    """Use as an async context manager; `url` is where clients connect.

    Attributes:
        calls: methods in the order in which they came.
    """

    node_url: str
    calls: list[str] = field(default_factory=list)
    _hooks: dict[tuple[str, int | None], Hook] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        """Where this proxy listens."""
        return f"http://127.0.0.1:{self._port}"

    def before(self, method: str, number: int | None, hook: Hook) -> None:
        """Calls `hook` before the n-th call (from now, from 1) of `method` goes to the node; None: before each.

        Args:
            method: a JSON-RPC method, or "*" for calls of any.
        """
        at = None if number is None else self._counts[method] + number
        self._hooks[method, at] = hook

    def forget(self) -> None:
        """Takes all hooks away and counts from zero."""
        self._hooks.clear()
        self._counts.clear()
        self.calls.clear()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._handle)
        self._session = aiohttp.ClientSession()
        # A request that a client gave up is not carried out to its end here, as a real node's would be.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._session.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        call = await request.json()
        if isinstance(call, list):
            return web.json_response([await self._one_of_many(each) for each in call])
        found = await self._answer(call)
        return found if isinstance(found, web.Response) else web.json_response(found)

    async def _one_of_many(self, call: Json) -> Json:
        found = await self._answer(call)
        assert not isinstance(found, web.Response), "a batch has no HTTP answer of its own"
        return found

    async def _answer(self, call: Json) -> Json | web.Response:
        method = str(call.get("method"))
        self.calls.append(method)
        for name in (method, _ANY):
            self._counts[name] += 1
        for key in ((method, None), (_ANY, None), (method, self._counts[method]), (_ANY, self._counts[_ANY])):
            hook = self._hooks.get(key)
            if hook is None:
                continue
            found = hook(call)
            answer = await found if inspect.isawaitable(found) else found
            if answer is not None:
                return answer if isinstance(answer, web.Response) else {"id": call.get("id")} | answer
        return await self.ask(call)

    async def ask(self, call: Json) -> Json:
        """What the node itself says."""
        assert self._session is not None
        async with self._session.post(self.node_url, json=call) as response:
            answer: Json = await response.json(content_type=None)
            return answer


def error(code: int, message: str) -> Hook:
    """A hook that answers with a JSON-RPC error."""
    return lambda _call: {"jsonrpc": "2.0", "error": {"code": code, "message": message}}


def result(value: object) -> Hook:
    """A hook that answers with a result."""
    return lambda _call: {"jsonrpc": "2.0", "result": value}


def status(code: int, text: str = "", **headers: str) -> Hook:
    """A hook that answers with an HTTP status; `retry_after="3"` becomes the header Retry-After."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return lambda _call: web.Response(status=code, text=text, headers=named)


def silence(seconds: float = 3_600.0) -> Hook:
    """A hook that says nothing for so long, then asks the node."""

    async def wait(_call: Json) -> None:
        await asyncio.sleep(seconds)

    return wait
