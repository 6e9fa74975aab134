"""One JSON-RPC endpoint over one keep-alive HTTP session per event loop.

A deadline covers the whole call: waiting for a connection, sending, reading and decoding. A call may be cancelled at
any await; nothing of it is left behind that another call would wait for.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import aiohttp

from aligned.chain.rpc_errors import RpcError, fault_of
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

# Logs of thousands of blocks are some megabytes; more is a fault, or an attack on our memory.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Beyond this, decoding would hold up everything else in the process.
_DECODE_APART_BYTES = 256 * 1024
_MAX_CONNECTIONS = 32
_KEEP_ALIVE_S = 30.0
_LONGEST_RETRY_AFTER_S = 60.0
_OK = 200


class Endpoint:
    """Asks one URL.

    Args:
        url: HTTP(S) URL; only its host and port are ever shown.
        timeout_s: for one whole call.
    """

    def __init__(self, url: str, timeout_s: float, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self.name = _host(url)
        self._url = url
        self._timeout_s = timeout_s
        self._max_answer_bytes = max_answer_bytes
        self._ids = itertools.count(1)
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = (
            WeakKeyDictionary()
        )

    async def close(self) -> None:
        """Closes the connections of this event loop."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def ask(self, method: str, params: Sequence[object]) -> Any:
        """Raw JSON result.

        Raises:
            TxReverted: the contract refused.
            RpcError: the node answered with an error, of JSON-RPC or of HTTP.
            DependencyError: chain_unavailable: no answer in time, or none that can be read.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask(method, params)
        except TimeoutError:
            raise self._failure(method, f"no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            # The text of some of these holds the URL, which may hold a key.
            raise self._failure(method, type(error).__name__) from None

    async def _ask(self, method: str, params: Sequence[object]) -> Any:
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        try:
            return await self._post(method, call)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            # It closed an idle connection at the moment of our request; every call here may be asked twice.
            return await self._post(method, call)

    async def _post(self, method: str, call: dict[str, object]) -> Any:
        async with self._session().post(self._url, json=call, allow_redirects=False) as response:
            wait_s = _retry_after(response.headers)
            body = await self._read(response, method)
            answer = await _decoded(body) if response.status == _OK else _decoded_or_none(body)
        if isinstance(answer, dict) and answer.get("error") is not None:
            raise fault_of(method, answer["error"], response.status, wait_s)
        if response.status != _OK:
            text = f"{self.name}: {method}: HTTP {response.status}"
            raise RpcError(0, text, status=response.status, retry_after_s=wait_s)
        if not isinstance(answer, dict) or "result" not in answer:
            raise self._failure(method, "answer without a result")
        if answer.get("id") != call["id"]:
            raise self._failure(method, "answer to another question")
        return answer["result"]

    async def _read(self, response: aiohttp.ClientResponse, method: str) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._max_answer_bytes:
                raise self._failure(method, f"answer above {self._max_answer_bytes} bytes")
        return bytes(body)

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session

    def _failure(self, method: str, what: str) -> DependencyError:
        return DependencyError(CHAIN_UNAVAILABLE, f"{self.name}: {method}: {what}")


def _host(url: str) -> str:
    # Never the whole URL: user, path and query are where keys are.
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


async def _decoded(body: bytes) -> Any:
    if len(body) < _DECODE_APART_BYTES:
        return json.loads(body)
    return await asyncio.to_thread(json.loads, body)


def _decoded_or_none(body: bytes) -> Any:
    """Error pages are HTML as often as JSON."""
    try:
        return json.loads(body[:_DECODE_APART_BYTES])
    except (ValueError, RecursionError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, bounded; the form with a date is rare and taken as the default pause."""
    text = headers.get("Retry-After", "")
    return min(float(text), _LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else None
