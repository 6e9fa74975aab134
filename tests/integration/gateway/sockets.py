"""Uploads by hand: what a client that is slow, silent or up to something writes to its socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import Proof, Submitter

BOUNDARY = "b0undary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()


def part(name: str, data: bytes = b"x", headers: str = "") -> bytes:
    """A part of the form."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n{headers}\r\n'
    return head.encode() + data + b"\r\n"


def texts(user: Submitter, proof: Proof, nonce: int = 0) -> bytes:
    """The signed texts of a submission."""
    return b"".join(part(name, text.encode()) for name, text in user.form(proof, nonce)["data"].items())


def head(length: int | str, **headers: str) -> bytes:
    """The head of a request for a body of this length."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    text = (
        f"POST /v1/proofs HTTP/1.1\r\nHost: a\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n"
    )
    return (text + extra + "\r\n").encode()


@asynccontextmanager
async def connected(
    gateway: Running, said: bytes, source: str | None = None
) -> AsyncIterator[asyncio.StreamReader]:
    """A connection over which something was said.

    Args:
        source: address to come from.
    """
    async with _open(gateway, source) as (reader, writer):
        writer.write(said)
        await writer.drain()
        yield reader


@asynccontextmanager
async def trickling(
    gateway: Running, said: bytes, piece: bytes = b"-", pause_s: float = 0.1, source: str | None = None
) -> AsyncIterator[asyncio.StreamReader]:
    """An upload that goes on with a little now and then."""
    async with _open(gateway, source) as (reader, writer):
        writer.write(said)

        async def trickle() -> None:
            while True:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)

        going_on = asyncio.create_task(trickle())
        try:
            yield reader
        finally:
            going_on.cancel()
            await asyncio.gather(going_on, return_exceptions=True)


@asynccontextmanager
async def _open(
    gateway: Running, source: str | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    local = None if source is None else (source, 0)
    port = gateway.settings.gateway.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer."""
    async with asyncio.timeout(20):
        raw = await reader.read()
    first, _, body = raw.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
