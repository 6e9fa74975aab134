"""The HTTP server under connections that say nothing, halves of requests, and dependencies that hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from aligned.devnet.process import free_port
from aligned.serving import create_app, serve
from tests.integration.votes import eventually

CONNECTIONS = 300


async def _ready() -> dict[str, object]:
    return {}


@asynccontextmanager
async def _serving(ready: object = _ready) -> AsyncIterator[int]:
    port, stop = free_port(), asyncio.Event()
    app = create_app("test", ready, lambda: b"")  # type: ignore[arg-type]
    running = asyncio.create_task(serve(app, "127.0.0.1", port, stop))
    try:
        await eventually(lambda: _answers(port), lambda: "/healthz")
        yield port
    finally:
        stop.set()
        await running


async def _answers(port: int) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            return (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
    ],
    ids=["silent", "half-header", "half-body"],
)
async def test_serve__300_connections_that_never_finish__others_are_answered(said: bytes) -> None:
    async with _serving() as port:
        writers = []
        for _ in range(CONNECTIONS):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            writers.append(writer)
        assert await _answers(port)
        for writer in writers:
            writer.close()


async def test_serve__request_answered__connection_ends() -> None:
    async with _serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(20):
            assert b"200 OK" in await reader.read()
        writer.close()


async def test_readyz__dependency_hangs__not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aligned.serving._READY_TIMEOUT_S", 0.1)

    async def hanging() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    app = create_app("test", hanging, lambda: b"")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://role") as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "timeout")
